"""Features of canonical points: three tokens each, from the levels of the bank (SHERF, sections 3.2 and 3.3).

As published, the channels of each level are split among three tokens, and a linear layer joins the levels of a token.
Interpolation is linear in the feature maps, and so are the layers up to the tokens. `TokenTables` therefore applies
these layers to the maps, once per avatar, instead of to half a million points per frame. Only the photo's encoded
colour is not linear in the photo.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.models.config import TOKENS, SherfConfig
from sherf.models.layers.interpolate import linear_corners, rows_of_image, weighted_rows
from sherf.models.layers.positional_encoding import encode_colour
from sherf.models.paper.bank import CanonicalSpace, FeatureBank
from sherf.models.paper.projection import published_grid
from sherf.models.paper.sparse import SparseVolume
from sherf.models.paper.volume import VOXEL_M, voxel_grid

PLANE_AXES = ((0, 1), (0, 2), (2, 1))
"""Canonical axes along each plane's columns and rows."""


class Reprojection(nn.Module):
    """Joins the levels: maps the [global, pixel-aligned, point-level] channels of each token to the token's width."""

    def __init__(self, config: SherfConfig):
        """Create the linear layers."""
        super().__init__()
        width = config.token_width
        self.shares = (width, config.pixel_channels // TOKENS, width)
        """Channels of each level in one token."""
        self.point = nn.Linear(sum(config.volume_channels), TOKENS * width) if "point" in config.levels else None
        self.join = nn.Linear(sum(self.shares), width)

    def of_level(self, level: int) -> Float[Tensor, "out channel"]:
        """Return the matrix that maps one level's channels of all tokens to all tokens.

        Args:
            level: 0 global, 1 pixel-aligned, 2 point-level.
        """
        weight = self.join.weight.split(self.shares, dim=1)[level]
        return torch.block_diag(*[weight] * TOKENS)


class TokenTables:
    """A bank's maps as tables of rows that already hold their contribution to the tokens."""

    def __init__(self, bank: FeatureBank, space: CanonicalSpace, reprojection: Reprojection):
        """Apply the linear layers to the maps, with gradients.

        Args:
            bank: the feature bank.
            space: the canonical space of its body model.
            reprojection: the network's linear layers.
        """
        self.bias = reprojection.join.bias.repeat(TOKENS)
        self.bank, self.space = bank, space
        self.planes: Tensor | None = None
        if bank.planes is not None:
            weight = reprojection.join.weight.split(reprojection.shares, dim=1)[0]
            self.planes = torch.cat([rows_of_image(plane) @ weight.T for plane in bank.planes])
        self.image: Tensor | None = None
        wide: list[Tensor] = []
        if bank.pixels is not None:
            matrix, channels = reprojection.of_level(1), bank.pixels.shape[0]
            wide.append(rows_of_image(bank.pixels) @ matrix[:, :channels].T)
            self.from_colour = matrix[:, channels:]
            self.image = rows_of_image(bank.subject.image * bank.subject.mask)
        self.finest = self.bias.new_tensor(voxel_grid(space.volume_bounds))
        self.volumes: list[tuple[Tensor, tuple[int, int, int]]] = []
        """For each scale, the row of each voxel in `wide`, and the number of voxels along z, y, x."""
        if bank.volumes and reprojection.point is not None:
            matrix = reprojection.of_level(2)
            self.bias = self.bias + matrix @ reprojection.point.bias
            matrices = (matrix @ reprojection.point.weight).split([v.features.shape[1] for v in bank.volumes], dim=1)
            for volume, matrix_of_scale in zip(bank.volumes, matrices, strict=True):
                self.volumes.append((_row_of_voxel(volume, sum(map(len, wide))), volume.shape))
                rows = volume.features @ matrix_of_scale.T
                wide += [torch.zeros_like(rows[:1]), rows]
        self.wide = torch.cat(wide) if wide else None
        """Rows that contribute to all tokens of a point: the photo's feature map, then the voxels of each scale."""

    def tokens(
        self, points: Float[Tensor, "point 3"], pixels: Float[Tensor, "point 2"]
    ) -> Float[Tensor, "point 3 width"]:
        """Return the tokens of canonical points.

        Args:
            points: canonical space, metres.
            pixels: their projections into the photo, published convention.
        """
        lookups: list[tuple[Tensor, Tensor]] = []
        total = self.bias.expand(len(points), -1)
        if self.image is not None and self.bank.pixels is not None:
            size = self.bank.subject.camera.size
            grid = (published_grid(pixels, size).flip(-1) + 1) / 2
            lookups.append(_aligned_corners(grid, tuple(self.bank.pixels.shape[-2:])))
            colour = weighted_rows(self.image, *_aligned_corners(grid, size))
            total = torch.addmm(total, encode_colour(colour), self.from_colour.T)
        if self.planes is not None:
            total = total + self._from_planes(points)
        lookups += self._voxels(points)
        if lookups and self.wide is not None:
            rows, weights = (torch.cat(x, dim=1) for x in zip(*lookups, strict=True))
            total = total + weighted_rows(self.wide, rows, weights)
        return total.unflatten(1, (TOKENS, -1))

    def _from_planes(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point out"]:
        assert self.bank.planes is not None and self.planes is not None
        low, high = self.space.plane_bounds
        side = self.bank.planes.shape[-1]
        # align_corners=False: the first cell's centre lies half a cell inside
        positions = (points - low) / (high - low) * side - 0.5
        order = [axis for column, row in PLANE_AXES for axis in (row, column)]
        rows, weights = linear_corners(positions[:, order].view(-1, 2), (side, side))
        first = torch.arange(len(PLANE_AXES), device=rows.device, dtype=rows.dtype) * side**2
        rows = (rows.view(-1, len(PLANE_AXES), 4) + first[:, None]).view(-1, 4)
        return weighted_rows(self.planes, rows, weights).view(len(points), -1)

    def _voxels(self, points: Float[Tensor, "point 3"]) -> list[tuple[Tensor, Tensor]]:
        """Return rows and weights of the voxels around points, at each scale."""
        # as published, all scales are normalised by the finest grid's size, corners aligned
        share = (points - self.space.volume_bounds[0]).flip(-1) / VOXEL_M / self.finest
        lookups = []
        for row_of_voxel, shape in self.volumes:
            index, weights = _aligned_corners(share, shape)
            lookups.append((row_of_voxel[index], weights))
        return lookups


def _row_of_voxel(volume: SparseVolume, first: int) -> Int[Tensor, " voxel"]:
    """Return the row of each voxel: `first` for empty ones, then the sites in their order, which are all distinct."""
    row_of_voxel = torch.full(volume.shape, first, dtype=torch.int32, device=volume.sites.device)
    z, y, x = volume.sites[:, 1:].unbind(1)
    rows = torch.arange(first + 1, first + 1 + len(volume.sites), dtype=torch.int32, device=volume.sites.device)
    return row_of_voxel.index_put_((z, y, x), rows).flatten()


def _aligned_corners(
    share: Float[Tensor, "point axis"], size: tuple[int, ...]
) -> tuple[Int[Tensor, "point corner"], Float[Tensor, "point corner"]]:
    """Return `linear_corners` of positions in a grid whose outermost points lie at 0 and 1, slowest axis first."""
    return linear_corners(share * (share.new_tensor(size) - 1), size)
