"""Avatar files: complete, validated, and independent of the photo."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sherf.avatar.avatar_file import is_avatar, load_avatar, save_avatar
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.errors import BadInput
from sherf.models.template.bank import encode
from sherf.models.template.model import TemplateModel
from sherf.render.devices import choose_backend
from sherf.scene import Subject


@pytest.fixture(scope="module")
def avatar(subject: Subject, body: BodyModel) -> EncodedAvatar:
    in_bytes = (subject.image * 255).round() / 255
    return EncodedAvatar(
        encode(dataclasses.replace(subject, image=in_bytes), body), TemplateModel(), {"verdict": "good"}
    )


@pytest.fixture
def path(avatar: EncodedAvatar, tmp_path: Path) -> Path:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    return tmp_path / "avatar.safetensors"


def test_a_saved_avatar_renders_the_same_frame(avatar: EncodedAvatar, body: BodyModel, path: Path) -> None:
    assert is_avatar(path)
    again = load_avatar(path, body)
    assert again.report == avatar.report
    subject = avatar.bank.subject
    frames = [
        FieldRenderer(a, body, choose_backend("cpu")).frame(subject.camera, subject.pose) for a in (avatar, again)
    ]
    torch.testing.assert_close(frames[0].rgb, frames[1].rgb, atol=1e-6, rtol=0)


def test_a_photo_is_not_an_avatar() -> None:
    assert not is_avatar(Path(__file__).parents[2] / "examples" / "darknet_person.jpg")


def test_another_body_model_is_refused_by_name(body: BodyModel, path: Path) -> None:
    with pytest.raises(BadInput, match=r"'openbody'.*'smpl'"):
        load_avatar(path, dataclasses.replace(body, name="smpl"))


def _rewrite(path: Path, tensors: dict[str, torch.Tensor] | None = None, **header: str) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        before = file.metadata()
    save_file(load_file(path) if tensors is None else tensors, path, {**before, **header})


@pytest.mark.parametrize(
    ("header", "message"),
    [({"version": "99"}, "newer sherf"), ({"format": "else"}, "not an avatar"), ({"version": "x"}, "version 'x'")],
)
def test_other_formats_and_versions_are_refused(body: BodyModel, path: Path, header: dict, message: str) -> None:
    _rewrite(path, **header)
    with pytest.raises(BadInput, match=message):
        load_avatar(path, body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("joints", None),
        ("betas", torch.zeros(9)),
        ("T", torch.tensor([0.0, 0.0, torch.nan])),
        ("mask", torch.zeros(3, 3, dtype=torch.uint8)),
        ("fill", torch.zeros(7, 3)),
    ],
)
def test_missing_or_wrong_tensors_are_named(body: BodyModel, path: Path, name: str, value: torch.Tensor | None) -> None:
    tensors = load_file(path)
    del tensors[name]
    if value is not None:
        tensors[name] = value
    _rewrite(path, tensors)
    with pytest.raises(BadInput, match=name):
        load_avatar(path, body)


def test_a_truncated_file_is_damaged(body: BodyModel, path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput, match="damaged"):
        load_avatar(path, body)


def test_a_report_that_is_not_json_is_damaged(body: BodyModel, path: Path) -> None:
    _rewrite(path, report="{" + json.dumps("x"))
    with pytest.raises(BadInput, match="damaged"):
        load_avatar(path, body)
