"""Interpolated look-ups by weighted rows: two to four times as fast as grid_sample on a CPU, the same on CUDA.

A map is a table of rows, one for each pixel or voxel. A point finds the rows around it and their weights; what lies
outside has weight zero.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

FARTHEST = 2.0**24
"""Places further out than this, in grid points, are nowhere."""


def rows_of_image(image: Float[Tensor, "channel h w"]) -> Float[Tensor, "row channel"]:
    """The table of an image, row by row."""
    return image.flatten(start_dim=1).T.contiguous()


def corners(
    places: Float[Tensor, "point axis"], size: tuple[int, ...]
) -> tuple[Int[Tensor, "point corner"], Float[Tensor, "point corner"]]:
    """The grid points around each place and their (bi-, tri-) linear weights.

    Args:
        places: in index units, slowest axis first: the first grid point of an axis is at 0.
        size: grid points along each axis, slowest first.
    """
    limit = torch.tensor(size, device=places.device)
    # what is not finite lies outside: a point in the camera's own plane has no place in its picture
    places = torch.where(places.abs() < FARTHEST, places, -2.0)
    low = places.floor()
    share = places - low
    # the two grid points along each axis: (point, axis, 2)
    index = torch.stack([low, low + 1], dim=-1)
    weight = torch.stack([1 - share, share], dim=-1) * ((index >= 0) & (index < limit[:, None]))
    index = torch.minimum(index.clamp_min(0), limit[:, None] - 1).int()
    rows, weights = index[:, 0], weight[:, 0]
    for axis in range(1, len(size)):
        rows = (rows[:, :, None] * size[axis] + index[:, axis, None]).flatten(start_dim=1)
        weights = (weights[:, :, None] * weight[:, axis, None]).flatten(start_dim=1)
    return rows, weights


def weigh(
    table: Float[Tensor, "row channel"], rows: Int[Tensor, "point corner"], weights: Float[Tensor, "point corner"]
) -> Float[Tensor, "point channel"]:
    """The weighted sum of each point's rows, in single precision. Differentiable in the table and in the weights."""
    table, weights = table.float(), weights.float()
    return F.embedding_bag(rows.contiguous(), table, mode="sum", per_sample_weights=weights.contiguous())
