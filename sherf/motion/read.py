"""Read a motion by name or from a file."""

import difflib
import os
from functools import cache
from pathlib import Path

from sherf.errors import BadInput
from sherf.motion.motion import Motion
from sherf.motion.readers.recognise import read_motion_file

BUILTIN_FOLDER = Path(__file__).parent / "builtin"


@cache
def builtin_motions() -> tuple[str, ...]:
    """Return the names of the motions that ship, sorted."""
    return tuple(sorted(path.stem for path in BUILTIN_FOLDER.glob("*.npz")))


def read_motion(source: str | Path) -> Motion:
    """Read a built-in motion by its name, or a motion file.

    Files are recognised by their content: our own layout (`write_motion`), SMPL parameters as in AMASS, AIST++ and
    others (.npz, .npy, .json, .pkl), BVH, and animations of rigged glTF files.

    Args:
        source: a built-in name, which takes precedence, or a file; FILE#NAME or FILE#2 selects an animation of a glTF
            file.

    Returns:
        The motion in motion space: y up, metres, starting at the origin; `source` describes what was recognised.

    Raises:
        BadInput: there is no such motion or file, or the file does not hold a usable motion.
    """
    path, clip = split_clip(source)
    if str(source) in builtin_motions():
        path, clip = BUILTIN_FOLDER / f"{source}.npz", ""
    elif not os.path.isfile(path):  # unlike Path.is_file, False for names that are too long
        raise BadInput(_describe_unknown(str(source), path))
    return read_motion_file(path, clip)


def split_clip(source: str | Path) -> tuple[Path, str]:
    """Split FILE#CLIP into the file and the clip's name, if FILE exists and no file has the whole name.

    Args:
        source: a file, or FILE#CLIP.

    Returns:
        The file and the clip's name or number; an empty string selects none.
    """
    path, mark, clip = str(source).rpartition("#")
    if mark and os.path.isfile(path) and not os.path.isfile(source):
        return Path(path), clip
    return Path(source), ""


def _describe_unknown(name: str, path: Path) -> str:
    known = ", ".join(builtin_motions())
    close = difflib.get_close_matches(name.lower(), builtin_motions(), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    what = f"motion file {path} not found" if path.suffix else f"unknown motion {name!r}"
    return f"{what}.{hint}\nChoose one of: {known}; or give the path of a motion file or a video."
