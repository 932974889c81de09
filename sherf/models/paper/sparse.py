"""Sparse 3D convolution in plain torch: sorted keys find neighbours, one matrix product a kernel cell does the work.

Sites are rows: several rows may lie in one voxel. As in spconv's CPU code, whose numbers the published weights were
made with, a submanifold look-up finds the first stored row of a voxel only, and each found pair serves both directions
(`published`); without it all rows of a voxel should be merged before. A strided convolution sums all rows.
"""

from dataclasses import dataclass, replace
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.scene import OnDevice

CELLS = tuple(product((0, 1, 2), repeat=3))
CENTRE = (1, 1, 1)


@dataclass(frozen=True)
class SparseVolume(OnDevice):
    """Features at the active sites of a batch of volumes."""

    features: Float[Tensor, "site channel"]
    sites: Int[Tensor, "site 4"]
    """Batch index, then voxel index along z, y, x; inside the shape."""
    shape: tuple[int, int, int]
    """Voxels along z, y, x."""
    batch: int

    def input(self, index: int) -> "SparseVolume":
        """One input of the batch, as a batch of one."""
        rows = (self.sites[:, 0] == index).nonzero()[:, 0]
        sites = self.sites[rows] * self.sites.new_tensor([0, 1, 1, 1])
        return SparseVolume(self.features[rows], sites, self.shape, 1)

    def dense(self) -> Float[Tensor, "batch channel z y x"]:
        """Zeros where there is no site; of several rows in one voxel the last counts."""
        b, z, y, x = self.sites.unbind(1)
        volume = self.features.new_zeros(self.batch, *self.shape, self.features.shape[1])
        return volume.index_put((b, z, y, x), self.features).movedim(-1, 1)


@dataclass(frozen=True)
class Pairs:
    """Which input row feeds which output row, for each cell of the kernel."""

    rows_in: tuple[Int[Tensor, " _"], ...]
    rows_out: tuple[Int[Tensor, " _"], ...]
    num_out: int


class SparseConv(nn.Module):
    """A 3x3x3 convolution, cross-correlation, without bias."""

    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 3, 3, 3, channels_in))
        bound = (27 * channels_in) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Float[Tensor, "site in"], pairs: Pairs) -> Float[Tensor, "out_site out"]:
        y = x.new_zeros(pairs.num_out, self.weight.shape[0])
        for cell, rows_in, rows_out in zip(CELLS, pairs.rows_in, pairs.rows_out, strict=True):
            if len(rows_in):
                y = y.index_add(0, rows_out, x[rows_in] @ self.weight[(slice(None), *cell)].T)
        return y


def submanifold_pairs(volume: SparseVolume) -> Pairs:
    """Pairs of a convolution whose output sites are its input sites (Graham et al. 2018)."""
    sites = volume.sites
    keys = _keys(sites, volume.shape)
    ordered, order = torch.sort(keys, stable=True)
    rows_in: dict[tuple[int, ...], Tensor] = {}
    rows_out: dict[tuple[int, ...], Tensor] = {}
    everywhere = torch.arange(len(sites), device=sites.device)
    for cell in CELLS:
        opposite = tuple(2 - c for c in cell)
        if cell == CENTRE:
            rows_in[cell] = rows_out[cell] = everywhere
        if cell <= CENTRE:
            continue
        step = sites.new_tensor([0, *(c - 1 for c in cell)])
        here, there = _find(sites + step, volume.shape, ordered, order)
        rows_in[cell], rows_out[cell] = there, here
        rows_in[opposite], rows_out[opposite] = here, there
    return Pairs(tuple(rows_in[c] for c in CELLS), tuple(rows_out[c] for c in CELLS), len(sites))


def strided_pairs(volume: SparseVolume) -> tuple[Pairs, SparseVolume]:
    """Pairs of a convolution of stride 2 and padding 1; the volume of its output, features still to come."""
    sites, shape = volume.sites, tuple((s - 1) // 2 + 1 for s in volume.shape)
    limit = sites.new_tensor(shape)
    rows, targets = [], []
    for cell in CELLS:
        doubled = sites[:, 1:] + 1 - sites.new_tensor(cell)
        target = torch.div(doubled, 2, rounding_mode="floor")
        kept = ((doubled % 2 == 0) & (target >= 0) & (target < limit)).all(dim=1).nonzero()[:, 0]
        rows.append(kept)
        targets.append(torch.cat([sites[kept, :1], target[kept]], dim=1))
    new, inverse = torch.unique(torch.cat(targets), dim=0, return_inverse=True)
    pairs = Pairs(tuple(rows), tuple(inverse.split([len(r) for r in rows])), len(new))
    empty = volume.features.new_zeros(len(new), 0)
    return pairs, replace(volume, features=empty, sites=new, shape=shape)


def _keys(sites: Int[Tensor, "site 4"], shape: tuple[int, int, int]) -> Int[Tensor, " site"]:
    b, z, y, x = sites.unbind(1)
    return ((b * shape[0] + z) * shape[1] + y) * shape[2] + x


def _find(
    wanted: Int[Tensor, "site 4"], shape: tuple[int, int, int], ordered: Int[Tensor, " row"], order: Int[Tensor, " row"]
) -> tuple[Int[Tensor, " hit"], Int[Tensor, " hit"]]:
    """Rows whose wanted site exists, and the first stored row there."""
    inside = ((wanted[:, 1:] >= 0) & (wanted[:, 1:] < wanted.new_tensor(shape))).all(dim=1)
    keys = _keys(wanted, shape)
    place = torch.searchsorted(ordered, keys).clamp_max(len(ordered) - 1)
    hits = (inside & (ordered[place] == keys)).nonzero()[:, 0]
    return hits, order[place[hits]]
