"""Avatars of networks: encoded once, saved completely, rendered without photo and encoder."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from running import run_in_process
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sherf.avatar.avatar_file import load_avatar, save_avatar
from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.avatar.renderer import FieldRenderer
from sherf.benchmark.published_inputs import published_box_rays, published_camera
from sherf.body.body_model import BodyModel
from sherf.errors import BadInput
from sherf.models.checkpoint import save_checkpoint
from sherf.models.config import SherfConfig
from sherf.models.paper.network import PaperNetwork
from sherf.render.box import box_rays
from sherf.render.devices import choose_backend
from sherf.render.torch_backend import BruteForceVertices
from sherf.render.vertex_tree import VertexTree
from sherf.scene import Subject

PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"
SMALL = SherfConfig(
    name="tiny", body_model="openbody", encoder_width=16, plane_resolution=16, synthesis_base=128, synthesis_most=32,
    volume_channels=(8, 8, 8), token_width=16, decoder_width=32, decoder_depth=6,
)  # fmt: skip


def network(config: SherfConfig = SMALL) -> PaperNetwork:
    torch.manual_seed(0)
    made = PaperNetwork(config).eval()
    with torch.no_grad():
        made.decoder.density.bias.fill_(60.0)  # solid near the body
    return made


@pytest.fixture(scope="module")
def avatar(subject: Subject, body: BodyModel) -> EncodedAvatar:
    in_bytes = dataclasses.replace(subject, image=(subject.image * 255).round() / 255)
    return ModelEncoder(network(), choose_backend("cpu"), "x").encode(in_bytes, body, {"verdict": "good"})


@pytest.fixture
def path(avatar: EncodedAvatar, tmp_path: Path) -> Path:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    return tmp_path / "avatar.safetensors"


def test_a_saved_avatar_renders_the_same_frame_without_encoder(
    avatar: EncodedAvatar, body: BodyModel, path: Path
) -> None:
    again = load_avatar(path, body)
    assert isinstance(again.model, PaperNetwork) and again.model.encoder is None and again.report == avatar.report
    subject = avatar.bank.subject
    frames = [
        FieldRenderer(a, body, choose_backend("cpu")).frame(subject.camera, subject.pose) for a in (avatar, again)
    ]
    torch.testing.assert_close(frames[0].rgb, frames[1].rgb, atol=1e-5, rtol=0)
    inside = frames[0].opacity > 0.99
    assert 0.5 < float((inside & (subject.mask > 0)).sum() / (subject.mask > 0).sum()) <= 1
    assert float(frames[0].depth[inside].min()) > 2


@pytest.mark.parametrize("levels", [("global",), ("point",), ("pixel",), ("global", "pixel")])
def test_each_feature_level_can_be_disabled(subject: Subject, body: BodyModel, tmp_path: Path, levels: tuple) -> None:
    """The paper's ablation: a disabled level has no encoder, and the file has no features of it."""
    model = network(dataclasses.replace(SMALL, levels=levels))
    avatar = ModelEncoder(model, choose_backend("cpu"), "x").encode(subject, body, {})
    save_avatar(avatar, tmp_path / "a.safetensors")
    names = set(load_file(tmp_path / "a.safetensors"))
    assert ("planes" in names, "volume0.features" in names, "pixels" in names) == tuple(
        level in levels for level in ("global", "point", "pixel")
    )
    frame = FieldRenderer(load_avatar(tmp_path / "a.safetensors", body), body, choose_backend("cpu")).frame(
        subject.camera, subject.pose
    )
    assert float(frame.opacity.max()) > 0.9 and bool(frame.rgb.isfinite().all())


def _rewrite(path: Path, tensors: dict[str, torch.Tensor], **header: str) -> None:
    with safe_open(path, framework="pt") as file:
        before = file.metadata()
    save_file(tensors, path, {**before, **header})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("planes", None),
        ("pixels", torch.zeros(3, 4, 4)),
        ("volume1.sites", torch.full((5, 3), 10**6, dtype=torch.int32)),
        ("network.decoder.density.weight", torch.full((1, 32), torch.nan)),
        ("vertices", torch.zeros(7, 3)),
    ],
)
def test_missing_or_wrong_tensors_are_named(body: BodyModel, path: Path, name: str, value: torch.Tensor | None) -> None:
    tensors = load_file(path)
    del tensors[name]
    if value is not None:
        tensors[name] = value
    tensors["volume1.features"] = tensors["volume1.features"][: len(tensors["volume1.sites"])].contiguous()
    _rewrite(path, tensors)
    with pytest.raises(BadInput, match=name.removesuffix(".sites")):
        load_avatar(path, body)


def test_a_configuration_of_a_newer_version_is_refused(body: BodyModel, path: Path) -> None:
    _rewrite(path, load_file(path), config=json.dumps({"decoder_width": 32, "wings": 2}))
    with pytest.raises(BadInput, match=r"wings[\s\S]*newer"):
        load_avatar(path, body)


def test_box_rays_agree_with_the_published_ones(subject: Subject, body: BodyModel) -> None:
    vertices = body.pose(subject.pose).vertices
    ours = box_rays(subject.camera, vertices)
    theirs = published_box_rays(vertices.numpy(), published_camera(subject.camera), subject.camera.size)
    hit = torch.from_numpy(theirs.hit)
    assert float(((ours.far > ours.near) != hit).float().mean()) < 1e-4
    both = hit & (ours.far > ours.near)
    for mine, published in ((ours.near, theirs.near), (ours.far, theirs.far)):
        torch.testing.assert_close(mine[both], torch.from_numpy(published)[both], atol=2e-5, rtol=0)
    torch.testing.assert_close(ours.directions, torch.from_numpy(theirs.directions), atol=1e-5, rtol=0)


def test_the_vertex_tree_agrees_with_brute_force(body: BodyModel) -> None:
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    every, tree = BruteForceVertices(body.v_template)(points), VertexTree(body.v_template)(points)
    distances = [(points - body.v_template[found]).norm(dim=1) for found in (every, tree)]
    torch.testing.assert_close(*distances, atol=1e-6, rtol=0)
    assert float((every == tree).float().mean()) > 0.99


def test_a_subject_is_encoded_once_and_the_avatar_rendered(people: Path, tmp_path: Path) -> None:
    """On the command line: from a subject and a checkpoint, again from the cached avatar, and from the avatar alone."""
    save_checkpoint(network(), tmp_path / "tiny.safetensors", {})
    small = ("--size", "64", "--frames", "2")
    out = tmp_path / "a"
    done = run_in_process("render", people / "000008", "--model", tmp_path / "tiny.safetensors", *small, "--out", out)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["model"] == "tiny" and report["body_model"] == "openbody"
    before = (out / "avatar.safetensors").stat().st_mtime_ns
    again = run_in_process("render", people / "000008", "--model", tmp_path / "tiny.safetensors", *small, "--out", out)
    assert again.returncode == 0 and (out / "avatar.safetensors").stat().st_mtime_ns == before
    (tmp_path / "tiny.safetensors").unlink()
    avatar = out / "avatar.safetensors"
    done = run_in_process(
        "animate", avatar, "--motion", "walk", "--size", "64", "--frames", "2", "--out", tmp_path / "b"
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "b/frames").glob("*.png"))) == 2


def test_a_model_of_another_body_model_is_refused_naming_both(tmp_path: Path) -> None:
    other = dataclasses.replace(SMALL, body_model="smpl")
    save_checkpoint(network(other), tmp_path / "other.safetensors", {})
    options = ("--model", tmp_path / "other.safetensors", "--out", tmp_path / "out")
    done = run_in_process("render", PHOTO, *options, "--body-model", "openbody")
    assert done.returncode == 1 and "'smpl'" in done.stderr and "'openbody'" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out/avatar.safetensors").exists()


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    done = run_in_process("render", PHOTO, "--model", "nowhere.safetensors", "--out", tmp_path / "out")
    assert done.returncode == 1 and "nowhere.safetensors" in done.stderr and "Traceback" not in done.stderr
