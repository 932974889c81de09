"""The shipped weights are the default, and reproduce the person in the photo."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sherf.api.encoders import load_encoder
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import FieldRenderer, Renderer
from sherf.benchmark.options import BenchmarkOptions
from sherf.body.files import load_body_model
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import turntable
from sherf.datasets.openpeople_data import OpenPeople
from sherf.files.assets import assets_root
from sherf.models.config import SMALL
from sherf.models.load import SHIPPED
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend
from sherf.scene import Subject

FOLDER = assets_root() / "sherf-small"


def test_the_default_model_ships_with_its_card_and_matches_the_configuration() -> None:
    assert PhotoOptions().model == BenchmarkOptions(Path()).model == SHIPPED[0] == "sherf-small"
    model = load_encoder("sherf-small", choose_backend("cpu"))
    assert model.model.config == SMALL and model.body_model == "openbody"
    weights = FOLDER / "sherf-small.safetensors"
    assert weights.stat().st_size <= 40e6
    about = json.loads(weights.with_suffix(".json").read_text())["training"]
    card = (FOLDER / "README.md").read_text()
    for fact in ("Licence", "Limits", "sherf train", "sherf generate", f"{about['step']:,} steps"):
        assert fact in card, fact


@pytest.fixture(scope="module")
def avatar(people: Path) -> EncodedAvatar:
    """A test person of OpenPeople, encoded by the shipped model."""
    data, body, backend = OpenPeople(people, "test"), load_body_model("openbody"), choose_backend("cpu")
    view = data.view(data.subjects[0], 0, 0)
    return load_encoder("sherf-small", backend).encode(view.subject, body, {}, view.vertices)


@pytest.fixture(scope="module")
def shown(avatar: EncodedAvatar) -> tuple[Subject, Renderer]:
    """The same person's observation and renderer."""
    return avatar.bank.subject, FieldRenderer(avatar, load_body_model("openbody"), choose_backend("cpu"))


def test_the_photos_own_camera_reproduces_the_photo(shown: tuple[Subject, Renderer]) -> None:
    subject, renderer = shown
    frame = renderer.frame(subject.camera, subject.pose)
    overlap = ((frame.opacity > 0.5) & (subject.mask > 0.5)).sum() / (
        (frame.opacity > 0.5) | (subject.mask > 0.5)
    ).sum()
    assert overlap > 0.85
    person = subject.mask > 0.5
    error = (frame.rgb - subject.image * subject.mask)[:, person].square().mean()
    assert -10 * torch.log10(error) > 17
    assert frame.visibility[person].mean() > 0.5


def test_traced_frames_are_those_of_the_volume_integral(avatar: EncodedAvatar, shown: tuple[Subject, Renderer]) -> None:
    """Four sides as in the photo, and two in another pose, through the definition: rays marched in small steps."""
    subject, renderer = shown
    exact = FieldRenderer(avatar, load_body_model("openbody"), choose_backend("cpu").exact())
    base, centre = frame_person(renderer.outline(subject.pose), subject.camera, (160, 160))
    cameras, moved = turntable(base, centre, 4), replace(subject.pose, joints=0.6 * subject.pose.joints)
    views = [(cameras[i], subject.pose) for i in range(4)] + [(cameras[i], moved) for i in (0, 1)]
    pairs = [(renderer.frame(*view), exact.frame(*view)) for view in views]
    psnr = [float(-10 * torch.log10((a.rgb - a.opacity - b.rgb + b.opacity).square().mean())) for a, b in pairs]
    assert sum(psnr) / len(psnr) > 43 and min(psnr) > 38, psnr
    assert max(float((a.opacity - b.opacity).abs().mean()) for a, b in pairs) < 1 / 255
    for a, b in pairs:
        both = (a.opacity > 0.95) & (b.opacity > 0.95)
        assert (a.depth - b.depth)[both].abs().mean() < 0.005
        assert (a.visibility - b.visibility)[both].abs().mean() < 0.02


def test_the_back_is_complete_and_marked_as_unseen(shown: tuple[Subject, Renderer]) -> None:
    """No holes, no halo, and hardly any visibility."""
    subject, renderer = shown
    base, centre = frame_person(renderer.outline(subject.pose), subject.camera, (128, 128))
    front, back = (renderer.frame(turntable(base, centre, 2)[i], subject.pose) for i in (0, 1))
    solid = [(frame.opacity > 0.9).float().mean() / (frame.opacity > 0.1).float().mean() for frame in (front, back)]
    assert min(solid) > 0.6
    seen = [frame.visibility[frame.opacity > 0.5].mean() for frame in (front, back)]
    assert seen[0] > 0.5 and seen[1] < 0.3
