"""Files that ship with the package (`sherf.checkpoints`), each verified by its SHA-256 before its first use.

Every folder below `checkpoints/` that holds weights has a `SHA256SUMS` in the format of sha256sum.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from sherf.errors import MissingAsset
from sherf.files.digest import file_sha256

SUMS = "SHA256SUMS"
REPAIR = "Reinstall the package (or restore the file from the repository: git checkout -- checkpoints)."


class AssetCheck(NamedTuple):
    """The result of verifying one shipped file."""

    name: str
    """Path below the assets' folder."""
    is_good: bool
    message: str
    """What is wrong and how to fix it, or the file's size."""


def assets_root() -> Path:
    """Return the folder that `sherf.checkpoints` is installed in."""
    return Path(str(files("sherf.checkpoints")))


@cache
def asset_path(name: str) -> Path:
    """Return the path of a shipped file such as "pose/pose_landmark_heavy.tflite", verified on first use.

    Raises:
        MissingAsset: there is no such file, it has no recorded SHA-256, or its content does not match it.
    """
    return verify_file(assets_root(), name)


def verify_file(root: Path, name: str) -> Path:
    """Return the path of `name` below `root` after comparing its content with its folder's SHA256SUMS.

    Raises:
        MissingAsset: there is no such file, it has no recorded SHA-256, or its content does not match it.
    """
    path = root / name
    if not path.is_file():
        raise MissingAsset(f"the asset {name} is missing (looked for {path}).\n{REPAIR}")
    expected = _recorded_sums(path.parent).get(path.name)
    if expected is None:
        raise MissingAsset(
            f"the asset {name} is not listed in {path.parent / SUMS}, so it cannot be verified.\n{REPAIR}"
        )
    found = file_sha256(path)
    if found != expected:
        raise MissingAsset(
            f"the asset {name} is damaged: {path} ({path.stat().st_size} bytes) has SHA-256 {found[:12]}..., "
            f"expected {expected[:12]}....\n{REPAIR}"
        )
    return path


def verify_assets(root: Path | None = None) -> list[AssetCheck]:
    """Verify every file with a recorded SHA-256 below `root`, by default the shipped ones.

    Returns:
        One result per recorded file, in alphabetical order of the folders; nothing is raised for bad files.
    """
    root = root or assets_root()
    results = []
    for sums in sorted(root.rglob(SUMS)):
        for file_name in _recorded_sums(sums.parent):
            name = (sums.parent / file_name).relative_to(root).as_posix()
            try:
                size = verify_file(root, name).stat().st_size
                results.append(AssetCheck(name, True, f"{size / 1e6:.1f} MB, SHA-256 as recorded"))
            except MissingAsset as error:
                results.append(AssetCheck(name, False, str(error)))
    return results


def asset_record(name: str, root: Path | None = None) -> dict[str, str | int]:
    """Return an asset's recorded "sha256" (empty if there is none) and its size in "bytes", without reading it."""
    path = (root or assets_root()) / name
    size = path.stat().st_size if path.is_file() else 0
    return {"sha256": _recorded_sums(path.parent).get(path.name, ""), "bytes": size}


def _recorded_sums(folder: Path) -> dict[str, str]:
    """Return SHA-256 by file name, from the folder's SHA256SUMS."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name.lstrip(" *"): digest for digest, _, name in (line.partition(" ") for line in lines) if name}
