"""Versions of file formats: each file names its own; older ones can still be read, newer ones are refused."""

import reprlib
from pathlib import Path
from typing import Any

from sherf import __version__
from sherf.errors import BadInput


def check_version(source: Path, version: Any, known: int) -> None:
    """Refuse a file whose format version this program cannot read.

    Args:
        source: the file, for the error message.
        version: what the file gives as its version, of any type; valid are whole numbers from 1 on.
        known: the newest version that can be read.

    Raises:
        BadInput: the version is newer than `known`, or not a valid version.
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
