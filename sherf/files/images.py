"""Image tensors to 8-bit pixels and PNG files, and a check that PNG files are whole."""

import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from sherf.files.output import atomic_output

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def to_uint8(image: Float[Tensor, "channel h w"]) -> UInt8[np.ndarray, "h w channel"]:
    """Return an image in [0, 1], clipped, as contiguous bytes from 0 to 255 with the channels last."""
    return np.ascontiguousarray((image.detach().clamp(0, 1) * 255).round().byte().movedim(0, 2).cpu().numpy())


def is_whole_png(path: Path) -> bool:
    """Return whether a file is a PNG from which nothing is missing: each chunk, to the last, matches its checksum.

    False for a file that does not exist, and for one that a power cut left empty, cut or filled with zeros in part.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return False
    start, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND" and start + 12 <= len(content):
        # Length of the data, then what the checksum covers: kind and data; then the checksum.
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        if zlib.crc32(content[start + 4 : end]).to_bytes(4, "big") != content[end : end + 4]:
            return False
        start, kind = end + 4, content[start + 4 : start + 8]
    return content.startswith(PNG_SIGNATURE) and kind == b"IEND" and start == len(content)


def write_png(
    path: Path, rgb: Float[Tensor, "3 h w"], opacity: Float[Tensor, "h w"] | None = None, durable: bool = True
) -> None:
    """Write an image as an 8-bit PNG file, whole or not at all: RGB, or RGBA with `opacity`.

    Args:
        path: where to write; its folder is created if need be.
        rgb: sRGB in [0, 1]; premultiplied if `opacity` is given, and divided by it here, for PNG stores straight alpha.
        opacity: alpha in [0, 1], None for an opaque image.
        durable: see `atomic_output`.

    Raises:
        OutputError: the file cannot be written.
    """
    rgb = rgb.detach().cpu().float()
    if opacity is None:
        pixels = rgb
    else:
        alpha = opacity.detach().cpu().float()
        # Fully transparent pixels are black: there is nothing to divide.
        straight = torch.where(alpha > 0, rgb / alpha.clamp(min=1e-6), 0.0)
        pixels = torch.cat([straight, alpha[None]])
    image = Image.fromarray(to_uint8(pixels))
    with atomic_output(path, durable) as partial:
        image.save(partial, format="PNG", compress_level=4)
