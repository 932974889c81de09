"""The point-level features: the body's vertices as a sparse volume, encoded at three scales, looked up by trilinear
interpolation (SHERF, section 3.2; after SparseConvNet, Graham et al. 2018, as NeuralBody uses it)."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.models.layers.frame_norm import FrameNorm, Statistics
from sherf.models.paper.sparse import SparseConv, SparseVolume, strided_pairs, submanifold_pairs

VOXEL_M = 0.005
BOX_MARGIN_M = 0.05
NORM_EPS, NORM_MOMENTUM = 1e-3, 0.01


class SparseNorm(FrameNorm):
    """Batch normalisation over the active sites of each input."""

    def over_sites(self, x: Float[Tensor, "site channel"], input_of: Int[Tensor, " site"]) -> Tensor:
        """Normalise rows; `input_of` is each row's input, ascending."""
        if not self.training and self.statistics == "running":
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        parts = x.split(torch.bincount(input_of).tolist())
        return torch.cat([self(part.T[None])[0].T for part in parts if len(part)])


class SparseStage(nn.Module):
    """Submanifold convolutions at one scale, after an optional strided one."""

    def __init__(self, channels_in: int, channels: int, depth: int, strided: bool, statistics: Statistics):
        super().__init__()
        self.down = SparseConv(channels_in, channels) if strided else None
        self.down_norm = SparseNorm(channels, NORM_EPS, NORM_MOMENTUM, statistics) if strided else None
        self.convs = nn.ModuleList(SparseConv(channels, channels) for _ in range(depth))
        self.norms = nn.ModuleList(SparseNorm(channels, NORM_EPS, NORM_MOMENTUM, statistics) for _ in range(depth))

    def forward(self, volume: SparseVolume) -> SparseVolume:
        if self.down is not None and self.down_norm is not None:
            pairs, coarse = strided_pairs(volume)
            x = F.relu(self.down_norm.over_sites(self.down(volume.features, pairs), coarse.sites[:, 0]))
            volume = replace(coarse, features=x)
        pairs, x, input_of = submanifold_pairs(volume), volume.features, volume.sites[:, 0]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm.over_sites(conv(x, pairs), input_of))
        return replace(volume, features=x)


class PointVolume(nn.Module):
    """Vertex features to dense feature volumes at three scales."""

    def __init__(
        self, channels: tuple[int, int, int] = (32, 64, 96), width: int = 32, statistics: Statistics = "frame"
    ):
        super().__init__()
        widths = (width, channels[0], channels[1], channels[2])
        self.stages = nn.ModuleList(
            [SparseStage(width, width, 2, False, statistics)]
            + [SparseStage(a, b, d, True, statistics) for a, b, d in zip(widths, widths[1:], (2, 3, 3), strict=False)]
        )

    def forward(self, volume: SparseVolume) -> tuple[SparseVolume, ...]:
        """The three coarser scales, 2, 4 and 8 voxels wide."""
        scales = []
        for stage in self.stages:
            volume = stage(volume)
            scales.append(volume)
        return tuple(scales[1:])


def voxel_grid(bounds: Float[Tensor, "2 3"]) -> tuple[int, int, int]:
    """Voxels along z, y, x of the box `bounds` (lowest and highest corner), raised to the next multiple of 32."""
    z, y, x = torch.ceil((bounds[1] - bounds[0]).flip(0) / VOXEL_M).int().tolist()
    return (z | 31) + 1, (y | 31) + 1, (x | 31) + 1


def voxelise(
    features: Float[Tensor, "batch vertex channel"],
    points: Float[Tensor, "batch vertex 3"],
    bounds: Float[Tensor, "2 3"],
) -> SparseVolume:
    """One row for each vertex, also where several share a voxel."""
    shape = voxel_grid(bounds)
    index = torch.round((points - bounds[0]).flip(-1) / VOXEL_M).long()
    # Bodies lie inside their box; a vertex of a wild pose that does not is kept at the border.
    index = torch.minimum(index.clamp_min(0), index.new_tensor(shape) - 1)
    batch = torch.arange(len(points), device=points.device)[:, None, None].expand(-1, points.shape[1], 1)
    return SparseVolume(features.flatten(0, 1), torch.cat([batch, index], -1).flatten(0, 1), shape, len(points))


def look_up(
    volumes: tuple[Float[Tensor, "batch _ _ _ _"], ...],
    points: Float[Tensor, "batch point 3"],
    bounds: Float[Tensor, "2 3"],
) -> Float[Tensor, "batch point channel"]:
    """Trilinear features at canonical points, all scales in one row.

    The published grid coordinates: all scales are normalised by the finest grid's size, corners aligned.
    """
    size = points.new_tensor(voxel_grid(bounds)[::-1])
    grid = ((points - bounds[0]) / VOXEL_M / size * 2 - 1)[:, None, None]
    found = [F.grid_sample(volume, grid, align_corners=True)[:, :, 0, 0] for volume in volumes]
    return torch.cat(found, dim=1).transpose(1, 2)
