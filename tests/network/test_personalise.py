"""An avatar that learned its photo shows it better, and its other sides as before."""

from pathlib import Path

import pytest
import torch

from sherf.avatar_model import PersonalisedModel, load_avatar_model
from sherf.body.files import load_body_model
from sherf.datasets.openpeople_data import OpenPeople
from sherf.datasets.pairs import resized
from sherf.devices import choose_backend
from sherf.errors import BadInput
from sherf.features.bank import FeatureBank
from sherf.personalise import own_view_error, personalised


@pytest.mark.parametrize("longest", [64, 192])
def test_the_seen_side_gets_nearer_or_stays_and_the_unseen_side_stays(people: Path, longest: int) -> None:
    """A picture of 64 pixels has little to teach; what is taught must not harm."""
    data, body, backend = OpenPeople(people, "test"), load_body_model("openbody"), choose_backend("cpu")
    view = resized(data.view(data.subjects[0], 0, 0), (longest, longest))
    before = load_avatar_model("sherf-small", backend).encode(view.subject, body, {}, view.vertices)
    after = personalised(before, body, backend, 60.0, most_steps=8)
    assert isinstance(before.bank, FeatureBank) and isinstance(after.bank, FeatureBank)
    about = after.report["personalised"]
    assert about["steps"] == 8
    errors = [own_view_error(avatar, body, backend) for avatar in (before, after)]
    assert errors[1] < errors[0] if about["kept"] else errors[1] == errors[0]
    assert about["kept"] == (about["psnr_before_after"][1] > about["psnr_before_after"][0])
    moved = (after.bank.planes - before.bank.planes).abs().amax(dim=1)
    if about["kept"]:
        assert float((moved > 0.01).float().mean()) > 0.02
        front, back = moved  # the map of the side that the photo does not show stays
        assert float(torch.minimum(front.mean(), back.mean()) / torch.maximum(front.mean(), back.mean())) < 0.5
    else:
        assert float(moved.max()) == 0.0


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
