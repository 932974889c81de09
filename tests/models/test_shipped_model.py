"""The weights that ship: they are the default, and show the person that the photo shows."""

import json
from pathlib import Path

import pytest
import torch

from sherf.avatar.renderer import Renderer, make_renderer
from sherf.benchmark.options import BenchmarkOptions
from sherf.body.files import load_body_model
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import turntable
from sherf.datasets.openpeople_data import OpenPeople
from sherf.files.assets import assets_root
from sherf.models.config import SMALL
from sherf.models.load import SHIPPED, load_avatar_model
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend
from sherf.scene import Subject

FOLDER = assets_root() / "sherf-small"


def test_the_default_model_ships_with_its_card_and_fits_the_configuration() -> None:
    assert PhotoOptions().model == BenchmarkOptions(Path()).model == SHIPPED[0] == "sherf-small"
    model = load_avatar_model("sherf-small", choose_backend("cpu"))
    assert model.network.config == SMALL and model.body_model == "openbody"
    weights = FOLDER / "sherf-small.safetensors"
    assert weights.stat().st_size <= 40e6
    about = json.loads(weights.with_suffix(".json").read_text())["training"]
    card = (FOLDER / "README.md").read_text()
    for what in ("Licence", "Limits", "sherf train", "sherf generate", f"{about['step']:,} steps"):
        assert what in card, what


@pytest.fixture(scope="module")
def shown(people: Path) -> tuple[Subject, Renderer]:
    """A test person of OpenPeople, encoded by the shipped model."""
    data, body, backend = OpenPeople(people, "test"), load_body_model("openbody"), choose_backend("cpu")
    view = data.view(data.subjects[0], 0, 0)
    avatar = load_avatar_model("sherf-small", backend).encode(view.subject, body, {}, view.vertices)
    return view.subject, make_renderer(avatar, body, backend)


def test_from_the_photos_own_camera_it_shows_the_photo(shown: tuple[Subject, Renderer]) -> None:
    subject, renderer = shown
    frame = renderer.frame(subject.camera, subject.pose)
    both = ((frame.opacity > 0.5) & (subject.mask > 0.5)).sum() / ((frame.opacity > 0.5) | (subject.mask > 0.5)).sum()
    assert both > 0.85
    person = subject.mask > 0.5
    error = (frame.rgb - subject.image * subject.mask)[:, person].square().mean()
    assert -10 * torch.log10(error) > 17
    assert frame.visibility[person].mean() > 0.5


def test_from_behind_it_is_whole_and_honest(shown: tuple[Subject, Renderer]) -> None:
    """No holes, no halo, and nearly nothing there was seen by the photo."""
    subject, renderer = shown
    base, centre = frame_person(renderer.outline(subject.pose), subject.camera, (128, 128))
    front, back = (renderer.frame(turntable(base, centre, 2)[i], subject.pose) for i in (0, 1))
    solid = [(frame.opacity > 0.9).float().mean() / (frame.opacity > 0.1).float().mean() for frame in (front, back)]
    assert min(solid) > 0.6
    seen = [frame.visibility[frame.opacity > 0.5].mean() for frame in (front, back)]
    assert seen[0] > 0.5 and seen[1] < 0.3
