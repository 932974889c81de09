"""Limits of frames and renderings, checked before any work is done."""

from sherf.errors import BadInput
from sherf.export.video_writer import parse_colour
from sherf.render.options import RenderOptions

MIN_SIZE, MAX_SIZE = 16, 2048
"""Side of a frame, pixels."""
MAX_FRAMES = 20_000
MIN_CHUNK = 256
FPS_RANGE = (1, 120)


def check_rendering(options: RenderOptions, frames: int) -> None:
    """Refuse options that cannot be rendered.

    Raises:
        BadInput: the size, the number of frames, the frame rate, the background or the chunk is out of range, or two
            options exclude each other.
    """
    check_size(f"--size {options.size}", options.size)
    check_frames(frames)
    parse_colour(options.background)
    if options.chunk is not None and options.chunk < MIN_CHUNK:
        raise BadInput(f"--chunk {options.chunk} is not possible: choose at least {MIN_CHUNK} points.")
    if options.fast and options.exact:
        raise BadInput("--fast and --exact exclude each other: one renders the mesh, the other the radiance field.")
    least, most = FPS_RANGE
    if not least <= options.fps <= most:
        raise BadInput(f"--fps {options.fps:g} is not possible: choose {least} to {most} frames per second.")


def check_size(description: str, *sides: int) -> None:
    """Refuse frames that are too small or too large.

    Args:
        description: what has this size, for the message.
        sides: of the frame, pixels.

    Raises:
        BadInput: a side is out of range.
    """
    if not all(MIN_SIZE <= side <= MAX_SIZE for side in sides):
        raise BadInput(f"{description} is not possible: choose {MIN_SIZE} to {MAX_SIZE} pixels.")


def check_frames(frames: int) -> None:
    """Refuse an impossible number of frames.

    Raises:
        BadInput: it is out of range.
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise BadInput(f"{frames} frames are not possible: choose --frames from 1 to {MAX_FRAMES}.")
