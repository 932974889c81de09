"""Everything that has a CUDA path, on the simulated GPU: it runs, and gives what the CPU gives."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from simulated_device import Device, any_gpu, simulated_gpu
from stage import camera_in_front, photograph, standing

from sherf.app.session import Session
from sherf.app.viewer import View
from sherf.avatar.avatar_file import load_avatar, save_avatar
from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import build_rigged_mesh
from sherf.models.config import SMALL, SherfConfig
from sherf.models.paper.network import PaperNetwork
from sherf.models.protocol import Model
from sherf.models.surface.network import SurfaceNetwork
from sherf.models.template.model import TemplateModel
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend
from sherf.scene import Frame, Subject
from sherf.training.personalise import personalise

pytestmark = pytest.mark.gpu
SURFACE = replace(
    SMALL, encoder_width=8, plane_resolution=64, unwrap_width=8, token_width=8, decoder_width=16,
    observation_size=64, heads=1, head_width=8,
)  # fmt: skip
PAPER = SherfConfig(
    name="tiny", body_model="openbody", encoder_width=16, plane_resolution=16, synthesis_base=128, synthesis_most=32,
    volume_channels=(8, 8, 8), token_width=16, decoder_width=32, decoder_depth=6,
)  # fmt: skip


def _surface() -> SurfaceNetwork:
    torch.manual_seed(0)
    return SurfaceNetwork(SURFACE)


def _paper() -> PaperNetwork:
    torch.manual_seed(0)
    network = PaperNetwork(PAPER)
    with torch.no_grad():
        network.decoder.density.bias.fill_(60.0)  # solid near the body
    return network


MODELS: dict[str, Callable[[], Model]] = {"template": TemplateModel, "sherf-small": _surface, "sherf-paper": _paper}


@pytest.fixture(scope="module")
def photo(body: BodyModel) -> Subject:
    return photograph(body, standing(0.3), camera_in_front((64, 64)))


@pytest.fixture
def gpu() -> Iterator[Device]:
    with any_gpu() as device:
        yield device


def _backend() -> Backend:
    backend = choose_backend("auto")
    assert backend.device == torch.device("cuda", 0)
    return backend


def _encoded(name: str, photo: Subject, body: BodyModel, backend: Backend) -> EncodedAvatar:
    return ModelEncoder(MODELS[name](), backend, name).encode(photo, body, {})


def _frame(name: str, photo: Subject, body: BodyModel, backend: Backend) -> Frame:
    avatar = _encoded(name, photo, body, backend)
    return FieldRenderer(avatar, body, backend).frame(photo.camera, photo.pose)


@pytest.mark.parametrize("name", MODELS)
def test_a_photo_becomes_the_frame_that_the_cpu_renders(name: str, photo: Subject, body: BodyModel) -> None:
    marching = replace(choose_backend("cpu"), make_shell=None)  # as the GPU, which does not cast rays
    here = _frame(name, photo, body, marching)
    with any_gpu():
        there = _frame(name, photo, body, _backend())
    off = (here.rgb - there.rgb).abs()
    assert float(off.max()) < 5e-3 and float(off.mean()) < 1e-4
    torch.testing.assert_close(there.opacity, here.opacity, atol=5e-3, rtol=0)


@pytest.mark.parametrize(("name", "in_the_same_pose", "in_a_new_pose"), [
    ("template", 18, 50), ("sherf-small", 20, 45), ("sherf-paper", 18, 45),
])  # fmt: skip
def test_a_frame_seldom_waits_for_the_device(
    name: str, in_the_same_pose: int, in_a_new_pose: int, photo: Subject, body: BodyModel
) -> None:
    """Each wait costs a GPU what thousands of samples cost; the numbers do not depend on the frame's size."""
    with simulated_gpu() as device:
        backend = _backend()
        renderer = FieldRenderer(_encoded(name, photo, body, backend), body, backend)
        renderer.frame(photo.camera, photo.pose)
        for pose, most in ((photo.pose, in_the_same_pose), (standing(0.1), in_a_new_pose)):
            device.synchronisations.clear()
            renderer.frame(photo.camera, pose)
            assert device.synchronisations.total() <= most, device.synchronisations


@pytest.mark.parametrize("name", ["template", "sherf-small"])
def test_a_saved_avatar_is_exported_and_rendered_as_a_mesh(
    name: str, photo: Subject, body: BodyModel, gpu: Device, tmp_path: Path
) -> None:
    """Avatars are on the CPU wherever they were made, so that files, exports and the page can use them."""
    backend = _backend()
    save_avatar(_encoded(name, photo, body, backend), tmp_path / "a.safetensors")
    avatar = load_avatar(tmp_path / "a.safetensors", body)
    mesh = build_rigged_mesh(avatar, body, backend, triangles=2000, texture=64, spacing=0.02)
    assert len(mesh.faces) > 1000
    frame = MeshRenderer(mesh).frame(photo.camera, photo.pose)
    assert 0.7 < float((frame.opacity > 0.5).float().sum() / photo.mask.sum()) < 1.4


def test_an_avatar_is_tuned_to_its_photo(photo: Subject, body: BodyModel, gpu: Device) -> None:
    backend = _backend()
    tuned = personalise(_encoded("sherf-small", photo, body, backend), body, backend, 600.0, most_steps=2)
    assert tuned.report["personalised"]["steps"] == 2
    assert all(not x.is_cuda for x in tuned.bank.encoded)


def test_the_steps_of_the_page(gpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo, its avatar, and coarse views; meshes are the export's."""
    monkeypatch.setattr("sherf.app.viewer.COARSE_SIZE", 48)
    session = Session(_backend())
    report = session.read(Path(__file__).parents[1] / "examples" / "person_1.jpg")
    assert report["verdict"] == "good"
    avatar = session.require_avatar()
    coarse = [avatar.render(View(shows_visibility=shown)) for shown in (False, True)]
    assert all(image.shape[2] == 3 and image.std() > 10 for image in coarse)
    assert session.close()
