"""Point-level features (SHERF, section 3.2): the body's vertices as a sparse volume, encoded at three scales.

Sampled by trilinear interpolation. After SparseConvNet (Graham et al. 2018) as used by Neural Body (Peng et al. 2021).
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.models.layers.frame_norm import FrameNorm, Statistics
from sherf.models.paper.sparse import SparseConv, SparseVolume, strided_pairs, submanifold_pairs

VOXEL_M = 0.005
"""Side of the finest voxels, metres."""
VOLUME_MARGIN_M = 0.05
"""Margin of the volume around the body, metres."""
NORM_EPS, NORM_MOMENTUM = 1e-3, 0.01


class SparseNorm(FrameNorm):
    """Batch normalisation over the active sites of each input."""

    def over_sites(self, x: Float[Tensor, "site channel"], input_of: Int[Tensor, " site"]) -> Tensor:
        """Return rows normalised over the sites of each input.

        Args:
            x: features, a row per site.
            input_of: index of each row's input in the batch, ascending.
        """
        if not self.training and self.statistics == "running":
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        parts = x.split(torch.bincount(input_of).tolist())
        return torch.cat([self(part.T[None])[0].T for part in parts if len(part)])


class SparseStage(nn.Module):
    """Submanifold convolutions at one scale, after an optional strided one."""

    def __init__(self, channels_in: int, channels: int, depth: int, strided: bool, statistics: Statistics):
        """Create the layers.

        Args:
            channels_in: input channels.
            channels: output channels.
            depth: number of submanifold convolutions.
            strided: whether a strided convolution precedes them, which doubles the voxels' side.
            statistics: of the normalisation.
        """
        super().__init__()
        self.down = SparseConv(channels_in, channels) if strided else None
        self.down_norm = SparseNorm(channels, NORM_EPS, NORM_MOMENTUM, statistics) if strided else None
        self.convs = nn.ModuleList(SparseConv(channels, channels) for _ in range(depth))
        self.norms = nn.ModuleList(SparseNorm(channels, NORM_EPS, NORM_MOMENTUM, statistics) for _ in range(depth))

    def forward(self, volume: SparseVolume) -> SparseVolume:
        """Return the encoded volume."""
        if self.down is not None and self.down_norm is not None:
            pairs, coarse = strided_pairs(volume)
            x = F.relu(self.down_norm.over_sites(self.down(volume.features, pairs), coarse.sites[:, 0]))
            volume = replace(coarse, features=x)
        pairs, x, input_of = submanifold_pairs(volume), volume.features, volume.sites[:, 0]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            assert isinstance(norm, SparseNorm)
            x = F.relu(norm.over_sites(conv(x, pairs), input_of))
        return replace(volume, features=x)


class PointVolume(nn.Module):
    """Encodes vertex features into sparse feature volumes at three scales."""

    def __init__(
        self, channels: tuple[int, int, int] = (32, 64, 96), width: int = 32, statistics: Statistics = "frame"
    ):
        """Create the stages.

        Args:
            channels: of the three scales.
            width: input channels.
            statistics: of the normalisation.
        """
        super().__init__()
        widths = (width, channels[0], channels[1], channels[2])
        self.stages = nn.ModuleList(
            [SparseStage(width, width, 2, False, statistics)]
            + [SparseStage(a, b, d, True, statistics) for a, b, d in zip(widths, widths[1:], (2, 3, 3), strict=False)]
        )

    def forward(self, volume: SparseVolume) -> tuple[SparseVolume, ...]:
        """Return the volumes of the three scales, whose voxels have 2, 4 and 8 times the finest side."""
        scales = []
        for stage in self.stages:
            volume = stage(volume)
            scales.append(volume)
        return tuple(scales[1:])


def voxel_grid(bounds: Float[Tensor, "2 3"]) -> tuple[int, int, int]:
    """Return the number of finest voxels along z, y, x of a box, raised to the next greater multiple of 32.

    Args:
        bounds: lowest and highest corner, canonical space, metres.
    """
    z, y, x = torch.ceil((bounds[1] - bounds[0]).flip(0) / VOXEL_M).int().tolist()
    return (z | 31) + 1, (y | 31) + 1, (x | 31) + 1


def voxelise(
    features: Float[Tensor, "batch vertex channel"],
    points: Float[Tensor, "batch vertex 3"],
    bounds: Float[Tensor, "2 3"],
) -> SparseVolume:
    """Return a sparse volume with a row for each vertex, even where several share a voxel.

    Args:
        features: of the vertices.
        points: the vertices, canonical space, metres.
        bounds: lowest and highest corner of the volume's box, metres.
    """
    shape = voxel_grid(bounds)
    index = torch.round((points - bounds[0]).flip(-1) / VOXEL_M).long()
    # Vertices of an extreme pose that fall outside of the box are clamped to its border.
    index = torch.minimum(index.clamp_min(0), index.new_tensor(shape) - 1)
    batch = torch.arange(len(points), device=points.device)[:, None, None].expand(-1, points.shape[1], 1)
    return SparseVolume(features.flatten(0, 1), torch.cat([batch, index], -1).flatten(0, 1), shape, len(points))
