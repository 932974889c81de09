"""Options of a motion. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MotionOptions:
    """How a motion is played."""

    motion_person: int | None = None
    """Of a video: which person, counted from 1, the largest first; the largest if not given."""
    in_place: bool = False
    """Stay on the spot, as on a treadmill."""
    speed: float = 1.0
    """How many times as fast."""
    begin: float = 0.0
    """Seconds of the motion to leave out at its beginning."""
    end: float | None = None
    """Second of the motion at which to stop; its end if not given."""
    loop: bool = False
    """Blend the end into the beginning, so that the motion comes round without a jump."""
    smooth: float = 0.0
    """Average the motion over so many seconds (a Gaussian's standard deviation), as 0.1."""
