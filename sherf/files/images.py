"""Image tensors to 8-bit pixels and PNG files."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from sherf.files.output import atomic_output


def to_uint8(image: Float[Tensor, "channel h w"]) -> UInt8[np.ndarray, "h w channel"]:
    """Return an image in [0, 1], clipped, as contiguous bytes from 0 to 255 with the channels last."""
    return np.ascontiguousarray((image.detach().clamp(0, 1) * 255).round().byte().movedim(0, 2).cpu().numpy())


def write_png(path: Path, rgb: Float[Tensor, "3 h w"], opacity: Float[Tensor, "h w"] | None = None) -> None:
    """Write an image as an 8-bit PNG file, whole or not at all: RGB, or RGBA with `opacity`.

    Args:
        path: where to write; its folder is created if need be.
        rgb: sRGB in [0, 1]; premultiplied if `opacity` is given, and divided by it here, for PNG stores straight alpha.
        opacity: alpha in [0, 1], None for an opaque image.

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
    with atomic_output(path) as partial:
        image.save(partial, format="PNG", compress_level=4)
