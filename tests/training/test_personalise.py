"""Personalisation brings an avatar closer to its photo and keeps its other sides."""

import json
from pathlib import Path

import pytest
import torch
from running import run_in_process

from sherf.api.encoders import load_encoder
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.reconstruct import encode_subject
from sherf.avatar.result_files import write_reconstruction
from sherf.body.files import load_body_model
from sherf.datasets.openpeople_data import OpenPeople
from sherf.errors import BadInput
from sherf.models.surface.bank import SurfaceBank
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend
from sherf.training.personalise import PersonalisingEncoder, own_view_psnr, personalise


def personalised(people: Path) -> tuple[EncodedAvatar, EncodedAvatar, list[float]]:
    """Return an avatar of the first test image before and after sixteen steps, and the PSNR of each to its photo."""
    data, body, backend = OpenPeople(people, "test"), load_body_model("openbody"), choose_backend("cpu")
    view = data.view(data.subjects[0], 0, 0)
    before = load_encoder("sherf-small", backend).encode(view.subject, body, {}, view.vertices)
    after = personalise(before, body, backend, 600.0, most_steps=16)
    psnr = [own_view_psnr(avatar, body, backend) for avatar in (before, after)]
    about = after.report["personalised"]
    assert about["steps"] == 16
    assert about["kept"] == (about["psnr_before_after"][1] > about["psnr_before_after"][0])
    return before, after, psnr


def test_the_visible_side_gets_closer_to_the_photo_and_the_other_side_stays(tmp_path: Path) -> None:
    """At 192 pixels: smaller images have no detail to learn."""
    one = ("--people", "1", "--seed-start", "9", "--views", "2", "--poses", "1", "--size", "192")
    assert run_in_process("generate", "openpeople", *one, "--out", tmp_path).returncode == 0
    before, after, psnr = personalised(tmp_path)
    assert psnr[1] > psnr[0]
    assert isinstance(before.bank, SurfaceBank) and isinstance(after.bank, SurfaceBank)
    moved = (after.bank.maps - before.bank.maps).abs().amax(dim=1)
    assert float((moved > 0.01).float().mean()) > 0.05
    # Of front and back, the photo shows one.
    front, back = moved
    assert float(torch.minimum(front.mean(), back.mean()) / torch.maximum(front.mean(), back.mean())) < 0.5


def test_a_result_further_from_the_photo_is_discarded(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sherf.training.personalise.LEARNING_RATE", 10.0)
    before, after, psnr = personalised(people)
    assert not after.report["personalised"]["kept"]
    assert after.bank is before.bank and psnr[1] == psnr[0]


def test_the_report_of_a_personalised_avatar_has_its_seconds(people: Path, tmp_path: Path) -> None:
    data, body = OpenPeople(people, "test"), load_body_model("openbody")
    view = data.view(data.subjects[0], 0, 0)
    encoder = load_encoder("sherf-small", choose_backend("cpu"), "0.01s")
    made = encode_subject("somebody", view.subject, view.vertices, body, encoder, PhotoOptions())
    write_reconstruction(tmp_path, made)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["seconds"] > 0 and report["personalised"]["seconds"] == 0.0


@pytest.mark.parametrize("text", ["soon", "0s", "-3m"])
def test_an_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--personalise"):
        load_encoder("sherf-small", choose_backend("cpu"), text)


def test_the_template_model_cannot_be_personalised() -> None:
    with pytest.raises(BadInput, match="sherf-small"):
        load_encoder("template", choose_backend("cpu"), "10s")
    model = load_encoder("sherf-small", choose_backend("cpu"), "10s")
    assert isinstance(model, PersonalisingEncoder) and model.name == "sherf-small" and model.body_model == "openbody"
    assert "personalised 10 s" in model.identity
