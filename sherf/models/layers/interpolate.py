"""Linear interpolation by weighted rows: two to four times as fast as grid_sample on a CPU, equally fast on CUDA.

A map is a table with a row for each pixel or voxel. `linear_corners` returns the rows around a point and their weights,
zero outside of the map; `weighted_rows` sums them up.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

MAX_POSITION = 2.0**24
"""Positions further out than this, in grid points, count as outside."""


def rows_of_image(image: Float[Tensor, "channel h w"]) -> Float[Tensor, "row channel"]:
    """Return the table of an image: a row for each pixel, in row-major order."""
    return image.flatten(start_dim=1).T.contiguous()


def linear_corners(
    positions: Float[Tensor, "point axis"], size: tuple[int, ...]
) -> tuple[Int[Tensor, "point corner"], Float[Tensor, "point corner"]]:
    """Return the grid points around each position and their linear, bilinear or trilinear weights.

    Args:
        positions: in index units, slowest axis first: the first grid point of an axis is at 0.
        size: grid points along each axis, slowest first.

    Returns:
        Row of each corner in the map's table, and its weight: 0 outside of the map and for positions that are not
        finite.
    """
    limit = _as_tensor(size, positions.device)
    # not finite: a point in the camera's own plane has no projection
    positions = torch.where(positions.abs() < MAX_POSITION, positions, -2.0)
    low = positions.floor()
    share = positions - low
    # the two grid points along each axis: (point, axis, 2)
    index = torch.stack([low, low + 1], dim=-1)
    weight = torch.stack([1 - share, share], dim=-1) * ((index >= 0) & (index < limit[:, None]))
    index = torch.minimum(index.clamp_min(0), limit[:, None] - 1).int()
    rows, weights = index[:, 0], weight[:, 0]
    for axis in range(1, len(size)):
        rows = (rows[:, :, None] * size[axis] + index[:, axis, None]).flatten(start_dim=1)
        weights = (weights[:, :, None] * weight[:, axis, None]).flatten(start_dim=1)
    return rows, weights


@lru_cache(maxsize=64)
def _as_tensor(size: tuple[int, ...], device: torch.device) -> Int[Tensor, " axis"]:
    """Return a size on a device, copied there once: a GPU waits for its queue before each copy."""
    return torch.tensor(size, device=device)


def weighted_rows(
    table: Float[Tensor, "row channel"], rows: Int[Tensor, "point corner"], weights: Float[Tensor, "point corner"]
) -> Float[Tensor, "point channel"]:
    """Return the weighted sum of each point's rows, in single precision. Differentiable in table and weights."""
    table, weights = table.float(), weights.float()
    return F.embedding_bag(rows.contiguous(), table, mode="sum", per_sample_weights=weights.contiguous())
