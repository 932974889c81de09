"""Durations as text: 90s, 30m, 2.5h."""

import re

from sherf.errors import BadInput

UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str, option: str) -> float:
    """Convert a duration such as 90s, 30m or 2.5h to seconds.

    Args:
        text: a positive number and one of the units s, m and h.
        option: the command-line option that it comes from, for the error message.

    Returns:
        Seconds.

    Raises:
        BadInput: the text is not such a duration, or not positive.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise BadInput(f"{option} {text!r} is not a duration: write for example 90s, 30m or 2.5h.")
    return float(found[1]) * UNITS[found[2]]
