"""Lengths of time as people write them."""

import re

from sherf.errors import BadInput

UNITS = {"s": 1, "m": 60, "h": 3600}


def read_duration(text: str, option: str) -> float:
    """Seconds of 90s, 30m or 2.5h.

    Args:
        option: whose value it is, for the message.

    Raises:
        BadInput: it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise BadInput(f"{option} {text!r} is no length of time: write 90s, 30m or 2.5h.")
    return float(found[1]) * UNITS[found[2]]
