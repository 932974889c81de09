"""What a power cut can leave of a file."""

from collections.abc import Callable


def _zeroed(start: float, end: float) -> Callable[[bytes], bytes]:
    """Return a function that replaces a file's content between two shares of its length by zeros."""

    def zero(content: bytes) -> bytes:
        first, last = round(start * len(content)), round(end * len(content))
        return content[:first] + bytes(last - first) + content[last:]

    return zero


POWER_CUTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros": _zeroed(0, 1),
    "zeros in the middle": _zeroed(0.5, 0.75),
    "zeros at the end": _zeroed(0.75, 1),
}
"""By description: turns the content that was written into the one that is found."""
