"""Safe reading of users' videos: upright frames at a constant rate, of bounded size, with clear errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from sherf.errors import BadInput
from sherf.progress import print_status

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_SECONDS = 120.0
MICROSECONDS = 1e6  # per second: the unit of FFmpeg's durations
MAX_FPS = 30.0
MAX_BYTES = 2**31
MAX_PIXELS = 10_000_000  # per frame; 4K has 8.8 million
MAX_FRAMES = 30_000  # two minutes at 250 frames a second
FORMATS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,gif,flv,ogg"
"""FFmpeg's demuxers that are allowed: others read playlists, which name more files, or run scripts."""
LONG_SIDE = 1280  # px: longer sides are reduced to this; the landmark model sees a person at 256 px
SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".3gp")
USE_INSTEAD = "Use an MP4, MOV, WebM, MKV or AVI of at most two minutes."


@dataclass(frozen=True)
class VideoInfo:
    """The properties of a video as it will be read."""

    size: tuple[int, int]
    """Height and width of the frames as read, px."""
    fps: float
    """Frames a second as read: the file's mean rate, at most `MAX_FPS`."""
    seconds: float | None
    """Duration, if the header has it."""


def is_video(path: Path) -> bool:
    """Return whether a file has a video's suffix, or FFmpeg finds a video stream in it; still images do not count."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with _open_container(path) as container:
            return bool(container.streams.video)
    except BadInput:
        return False


def video_info(path: Path) -> VideoInfo:
    """Return a video's properties, from its header and its first frame.

    Raises:
        BadInput: the file is not a readable video, or longer than `MAX_SECONDS`.
    """
    first = next(_decode_frames(path), None)
    if first is None:
        raise BadInput(f"{path} has no readable frame.\n{USE_INSTEAD}")
    with _open_container(path) as container:
        stream = container.streams.video[0]
        seconds = None if container.duration is None else container.duration / MICROSECONDS
        rate = float(stream.average_rate or stream.guessed_rate or MAX_FPS)
    if seconds is not None and seconds > MAX_SECONDS:
        raise BadInput(
            f"{path} is {seconds:.0f} s long; at most {MAX_SECONDS:.0f} s are accepted.\nCut out the part you want."
        )
    height, width = first[1].shape[:2]
    return VideoInfo((height, width), min(max(rate, 1.0), MAX_FPS), seconds)


def read_video(path: Path, fps: float) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Resample a video to a constant frame rate: at each time the last frame shown before it.

    A damaged remainder and what exceeds `MAX_SECONDS` are skipped, with a printed warning.

    Args:
        path: the video file.
        fps: frames a second to read.

    Yields:
        sRGB frames, upright, at most `LONG_SIDE` px on the longer side.

    Raises:
        BadInput: the file is not a readable video, is damaged before its first frame, or has too many frames.
    """
    current, count, start = None, 0, 0.0
    for time, frame in _decode_frames(path):
        if current is None:
            start = time
        while current is not None and start + count / fps < time - 1e-6:
            yield current
            count += 1
            if count >= MAX_SECONDS * fps:
                print_status(
                    f"{path.name}: longer than {MAX_SECONDS:.0f} s; only the first {count} frames are used. "
                    "Cut out the part you want."
                )
                return
        current = frame
    if current is not None:
        yield current


def _open_container(path: Path) -> "InputContainer":
    """Return a video opened by FFmpeg as a local file only: URLs, playlists and images are refused.

    Raises:
        BadInput: the file is missing, too large, or not a video of an allowed format.
    """
    import av

    try:
        size = path.stat().st_size
        if not path.is_file() or size > MAX_BYTES:
            raise BadInput(f"{path} is not a regular file of at most {MAX_BYTES >> 30} GB.\n{USE_INSTEAD}")
        restrictions = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        return av.open(f"file:{path}", options=restrictions, metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as a video: {error}.\n{USE_INSTEAD}") from error


def _decode_frames(path: Path) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
    """Yield the time of each frame, seconds, and the frame, upright and reduced to `LONG_SIDE`.

    Raises:
        BadInput: the file is not a readable video, is damaged before its first frame, or has too many frames.
    """
    import av

    with _open_container(path) as container:
        if not container.streams.video:
            raise BadInput(f"{path} has no video stream.\n{USE_INSTEAD}")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise BadInput(f"{path} has an unsupported video codec.\n{USE_INSTEAD}")
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        last, read = -1.0, 0
        try:
            for frame in container.decode(stream):
                time = last + 1 / MAX_FPS if frame.time is None else float(frame.time)
                last, read = time, read + 1
                if read > MAX_FRAMES:
                    raise BadInput(f"{path} has more than {MAX_FRAMES} frames.\nCut out the part you want.")
                scale = min(1.0, LONG_SIDE / max(frame.width, frame.height))
                width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
                pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
                yield time, np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
        except (av.FFmpegError, ValueError) as error:
            if read == 0:
                raise BadInput(
                    f"{path} is damaged, or its frames have more than {MAX_PIXELS / 1e6:.0f} megapixels: {error}.\n"
                    f"{USE_INSTEAD}"
                ) from error
            print_status(f"{path.name}: damaged after {read} frames ({error}); only these are used.")
