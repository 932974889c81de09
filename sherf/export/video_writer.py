"""Frames and videos: frames to PNG, and a folder of PNG frames to MP4, WebM or GIF.

Videos are made from files, not from a running renderer, so that a long rendering can be interrupted and resumed.
"""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageColor
from torch import Tensor

from sherf.errors import BadInput
from sherf.files.images import write_png
from sherf.files.output import atomic_output
from sherf.scene import Frame

CRF = 18
"""Quality (constant rate factor) of x264: visually lossless."""
VIDEO_SUFFIXES = (".mp4", ".webm", ".gif")
GIF_MAX_FPS = 50
"""Browsers slow down GIFs whose frames last less than 2/100 s."""
WHITE = (1.0, 1.0, 1.0)


def parse_colour(text: str) -> Float[Tensor, "3"] | None:
    """Return a background colour as sRGB in [0, 1], or None for "transparent".

    Args:
        text: a CSS name, #rgb, #rrggbb, "r,g,b" with numbers from 0 to 255, or "transparent".

    Raises:
        BadInput: it is none of these.
    """
    words = text.strip().lower()
    if words in ("transparent", "none"):
        return None
    parts = [part.strip() for part in words.split(",")]
    if len(parts) == 3 and all(part.isascii() and part.isdigit() and int(part) <= 255 for part in parts):
        return torch.tensor([int(part) / 255 for part in parts])
    rgb: tuple[int, ...] = ()
    with suppress(ValueError):
        rgb = ImageColor.getrgb(words)
    if len(rgb) != 3:
        raise BadInput(
            f'{text!r} is not a colour.\nUse a name ("white"), "#rrggbb", "r,g,b" with numbers from 0 to 255, '
            'or "transparent".'
        )
    return torch.tensor([channel / 255 for channel in rgb])


def compose(frame: Frame, background: Float[Tensor, "3"] | None) -> Float[Tensor, "3 h w"]:
    """Return a frame composited over a plain colour; None leaves it premultiplied, as over black."""
    if background is None:
        return frame.rgb
    background = background.to(frame.rgb)
    return frame.rgb + (1 - frame.opacity) * background[:, None, None]


def write_frame(path: Path, frame: Frame, background: Float[Tensor, "3"] | None) -> None:
    """Write a frame as PNG, whole or not at all; after a power cut it has to be checked.

    Args:
        path: the PNG file.
        frame: premultiplied, as rendered.
        background: sRGB in [0, 1] to composite over; None writes RGBA with the frame's opacity.

    Raises:
        OutputError: the file cannot be written.
    """
    write_png(path, compose(frame, background), frame.opacity if background is None else None, durable=False)


def frame_path(folder: Path, index: int) -> Path:
    """Return the path of the frame with this number, from 0: 0000.png, 0001.png, ..."""
    return folder / f"{index:04d}.png"


def frame_paths(folder: Path) -> list[Path]:
    """Return all frames of a folder, in order.

    Raises:
        BadInput: there are none, or one is missing in between.
    """
    numbered = {int(path.stem): path for path in folder.glob("*.png") if path.stem.isascii() and path.stem.isdigit()}
    if not numbered:
        raise BadInput(f"no frames in {folder}.\nRender first: frames are named 0000.png, 0001.png, ...")
    missing = sorted(set(range(max(numbered) + 1)) - numbered.keys())
    if missing:
        raise BadInput(
            f"{len(missing)} of {max(numbered) + 1} frames are missing in {folder}, first "
            f"{frame_path(folder, missing[0]).name}.\nRun the rendering again: it renders the missing frames alone."
        )
    return [numbered[index] for index in sorted(numbered)]


def write_video(path: Path, frames: Path, fps: float, matte: tuple[float, float, float] = WHITE) -> Path:
    """Encode a folder of frames as a video.

    The suffix decides: .mp4 (H.264, plays in every browser), .webm (VP9 with transparency) or .gif (looping).

    Args:
        path: ends in .mp4, .webm or .gif.
        frames: folder of 0000.png, 0001.png, ... of one size.
        fps: frames per second.
        matte: sRGB in [0, 1] that transparent pixels are composited over in .mp4 and .gif, which have no alpha.

    Returns:
        The path.

    Raises:
        BadInput: the suffix is unknown, frames are missing, damaged or of different sizes, or the frame rate is out of
            range.
        OutputError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    highest = {".mp4": 1000, ".webm": 1000, ".gif": GIF_MAX_FPS}.get(suffix)
    if highest is None:
        raise BadInput(
            f"cannot write {path.name}: {suffix or 'no suffix'} is not a known video format.\nUse .mp4, .webm or .gif."
        )
    if not 0 < fps <= highest:
        raise BadInput(f"cannot write {path.name} with {fps:g} frames a second.\nUse more than 0, at most {highest}.")
    paths = frame_paths(frames)
    with atomic_output(path) as partial:
        if suffix == ".mp4":
            _write_mp4(partial, _read_opaque(paths, matte), fps)
        elif suffix == ".webm":
            _write_webm(partial, _read_rgba(paths), fps)
        else:
            _write_gif(partial, _read_opaque(paths, matte), fps, len(paths))
    return path


def _write_mp4(path: Path, images: Iterator[NDArray], fps: float) -> None:
    import av  # 0.1 s and FFmpeg's libraries: only when a video is written
    from av.video.reformatter import ColorRange, Colorspace

    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(CRF), "preset": "medium"}
        # BT.709, tagged as such: players would otherwise guess from the frame size.
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
        stream.codec_context.color_range = ColorRange.MPEG
        for pixels in images:
            even = np.pad(pixels, [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)], mode="edge")
            if not stream.codec_context.is_open:
                stream.height, stream.width = even.shape[:2]
            frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_webm(path: Path, images: Iterator[NDArray], fps: float) -> None:
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=Fraction(fps).limit_denominator(1001))
        stream.pix_fmt = "yuva420p"
        stream.options = {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "auto-alt-ref": "0"}
        for pixels in images:
            even = np.pad(pixels, [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)], mode="edge")
            if not stream.codec_context.is_open:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgba").reformat(format="yuva420p")))
        container.mux(stream.encode(None))


def _write_gif(path: Path, images: Iterator[NDArray], fps: float, count: int) -> None:
    # GIF counts in 1/100 s: rounding timestamps instead of durations keeps the total length right.
    timestamps = [round(100 * index / fps) for index in range(count + 1)]
    durations = [10 * (after - before) for before, after in pairwise(timestamps)]
    paletted = (Image.fromarray(pixels).quantize(256) for pixels in images)
    next(paletted).save(path, format="GIF", save_all=True, append_images=paletted, duration=durations, loop=0)


def _read_opaque(paths: list[Path], matte: tuple[float, float, float]) -> Iterator[NDArray]:
    """Yield each frame as (h, w, 3) bytes, composited over `matte`."""
    for pixels in _read_rgba(paths):
        image = Image.fromarray(pixels)
        background = Image.new("RGBA", image.size, tuple(round(255 * channel) for channel in matte))
        yield np.asarray(Image.alpha_composite(background, image).convert("RGB"))


def _read_rgba(paths: list[Path]) -> Iterator[NDArray]:
    """Yield each frame as (h, w, 4) bytes.

    Raises:
        BadInput: a frame is damaged or of another size than the first one.
    """
    size = None
    for path in paths:
        try:
            with Image.open(path) as image:
                rgba = image.convert("RGBA")
        except (OSError, SyntaxError) as error:
            raise BadInput(f"frame {path} cannot be read ({error}).\nDelete it and render again.") from error
        size = size or rgba.size
        if rgba.size != size:
            raise BadInput(
                f"frame {path} is {rgba.width}x{rgba.height}, the first one {size[0]}x{size[1]}.\n"
                "All frames of a video must have one size: delete them and render again."
            )
        yield np.asarray(rgba)
