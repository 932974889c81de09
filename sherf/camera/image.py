"""Images as arrays: their pixels as bytes, and what lies at pixel coordinates."""

from typing import Literal

import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


def to_bytes(image: Float[Tensor, "channel h w"]) -> UInt8[np.ndarray, "h w channel"]:
    """Pixels of 0 to 255, as files and other libraries want them, of an image in [0, 1]."""
    return np.ascontiguousarray((image.detach().clamp(0, 1) * 255).round().byte().movedim(0, 2).cpu().numpy())


def sample_image(
    layers: Float[Tensor, "channel h w"],
    pixels: Float[Tensor, "*point 2"],
    outside: Literal["border", "zeros"] = "border",
) -> Float[Tensor, "*point channel"]:
    """Bilinear look-up of image layers at pixel coordinates (x, y), the top-left pixel's centre at (0.5, 0.5).

    Args:
        outside: what lies beyond the image: its border repeated, or nothing.
    """
    h, w = layers.shape[1:]
    grid = pixels.reshape(1, 1, -1, 2) / pixels.new_tensor([w, h]) * 2 - 1
    found = F.grid_sample(layers[None], grid, align_corners=False, padding_mode=outside)[0, :, 0]
    return found.T.reshape(*pixels.shape[:-1], len(layers))


def in_frame(pixels: Float[Tensor, "*point 2"], size: tuple[int, int], margin: float = 0.0) -> Bool[Tensor, " *point"]:
    """Which pixel coordinates lie in an image of this (height, width), at least `margin` pixels from its border."""
    height, width = size
    high = pixels.new_tensor([width - margin, height - margin])
    return ((pixels >= margin) & (pixels <= high)).all(dim=-1)


def nearest(layer: Float[Tensor, "h w"], pixels: Float[Tensor, "point 2"]) -> Float[Tensor, " point"]:
    """The pixel that each pixel coordinate lies in, the border's beyond the image: for depths, which have no mean."""
    height, width = layer.shape
    x, y = pixels.floor().long().unbind(dim=1)
    return layer[y.clamp(0, height - 1), x.clamp(0, width - 1)]
