"""Importing the published snapshot: correct results, rejection of bad files, and no code execution."""

import hashlib
import io
import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile import assert_rejected, hostile_snapshots
from published_file import SOURCE, TINY, UNUSED, full_tensors, snapshot, tiny_tensors
from running import run_in_process, run_process
from torch import Tensor

from sherf.errors import BadInput, OutputError
from sherf.models.checkpoint import load_checkpoint, read_about
from sherf.models.config import PAPER
from sherf.models.paper.network import PaperNetwork
from sherf.models.published.import_checkpoint import import_checkpoint
from sherf.models.published.names import from_published
from sherf.models.published.snapshot import read_network

ROOT = Path(__file__).parents[3]
STAND_IN_PACKAGES = ("training", "torch_utils", "dnnlib", "spconv", "chumpy")


def assert_holds(model: PaperNetwork, published: dict[str, Tensor]) -> None:
    """Check that every weight equals the published one exactly."""
    expected = from_published(published, model.config)
    state = model.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.pkl"
    path.write_bytes(snapshot(tiny_tensors()))
    return path


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"protocol": 0},
        {"protocol": 2},
        {"protocol": 3},
        {"protocol": 5},
        {"storages": "zip"},
        {"device": "cuda:0"},
        {"device": "cuda:0", "storages": "zip"},
        {"whole": "zip", "device": "cuda:0"},
        {"whole": "legacy"},
    ],
    ids=str,
)
def test_all_snapshot_layouts_are_read(tmp_path: Path, written: dict[str, Any]) -> None:
    path, tensors = tmp_path / "network.pkl", tiny_tensors()
    content = snapshot(tensors, **written)
    path.write_bytes(content)
    if "whole" not in written:
        assert SOURCE.encode() in content and written.get("device", "cpu").encode() in content
    read = read_network(path, "G")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].device.type == "cpu" and torch.equal(read[name], tensor)
    assert not {name.split(".")[0] for name in sys.modules} & set(STAND_IN_PACKAGES)


def test_the_network_is_selectable_and_recorded(tmp_path: Path) -> None:
    path, average = tmp_path / "network.pkl", tiny_tensors(seed=1)
    path.write_bytes(snapshot(tiny_tensors(), average))
    for network, tensors in (("G", tiny_tensors()), ("G_ema", average)):
        out = tmp_path / f"{network}.safetensors"
        imported = import_checkpoint(path, out, network, config=TINY)
        assert imported.ignored == len(UNUSED) and imported.taken == len(tensors) - len(UNUSED)
        assert_holds(load_checkpoint(out), tensors)
        about = read_about(out)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert about["source"] == {"file": "network.pkl", "sha256": digest, "network": network}
        assert about["body_model"] == "smpl" and about["config"]["encoder_width"] == TINY.encoder_width
        assert str(tmp_path) not in json.dumps(about)


def test_views_of_a_shared_storage_are_copied(tmp_path: Path) -> None:
    """A transposed and an offset view are read correctly, each with its own memory."""
    tensors, name = tiny_tensors(), "decoder.feature_linear.weight"
    storage = torch.randn(200)
    tensors[name] = storage[8:72].view(8, 8).T
    tensors["decoder.feature_linear.bias"] = storage[100:116:2]
    path = tmp_path / "network.pkl"
    for whole in ("pickle", "zip"):
        path.write_bytes(snapshot(tensors, whole=whole))
        read = read_network(path, "G")
        assert torch.equal(read[name], tensors[name]) and read[name].is_contiguous()
        assert read[name].untyped_storage().nbytes() == 4 * 64


def test_the_published_size_is_imported_by_the_command(tmp_path: Path) -> None:
    """All 563 tensors, 56 million numbers, in a separate process."""
    path, out, tensors = tmp_path / "network.pkl", tmp_path / "new" / "x.safetensors", full_tensors()
    path.write_bytes(snapshot(tensors, {}, device="cuda:0"))
    done = run_process("import-checkpoint", path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["316 tensors imported, 247 ignored", str(out)]
    model = load_checkpoint(out)
    assert model.config == PAPER
    assert_holds(model, tensors)


def test_files_that_are_not_snapshots_are_rejected(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    cuts = [whole[:n] for n in (1, 10, 1000, len(whole) // 2, len(whole) - 1)]
    save = io.BytesIO()
    torch.save({"G": 1}, save)
    state_dict = pickle.dumps(tiny_tensors())
    other = [b"\x89PNG\r\n\x1a\n", b"no snapshot", pickle.dumps([1, 2]), save.getvalue(), save.getvalue()[:100]]
    for content in [*cuts, *other, b"PK\x05\x06" + 18 * b"\0", b"PK\x03\x04", state_dict]:
        file.write_bytes(content)
        assert_rejected(file, "cannot be imported")
    file.write_bytes(b"")
    assert_rejected(file, "empty")
    with pytest.raises(BadInput, match="No such file"):
        import_checkpoint(tmp_path / "none.pkl", tmp_path / "out.safetensors")
    with pytest.raises(BadInput, match="not a file"):
        import_checkpoint(tmp_path, tmp_path / "out.safetensors")


def test_the_error_for_a_missing_network_lists_the_contents(tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps({"D": None, "G_ema": None}))
    assert_rejected(path, "does not contain the network 'G' .found: D, G_ema")
    path.write_bytes(pickle.dumps({"G": None}))
    assert_rejected(path, "the network is not a module")


BAD_TENSORS: dict[str, tuple[Callable[[dict], Any], str]] = {
    "missing": (lambda t: t.pop("decoder.rgb_linear.bias"), "decoder.rgb_linear.bias is missing"),
    "another shape": (lambda t: t.update({"decoder.rgb_linear.bias": torch.ones(4)}), "decoder.rgb_linear.bias has sh"),
    "not a number": (lambda t: t["decoder.alpha_linear.bias"].fill_(torch.nan), "decoder.alpha_linear.bias holds num"),
    "infinite": (lambda t: t["decoder.alpha_linear.bias"].fill_(torch.inf), "decoder.alpha_linear.bias holds num"),
    "another network": (lambda t: [t.clear(), t.update({"a.weight": torch.ones(2)})], "is missing"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_networks_of_another_architecture_are_rejected_by_tensor_name(tmp_path: Path, case: str) -> None:
    damage, message = BAD_TENSORS[case]
    tensors, path = tiny_tensors(), tmp_path / "network.pkl"
    damage(tensors)
    path.write_bytes(snapshot(tensors))
    assert_rejected(path, message)


def test_existing_files_are_replaced_only_with_overwrite(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "x.safetensors"
    out.write_text("mine")
    with pytest.raises(BadInput, match="--overwrite"):
        import_checkpoint(file, out, config=TINY)
    assert out.read_text() == "mine"
    import_checkpoint(file, out, overwrite=True, config=TINY)
    load_checkpoint(out)
    import_checkpoint(file, out, overwrite=True, config=TINY)
    before = out.read_bytes()
    file.write_bytes(b"damaged")
    with pytest.raises(BadInput):
        import_checkpoint(file, out, overwrite=True, config=TINY)
    assert out.read_bytes() == before, "a failed import keeps the existing file"
    load_checkpoint(out)


def test_unwritable_paths_are_reported(tmp_path: Path, file: Path) -> None:
    with pytest.raises(BadInput, match="has to end with"):
        import_checkpoint(file, tmp_path / "x.pt", config=TINY)
    with pytest.raises(OutputError):
        import_checkpoint(file, file / "x.safetensors", config=TINY)
    renamed = file.rename(tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="is the file to import"):
        import_checkpoint(renamed, renamed, overwrite=True, config=TINY)
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        with pytest.raises(OutputError, match="permission denied"):
            import_checkpoint(renamed, locked / "y.safetensors", config=TINY)
        assert not list(locked.iterdir())


def test_missing_folders_are_created_only_on_success(tmp_path: Path, file: Path) -> None:
    import_checkpoint(file, tmp_path / "a" / "b" / "x.safetensors", config=TINY)
    file.write_bytes(b"damaged")
    with pytest.raises(BadInput):
        import_checkpoint(file, tmp_path / "c" / "x.safetensors", config=TINY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "network.pkl"]


@pytest.mark.parametrize("case", ["in an archive", "a network of another size"])
def test_the_command_reports_errors_without_a_traceback(tmp_path: Path, case: str) -> None:
    canary, path, out = tmp_path / "canary", tmp_path / "network.pkl", tmp_path / "x.safetensors"
    content = {**hostile_snapshots(canary), "a network of another size": snapshot(tiny_tensors())}[case]
    path.write_bytes(content)
    done = run_in_process("import-checkpoint", path, "--out", out)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {path} cannot be imported") and "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["network.pkl"]
