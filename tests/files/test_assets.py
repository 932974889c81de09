"""Shipped files are used only if they match their recorded SHA-256."""

import hashlib
from pathlib import Path

import pytest

from sherf.errors import MissingAsset
from sherf.files.assets import asset_path, verify_assets, verify_file


def make_store(root: Path) -> Path:
    """Write two good files in two folders."""
    for folder, name in (("a", "one.bin"), ("b", "two.bin")):
        (root / folder).mkdir()
        (root / folder / name).write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        (root / folder / "SHA256SUMS").write_text(f"{digest}  {name}\n")
    return root


def test_everything_that_ships_is_as_recorded() -> None:
    results = verify_assets()
    assert {"pose/pose_detection.tflite", "pose/pose_landmark_heavy.tflite"} <= {name for name, _, _ in results}
    assert [(name, message) for name, is_good, message in results if not is_good] == []
    assert asset_path("pose/pose_landmark_heavy.tflite").stat().st_size > 20_000_000


def test_good_files_are_returned(tmp_path: Path) -> None:
    root = make_store(tmp_path)
    assert verify_file(root, "a/one.bin") == root / "a" / "one.bin"
    assert [(name, is_good) for name, is_good, _ in verify_assets(root)] == [("a/one.bin", True), ("b/two.bin", True)]


def test_damaged_missing_and_unlisted_files_are_named(tmp_path: Path) -> None:
    root = make_store(tmp_path)
    (root / "a" / "one.bin").write_bytes(b"other")
    (root / "b" / "two.bin").unlink()
    (root / "b" / "three.bin").write_bytes(b"three")
    for name, words in [("a/one.bin", "damaged"), ("b/two.bin", "missing"), ("b/three.bin", "not listed")]:
        with pytest.raises(MissingAsset, match=rf"{name} is {words}(.|\n)*Reinstall the package"):
            verify_file(root, name)
    assert [(name, is_good) for name, is_good, _ in verify_assets(root)] == [("a/one.bin", False), ("b/two.bin", False)]


def test_an_unknown_asset_is_an_error_every_time() -> None:
    for _ in range(2):
        with pytest.raises(MissingAsset, match=r"pose/nothing\.tflite is missing"):
            asset_path("pose/nothing.tflite")
