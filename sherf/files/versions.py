"""Versions of file formats: every file says its own, older ones go on being read, newer ones are refused by name."""

import reprlib
from pathlib import Path
from typing import Any

from sherf import __version__
from sherf.errors import BadInput


def check_version(source: Path, version: Any, known: int) -> None:
    """Let pass what this program can read.

    Args:
        version: what the file says, a whole number from 1 on.
        known: the newest version that can be read.

    Raises:
        BadInput: the version is newer, or is none.
    """
    if type(version) is int and 1 <= version <= known:
        return
    is_newer = type(version) is int and version > known
    remedy = (
        "It was made by a newer sherf. Install a newer sherf here." if is_newer else "It is damaged: make it again."
    )
    raise BadInput(
        f"{source} is of format version {reprlib.repr(version)}; this is sherf {__version__}, which reads up to "
        f"{known}.\n{remedy}"
    )
