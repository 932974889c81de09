"""NeRF's positional encoding (Mildenhall et al. 2020, Eq. 4), without pi and with the input itself in front."""

import torch
from jaxtyping import Float
from torch import Tensor


def positional_encoding(x: Float[Tensor, "*point axis"], octaves: int) -> Float[Tensor, "*point encoded"]:
    """[x, sin x, cos x, sin 2x, cos 2x, ..., sin 2^(octaves-1) x, cos ...], each over all axes."""
    scaled = x[..., None, :] * torch.exp2(torch.arange(octaves, dtype=x.dtype, device=x.device))[:, None]
    waves = torch.stack([scaled.sin(), scaled.cos()], dim=-2)
    return torch.cat([x, waves.flatten(start_dim=-3)], dim=-1)


def encoded_width(axes: int, octaves: int) -> int:
    """Length of what `positional_encoding` returns."""
    return axes * (1 + 2 * octaves)
