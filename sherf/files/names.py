"""Names from lists that others wrote: each must name a file or folder beside the others, never a place elsewhere."""

import unicodedata

from sherf.errors import BadInput

MAX_BYTES = 255
"""Longest name on the usual file systems, in UTF-8."""


def check_name(name: str, where: str) -> str:
    """Return a name that is safe to use as the name of a file or folder.

    Args:
        name: as the list gives it.
        where: the list and the line, for errors.

    Raises:
        BadInput: the name is empty, too long, `.` or `..`, or contains a path separator or a control character.
    """
    is_one_part = name not in ("", ".", "..") and "/" not in name and "\\" not in name
    is_text = not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    if is_one_part and is_text and len(name.encode()) <= MAX_BYTES:
        return name
    raise BadInput(
        f"{where}: {name[:80]!r} is not a valid name.\nTo fix this: write a name of at most {MAX_BYTES} bytes, not a "
        "path: / and \\ are not allowed."
    )
