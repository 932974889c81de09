"""Options of a motion. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MotionOptions:
    """How a motion is played."""

    motion_person: int | None = None
    """For a video: which person to follow, counted from 1, the largest first; the largest if not given."""
    in_place: bool = False
    """Remove horizontal travel, as on a treadmill."""
    speed: float = 1.0
    """Playback speed factor."""
    begin: float = 0.0
    """Where to start in the motion, seconds."""
    end: float | None = None
    """Where to stop in the motion, seconds; its end if not given."""
    loop: bool = False
    """Blend the end into the beginning, so that the motion loops without a jump."""
    smooth: float = 0.0
    """Smooth the motion: standard deviation of the Gaussian window in seconds, for example 0.1."""
