"""An avatar that learned its photo shows it better, and its other sides as before."""

from pathlib import Path

import pytest
import torch
from running import here

from sherf.avatar.avatar_file import Avatar
from sherf.body.files import load_body_model
from sherf.datasets.openpeople_data import OpenPeople
from sherf.datasets.pairs import resized
from sherf.errors import BadInput
from sherf.models.load import PersonalisedModel, load_avatar_model
from sherf.models.paper.bank import FeatureBank
from sherf.render.devices import choose_backend
from sherf.training.personalise import own_view_psnr, personalised


def taught(people: Path, size: int) -> tuple[Avatar, Avatar, list[float]]:
    """An avatar of a picture of this size before and after sixteen steps, and how near each is to its photo."""
    data, body, backend = OpenPeople(people, "test"), load_body_model("openbody"), choose_backend("cpu")
    view = resized(data.view(data.subjects[0], 0, 0), (size, size))
    before = load_avatar_model("sherf-small", backend).encode(view.subject, body, {}, view.vertices)
    after = personalised(before, body, backend, 600.0, most_steps=16)
    psnr = [own_view_psnr(avatar, body, backend) for avatar in (before, after)]
    about = after.report["personalised"]
    assert about["steps"] == 16
    assert about["kept"] == (about["psnr_before_after"][1] > about["psnr_before_after"][0])
    return before, after, psnr


def test_the_seen_side_gets_nearer_and_the_unseen_side_stays(tmp_path: Path) -> None:
    """Learned from a picture in which there is something to learn: 64 pixels hold no detail."""
    one = ("--people", "1", "--seed-start", "9", "--views", "2", "--poses", "1", "--size", "192")
    assert here("generate", "openpeople", *one, "--out", tmp_path).returncode == 0
    before, after, psnr = taught(tmp_path, 192)
    assert psnr[1] > psnr[0]
    assert isinstance(before.bank, FeatureBank) and isinstance(after.bank, FeatureBank)
    moved = (after.bank.planes - before.bank.planes).abs().amax(dim=1)
    assert float((moved > 0.01).float().mean()) > 0.05
    # maps of the side that the photo does not show
    front, back = moved
    assert float(torch.minimum(front.mean(), back.mean()) / torch.maximum(front.mean(), back.mean())) < 0.5


def test_what_is_learned_is_dropped_where_it_does_harm(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sherf.training.personalise.LEARNING_RATE", 10.0)
    before, after, psnr = taught(people, 64)
    assert not after.report["personalised"]["kept"]
    assert after.bank is before.bank and psnr[1] == psnr[0]


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
