"""The features of canonical points: three tokens each, from the levels of the bank (SHERF, sections 3.2 and 3.3).

Published: a point's channels of each level are split among three tokens, and a linear map joins the levels of a token.
Every look-up is linear in the map that it reads, and so is what follows until the tokens. `Tables` therefore carries
the linear maps out on the maps' rows, once per avatar, instead of on the points, half a million times a picture. Only
the photo's encoded colour is not linear in the photo.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.models.config import TOKENS, SherfConfig
from sherf.models.layers.interpolate import corners, rows_of_image, weigh
from sherf.models.paper.bank import CanonicalSpace, FeatureBank, encode_colour, published_grid
from sherf.models.paper.sparse import SparseVolume
from sherf.models.paper.volume import VOXEL_M, voxel_grid

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
        self.planes: Tensor | None = None
        if bank.planes is not None:
            own = reprojection.join.weight.split(reprojection.shares, dim=1)[0]
            self.planes = torch.cat([rows_of_image(plane) @ own.T for plane in bank.planes])
        self.image: Tensor | None = None
        wide: list[Tensor] = []
        if bank.pixels is not None:
            matrix, channels = reprojection.of_level(1), bank.pixels.shape[0]
            wide.append(rows_of_image(bank.pixels) @ matrix[:, :channels].T)
            self.from_colour = matrix[:, channels:]
            self.image = rows_of_image(bank.subject.image * bank.subject.mask)
        self.finest = self.bias.new_tensor(voxel_grid(space.volume_bounds))
        self.volumes: list[tuple[Tensor, tuple[int, int, int]]] = []
        """For each scale the row of each voxel, and the voxels along z, y, x."""
        if bank.volumes and reprojection.point is not None:
            matrix = reprojection.of_level(2)
            self.bias = self.bias + matrix @ reprojection.point.bias
            matrices = (matrix @ reprojection.point.weight).split([v.features.shape[1] for v in bank.volumes], dim=1)
            for volume, own in zip(bank.volumes, matrices, strict=True):
                self.volumes.append((_row_of_voxel(volume, sum(map(len, wide))), volume.shape))
                rows = volume.features @ own.T
                wide += [torch.zeros_like(rows[:1]), rows]
        self.wide = torch.cat(wide) if wide else None
        """The photo's feature map, then each scale's voxels: what adds to all tokens of a point alike."""

    def tokens(
        self, points: Float[Tensor, "point 3"], pixels: Float[Tensor, "point 2"]
    ) -> Float[Tensor, "point 3 width"]:
        """Tokens of canonical points whose places in the photo are `pixels` (published convention)."""
        found: list[tuple[Tensor, Tensor]] = []
        total = self.bias.expand(len(points), -1)
        if self.image is not None and self.bank.pixels is not None:
            size = self.bank.subject.camera.size
            grid = (published_grid(pixels, size).flip(-1) + 1) / 2
            found.append(_aligned(grid, tuple(self.bank.pixels.shape[-2:])))
            colour = weigh(self.image, *_aligned(grid, size))
            total = torch.addmm(total, encode_colour(colour), self.from_colour.T)
        if self.planes is not None:
            total = total + self._from_planes(points)
        found += self._voxels(points)
        if found and self.wide is not None:
            rows, weights = (torch.cat(x, dim=1) for x in zip(*found, strict=True))
            total = total + weigh(self.wide, rows, weights)
        return total.unflatten(1, (TOKENS, -1))

    def _from_planes(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point out"]:
        assert self.bank.planes is not None and self.planes is not None
        low, high = self.space.plane_bounds
        side = self.bank.planes.shape[-1]
        # align_corners=False: the first cell's centre lies half a cell inside
        places = (points - low) / (high - low) * side - 0.5
        order = [axis for column, row in PLANE_AXES for axis in (row, column)]
        rows, weights = corners(places[:, order].view(-1, 2), (side, side))
        first = torch.arange(len(PLANE_AXES), device=rows.device, dtype=rows.dtype) * side**2
        rows = (rows.view(-1, len(PLANE_AXES), 4) + first[:, None]).view(-1, 4)
        return weigh(self.planes, rows, weights).view(len(points), -1)

    def _voxels(self, points: Float[Tensor, "point 3"]) -> list[tuple[Tensor, Tensor]]:
        """Rows and weights of the voxels around points, at each scale."""
        # as published, every scale is normalised by the finest grid's size, corners aligned
        share = (points - self.space.volume_bounds[0]).flip(-1) / VOXEL_M / self.finest
        found = []
        for row_of_voxel, shape in self.volumes:
            index, weights = _aligned(share, shape)
            found.append((row_of_voxel[index], weights))
        return found


def _row_of_voxel(volume: SparseVolume, first: int) -> Int[Tensor, " voxel"]:
    """The row of each voxel: `first` for empty space, then the sites in their order, which are all different."""
    row_of_voxel = torch.full(volume.shape, first, dtype=torch.int32, device=volume.sites.device)
    z, y, x = volume.sites[:, 1:].unbind(1)
    rows = torch.arange(first + 1, first + 1 + len(volume.sites), dtype=torch.int32, device=volume.sites.device)
    return row_of_voxel.index_put_((z, y, x), rows).flatten()


def _aligned(
    share: Float[Tensor, "point axis"], size: tuple[int, ...]
) -> tuple[Int[Tensor, "point corner"], Float[Tensor, "point corner"]]:
    """Corners of places given as shares of a grid whose outermost points lie at 0 and 1, slowest axis first."""
    return corners(share * (share.new_tensor(size) - 1), size)
