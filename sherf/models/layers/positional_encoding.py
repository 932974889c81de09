"""NeRF's positional encoding (Mildenhall et al. 2020, Eq. 4), without the factor pi and with the input prepended."""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.models.config import RGB_CHANNELS, RGB_OCTAVES


def positional_encoding(x: Float[Tensor, "*point axis"], octaves: int) -> Float[Tensor, "*point encoded"]:
    """Return [x, sin x, cos x, sin 2x, cos 2x, ..., sin 2^(octaves-1) x, cos ...], each for all axes."""
    scaled = x[..., None, :] * torch.exp2(torch.arange(octaves, dtype=x.dtype, device=x.device))[:, None]
    waves = torch.stack([scaled.sin(), scaled.cos()], dim=-2)
    return torch.cat([x, waves.flatten(start_dim=-3)], dim=-1)


def encoded_width(axes: int, octaves: int) -> int:
    """Return the number of channels that `positional_encoding` returns."""
    return axes * (1 + 2 * octaves)


def encode_colour(colour: Float[Tensor, "point 3"]) -> Float[Tensor, "point 32"]:
    """Return the encoded colour, truncated to 32 channels as published."""
    return positional_encoding(colour, RGB_OCTAVES)[:, :RGB_CHANNELS]
