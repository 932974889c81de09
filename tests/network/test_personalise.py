"""An avatar that learned its photo shows it better, and its other sides as before."""

from pathlib import Path

import pytest
import torch

from sherf.avatar_model import PersonalisedModel, load_avatar_model
from sherf.body.files import load_body_model
from sherf.datasets.openpeople_data import OpenPeople
from sherf.devices import choose_backend
from sherf.errors import BadInput
from sherf.features.bank import FeatureBank
from sherf.personalise import personalised
from sherf.renderer import make_renderer


def test_the_seen_side_gets_nearer_and_the_unseen_side_stays(people: Path) -> None:
    data, body, backend = OpenPeople(people, "test"), load_body_model("openbody"), choose_backend("cpu")
    view = data.view(data.subjects[0], 0, 0)
    before = load_avatar_model("sherf-small", backend).encode(view.subject, body, {}, view.vertices)
    after = personalised(before, body, backend, 60.0, most_steps=16)
    assert isinstance(before.bank, FeatureBank) and isinstance(after.bank, FeatureBank)
    assert after.report["personalised"]["steps"] == 16
    person = view.subject.mask > 0.95
    errors = []
    for avatar in (before, after):
        frame = make_renderer(avatar, body, backend).frame(view.subject.camera, view.subject.pose, view.vertices)
        errors.append(float((frame.rgb - view.subject.image * view.subject.mask)[:, person].square().mean()))
    assert errors[1] < errors[0]
    moved = (after.bank.planes - before.bank.planes).abs().amax(dim=1)
    assert float((moved > 0.01).float().mean()) > 0.05
    # maps of the side that the photo does not show
    front, back = moved
    assert float(torch.minimum(front.mean(), back.mean()) / torch.maximum(front.mean(), back.mean())) < 0.5


@pytest.mark.parametrize("text", ["soon", "0s", "-3m"])
def test_a_length_of_time_is_needed(text: str) -> None:
    with pytest.raises(BadInput, match="--personalise"):
        load_avatar_model("sherf-small", choose_backend("cpu"), text)


def test_the_template_has_nothing_to_learn() -> None:
    with pytest.raises(BadInput, match="sherf-small"):
        load_avatar_model("template", choose_backend("cpu"), "10s")
    model = load_avatar_model("sherf-small", choose_backend("cpu"), "10s")
    assert isinstance(model, PersonalisedModel) and model.name == "sherf-small" and model.body_model == "openbody"
    assert "personalised 10 s" in model.identity
