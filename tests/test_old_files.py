"""Files of earlier versions can still be read, with the same result; files of later versions are refused as such."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from stage import camera_in_front, standing

from sherf.avatar.avatar_file import is_avatar, load_avatar, read_avatar
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.datasets.openpeople.store import read_manifest
from sherf.errors import BadInput
from sherf.models.checkpoint import load_checkpoint
from sherf.motion.read import read_motion
from sherf.motion.resample import trim
from sherf.photo.fit_file_reader import read_fit_file
from sherf.render.devices import choose_backend
from sherf.training.state import read_header

OLD = Path(__file__).parent / "data" / "old"
PHOTO_SHA256 = "220a7d6b34424c1df74b7eab707a437fe6eb93f97f9eaae15e3d5d0a6ebd2fa2"
SHOWN = {
    "template": (0.07123, 0.11779, 0.09598, 0.14501),
    "network": (0.08141, 0.11376, 0.10020, 0.15946),
    "completed": (0.07812, 0.09458, 0.08160, 0.13795),
}
"""Mean red, green, blue and opacity of a small frame, rendered when the files were written."""


@pytest.mark.parametrize("kind", SHOWN)
def test_an_old_avatar_renders_as_before(body: BodyModel, kind: str) -> None:
    path = OLD / f"avatar_{kind}.safetensors"
    assert is_avatar(path)
    avatar = load_avatar(path, body)
    frame = FieldRenderer(avatar, body, choose_backend("cpu")).frame(
        camera_in_front((32, 24)), standing(math.radians(20))
    )
    shown = [*frame.rgb.mean(dim=(1, 2)).tolist(), float(frame.opacity.mean())]
    assert shown == pytest.approx(SHOWN[kind], abs=0.005)
    assert avatar.report["verdict"] == "good"


def test_an_old_avatar_keeps_what_it_was_completed_with(body: BodyModel) -> None:
    """A raised surface, a layer (its hat), and a displaced body."""
    bank = load_avatar(OLD / "avatar_completed.safetensors", body).bank
    assert bank.layer is not None and len(bank.layer.rest) == 134
    assert float(bank.raised.max()) == pytest.approx(0.0194, abs=1e-3)
    assert float(bank.subject.pose.displacement.norm(dim=1).max()) == pytest.approx(0.01477, abs=1e-4)


def test_an_old_checkpoint_loads() -> None:
    network = load_checkpoint(OLD / "checkpoint.safetensors")
    assert network.config.name == "tiny" and network.config.anchor == "surface"
    assert sum(x.numel() for x in network.state_dict().values()) == 39196


def test_an_old_fit_can_be_continued() -> None:
    found = read_fit_file(OLD / "fit.json", PHOTO_SHA256, (1080, 720), "openbody")
    assert found.start is not None and found.person == 1
    assert found.start.pose.betas.tolist() == pytest.approx(json.loads((OLD / "fit.json").read_text())["fit"]["betas"])


def test_an_old_motion_plays() -> None:
    motion = read_motion(OLD / "motion.npz")
    assert (motion.name, len(motion), motion.fps) == ("walk", 8, 30)
    torch.testing.assert_close(motion.joints, trim(read_motion("walk"), 0, 8).joints, atol=1e-5, rtol=0)


def _header(path: Path, **changes: str) -> None:
    with safe_open(path, framework="pt") as file:
        before = file.metadata() or {}
    save_file(load_file(path), path, {**before, **changes})


def _json(path: Path, **changes: int) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _avatar(folder: Path) -> None:
    path = folder / "avatar_template.safetensors"
    _header(path, version="4")
    read_avatar(path)


def _checkpoint(folder: Path) -> None:
    _json(folder / "checkpoint.json", version=3)
    load_checkpoint(folder / "checkpoint.safetensors")


def _fit(folder: Path) -> None:
    _json(folder / "fit.json", version=2)
    read_fit_file(folder / "fit.json", PHOTO_SHA256, (1080, 720), "openbody")


def _motion(folder: Path) -> None:
    path = folder / "motion.npz"
    np.savez(path, **np.load(path), version=np.int64(2))
    read_motion(path)


def _state(folder: Path) -> None:
    path = folder / "state.safetensors"
    about = {"format": "sherf-training-state", "version": 2, "settings": {}}
    save_file({"x": torch.zeros(1)}, path, {"about": json.dumps(about)})
    read_header(path)


def _people(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"people": {}, "plan": {"layout": 2}}))
    read_manifest(folder)


@pytest.mark.parametrize("read", [_avatar, _checkpoint, _fit, _motion, _state, _people])
def test_a_newer_file_is_refused_with_a_remedy(tmp_path: Path, read: Callable[[Path], None]) -> None:
    shutil.copytree(OLD, tmp_path / "new")
    with pytest.raises(BadInput, match=r"format version \d; this is sherf .*\n.*made by a newer sherf"):
        read(tmp_path / "new")


def test_an_invalid_version_counts_as_damage(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "new")
    (tmp_path / "new" / "fit.json").write_text(json.dumps({"format": "sherf-fit-1", "version": "one"}))
    with pytest.raises(BadInput, match="damaged"):
        read_fit_file(tmp_path / "new" / "fit.json", "", (1, 1), "openbody")
