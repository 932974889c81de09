"""Reading a user's video: upright pictures at an even rate, of bounded size - or a sentence about what is wrong."""

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
MICROSECONDS = 1e6  # FFmpeg counts durations in them
MAX_FPS = 30.0
MAX_BYTES = 2**31
MAX_PIXELS = 10_000_000  # of one picture; 4K has 8.8 million
MAX_PICTURES = 30_000  # two minutes at 250 a second
FORMATS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,gif,flv,ogg"
"""FFmpeg's demuxers that may look at a file: others read playlists, which name more files, or run scripts."""
LONG_SIDE = 1280  # px: the detector looks at 256 of a person
SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".3gp")
USE_INSTEAD = "Use an MP4, MOV, WebM, MKV or AVI of at most two minutes."


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself."""

    size: tuple[int, int]
    """Height and width of its pictures as they are read, px."""
    fps: float
    """At which they are read: its own mean rate, at most `MAX_FPS`."""
    seconds: float | None
    """How long it plays, if it says so."""


def is_video(path: Path) -> bool:
    """Whether a file calls itself a video, or FFmpeg finds one in it; pictures are none."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with _opened(path) as container:
            return bool(container.streams.video)
    except BadInput:
        return False


def video_info(path: Path) -> VideoInfo:
    """Read the header, and one picture for the size.

    Raises:
        BadInput: it is no video, or longer than `MAX_SECONDS`.
    """
    first = next(_pictures(path), None)
    if first is None:
        raise BadInput(f"{path} holds no picture that can be read.\n{USE_INSTEAD}")
    with _opened(path) as container:
        stream = container.streams.video[0]
        seconds = None if container.duration is None else container.duration / MICROSECONDS
        rate = float(stream.average_rate or stream.guessed_rate or MAX_FPS)
    if seconds is not None and seconds > MAX_SECONDS:
        raise BadInput(
            f"{path} plays {seconds:.0f} s; a motion may take {MAX_SECONDS:.0f} s.\nCut out the part you want."
        )
    return VideoInfo(first[1].shape[:2], min(max(rate, 1.0), MAX_FPS), seconds)


def read_video(path: Path, fps: float) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Pictures at an even rate, whatever the file's: for each moment the last one shown before it.

    Raises:
        BadInput: it is no video, or damaged before its first picture. A damaged rest, or what lies beyond
            `MAX_SECONDS`, is left out, and said.
    """
    shown, count, begin = None, 0, 0.0
    for moment, picture in _pictures(path):
        if shown is None:
            begin = moment
        while shown is not None and begin + count / fps < moment - 1e-6:
            yield shown
            count += 1
            if count >= MAX_SECONDS * fps:
                print_status(
                    f"{path.name}: longer than {MAX_SECONDS:.0f} s; its first {count} pictures are taken. "
                    "Cut out the part you want."
                )
                return
        shown = picture
    if shown is not None:
        yield shown


def _opened(path: Path) -> "InputContainer":
    """By FFmpeg, as a file and nothing else: no address, no playlist, no picture.

    Raises:
        BadInput: it is no video of a known kind.
    """
    import av

    try:
        size = path.stat().st_size
        if not path.is_file() or size > MAX_BYTES:
            raise BadInput(f"{path} is no file of at most {MAX_BYTES >> 30} GB.\n{USE_INSTEAD}")
        only = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        return av.open(f"file:{path}", options=only, metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as a video: {error}.\n{USE_INSTEAD}") from error


def _pictures(path: Path) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
    """Each picture and when it is shown, seconds."""
    import av

    with _opened(path) as container:
        if not container.streams.video:
            raise BadInput(f"{path} holds no pictures, only sound or text.\n{USE_INSTEAD}")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise BadInput(f"{path} is packed in a way that is not known.\n{USE_INSTEAD}")
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        last, read = -1.0, 0
        try:
            for frame in container.decode(stream):
                moment = last + 1 / MAX_FPS if frame.time is None else float(frame.time)
                last, read = moment, read + 1
                if read > MAX_PICTURES:
                    raise BadInput(f"{path} has more than {MAX_PICTURES} pictures.\nCut out the part you want.")
                scale = min(1.0, LONG_SIDE / max(frame.width, frame.height))
                width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
                pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
                yield moment, np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
        except (av.FFmpegError, ValueError) as error:
            if read == 0:
                raise BadInput(
                    f"{path} is damaged, or its pictures have more than {MAX_PIXELS / 1e6:.0f} megapixels: {error}.\n"
                    f"{USE_INSTEAD}"
                ) from error
            print_status(f"{path.name}: damaged after {read} pictures ({error}); these are taken.")
