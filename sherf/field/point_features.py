"""The features of canonical points: three tokens each, from the levels of the bank (SHERF, sections 3.2 and 3.3).

Published: a point's channels of each level are split among three tokens, and a linear map joins the levels of a token.
Every look-up is linear in the map that it reads, and so is what follows until the tokens. `Tables` therefore carries
the linear maps out on the maps' rows, once per avatar, instead of on the points, half a million times a picture. Only
the photo's encoded colour is not linear in the photo.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.config import TOKENS, SherfConfig
from sherf.features.bank import CanonicalSpace, FeatureBank, encode_colour, published_grid
from sherf.features.lookup import corners, rows_of_image, weigh
from sherf.features.sparse import SparseVolume
from sherf.features.volume import VOXEL_M, voxel_grid

PLANE_AXES = ((0, 1), (0, 2), (2, 1))
"""Canonical axes along each plane's columns and rows."""


class Reprojection(nn.Module):
    """Joins the levels: of each token, [plane, pixel-aligned, point-level] channels to the token's width."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        width = config.token_width
        self.shares = (width, config.pixel_channels // TOKENS, width)
        """Channels of each level in one token."""
        self.point = nn.Linear(sum(config.volume_channels), TOKENS * width) if "point" in config.levels else None
        self.join = nn.Linear(sum(self.shares), width)

    def of_level(self, level: int) -> Float[Tensor, "out channel"]:
        """How the channels of one level, all tokens', contribute to all tokens."""
        own = self.join.weight.split(self.shares, dim=1)[level]
        return torch.block_diag(*[own] * TOKENS)


class Tables:
    """A bank's maps as rows that already hold their contribution to the tokens."""

    def __init__(self, bank: FeatureBank, space: CanonicalSpace, reprojection: Reprojection):
        self.bias = reprojection.join.bias.repeat(TOKENS)
        self.bank, self.space = bank, space
        self.planes: list[Tensor] = []
        if bank.planes is not None:
            own = reprojection.join.weight.split(reprojection.shares, dim=1)[0]
            self.planes = [rows_of_image(plane) @ own.T for plane in bank.planes]
        if bank.pixels is not None:
            matrix, channels = reprojection.of_level(1), bank.pixels.shape[0]
            self.pixels, self.from_colour = rows_of_image(bank.pixels) @ matrix[:, :channels].T, matrix[:, channels:]
            self.image = rows_of_image(bank.subject.image * bank.subject.mask)
        self.volumes: list[tuple[Tensor, Tensor, tuple[int, int, int]]] = []
        if bank.volumes and reprojection.point is not None:
            matrix = reprojection.of_level(2)
            self.bias = self.bias + matrix @ reprojection.point.bias
            matrices = (matrix @ reprojection.point.weight).split([v.features.shape[1] for v in bank.volumes], dim=1)
            self.volumes = [_voxel_rows(v, m) for v, m in zip(bank.volumes, matrices, strict=True)]

    def tokens(
        self, points: Float[Tensor, "point 3"], pixels: Float[Tensor, "point 2"]
    ) -> Float[Tensor, "point 3 width"]:
        """Tokens of canonical points whose places in the photo are `pixels` (published convention)."""
        total = self.bias.expand(len(points), -1)
        if self.planes:
            total = total + self._from_planes(points)
        if self.bank.pixels is not None:
            total = total + self._from_pixels(pixels)
        if self.volumes:
            total = total + self._from_volumes(points)
        return total.unflatten(1, (TOKENS, -1))

    def _from_planes(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point out"]:
        assert self.bank.planes is not None
        low, high = self.space.plane_bounds
        size = tuple(self.bank.planes.shape[-2:])
        # align_corners=False: the first cell's centre lies half a cell inside
        places = (points - low) / (high - low) * points.new_tensor(size[0]) - 0.5
        parts = [
            weigh(table, *corners(places[:, [row, column]], size))
            for table, (column, row) in zip(self.planes, PLANE_AXES, strict=True)
        ]
        return torch.cat(parts, dim=1)

    def _from_pixels(self, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point out"]:
        assert self.bank.pixels is not None
        grid = published_grid(pixels, self.bank.subject.camera.size)
        found = _look_up_aligned(self.pixels, grid, tuple(self.bank.pixels.shape[-2:]))
        colour = _look_up_aligned(self.image, grid, self.bank.subject.camera.size)
        return found + encode_colour(colour) @ self.from_colour.T

    def _from_volumes(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point out"]:
        bounds = self.space.volume_bounds
        # as published, every scale is normalised by the finest grid's size, corners aligned
        share = (points - bounds[0]).flip(-1) / VOXEL_M / points.new_tensor(voxel_grid(bounds))
        parts = []
        for row_of_voxel, rows, shape in self.volumes:
            index, weights = corners(share * (points.new_tensor(shape) - 1), shape)
            parts.append(weigh(rows, row_of_voxel[index], weights))
        return torch.stack(parts).sum(dim=0)


def _voxel_rows(
    volume: SparseVolume, matrix: Float[Tensor, "out channel"]
) -> tuple[Tensor, Tensor, tuple[int, int, int]]:
    """The row of each voxel (row 0 is empty space), the rows, and the voxels along z, y, x."""
    rows = volume.features @ matrix.T
    row_of_voxel = torch.zeros(volume.shape, dtype=torch.long, device=rows.device)
    z, y, x = volume.sites[:, 1:].unbind(1)
    row_of_voxel[z, y, x] = torch.arange(1, len(rows) + 1, device=rows.device)
    return row_of_voxel.flatten(), torch.cat([torch.zeros_like(rows[:1]), rows]), volume.shape


def _look_up_aligned(
    table: Float[Tensor, "row channel"], grid: Float[Tensor, "point 2"], size: tuple[int, ...]
) -> Float[Tensor, "point channel"]:
    """Bilinear at grid coordinates (x, y) whose -1 and 1 are the outermost pixels' centres."""
    return weigh(table, *corners((grid.flip(-1) + 1) / 2 * (grid.new_tensor(size) - 1), size))
