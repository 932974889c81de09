"""Files that ship with the package (`sherf.checkpoints`), each held to its SHA-256 before its first use.

Every folder below `checkpoints/` that holds weights has a `SHA256SUMS` in the format of sha256sum.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path

from sherf.errors import MissingAsset
from sherf.files.digest import file_sha256

SUMS = "SHA256SUMS"
REPAIR = "Install the package again (or restore the file from the repository: git checkout -- checkpoints)."


def assets_root() -> Path:
    """The folder that `sherf.checkpoints` is installed in."""
    return Path(str(files("sherf.checkpoints")))


@cache
def asset_path(name: str) -> Path:
    """The file of a shipped asset such as "pose/pose_landmark_heavy.tflite", checked on first use.

    Raises:
        MissingAsset: no such file, no recorded SHA-256, or the content does not match it.
    """
    return checked_file(assets_root(), name)


def checked_file(root: Path, name: str) -> Path:
    """The file `name` below `root`, after comparing its content with its folder's SHA256SUMS."""
    path = root / name
    if not path.is_file():
        raise MissingAsset(f"the asset {name} is missing (looked for {path}).\n{REPAIR}")
    expected = _recorded_sums(path.parent).get(path.name)
    if expected is None:
        raise MissingAsset(f"the asset {name} is not listed in {path.parent / SUMS}: it cannot be trusted.\n{REPAIR}")
    found = file_sha256(path)
    if found != expected:
        raise MissingAsset(
            f"the asset {name} is damaged: {path} ({path.stat().st_size} bytes) has SHA-256 {found[:12]}..., "
            f"expected {expected[:12]}....\n{REPAIR}"
        )
    return path


def verify_assets(root: Path | None = None) -> list[tuple[str, bool, str]]:
    """Check every recorded asset: (name, is it good, what is wrong or its size)."""
    root = root or assets_root()
    results = []
    for sums in sorted(root.rglob(SUMS)):
        for file_name in _recorded_sums(sums.parent):
            name = (sums.parent / file_name).relative_to(root).as_posix()
            try:
                size = checked_file(root, name).stat().st_size
                results.append((name, True, f"{size / 1e6:.1f} MB, SHA-256 as recorded"))
            except MissingAsset as error:
                results.append((name, False, str(error)))
    return results


def asset_record(name: str, root: Path | None = None) -> dict[str, str | int]:
    """What is recorded and there of an asset, without reading it: SHA-256 as it should be, size in bytes."""
    path = (root or assets_root()) / name
    size = path.stat().st_size if path.is_file() else 0
    return {"sha256": _recorded_sums(path.parent).get(path.name, ""), "bytes": size}


def _recorded_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name, from the folder's SHA256SUMS."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name.lstrip(" *"): digest for digest, _, name in (line.partition(" ") for line in lines) if name}
