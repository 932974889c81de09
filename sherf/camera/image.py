"""Sample image tensors at pixel coordinates."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def sample_image(
    layers: Float[Tensor, "channel h w"],
    pixels: Float[Tensor, "*point 2"],
    outside: Literal["border", "zeros"] = "border",
) -> Float[Tensor, "*point channel"]:
    """Sample an image bilinearly at pixel coordinates.

    Args:
        layers: channels of any meaning.
        pixels: (x, y); the top-left pixel's centre is (0.5, 0.5).
        outside: what lies beyond the image: its border repeated, or zeros.

    Returns:
        All channels at each point.
    """
    h, w = layers.shape[1:]
    grid = pixels.reshape(1, 1, -1, 2) / pixels.new_tensor([w, h]) * 2 - 1
    sampled = F.grid_sample(layers[None], grid, align_corners=False, padding_mode=outside)[0, :, 0]
    return sampled.T.reshape(*pixels.shape[:-1], len(layers))


def sample_nearest(layer: Float[Tensor, "h w"], pixels: Float[Tensor, "point 2"]) -> Float[Tensor, " point"]:
    """Return the value of the pixel that each (x, y) lies in, or of the nearest: for depths, which do not average."""
    height, width = layer.shape
    x, y = pixels.floor().long().unbind(dim=1)
    return layer[y.clamp(0, height - 1), x.clamp(0, width - 1)]


def in_frame(pixels: Float[Tensor, "*point 2"], size: tuple[int, int], margin: float = 0.0) -> Bool[Tensor, " *point"]:
    """Return which (x, y) lie in an image of this (height, width), at least `margin` pixels from its border."""
    height, width = size
    x, y = pixels.unbind(dim=-1)
    return (x >= margin) & (x <= width - margin) & (y >= margin) & (y <= height - margin)
