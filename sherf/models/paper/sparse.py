"""Sparse 3D convolution (SparseConvNet, Graham et al. 2018) in plain torch: sorted keys and a product per kernel cell.

Each site is a row, and several rows may lie in one voxel. As in spconv's CPU code, which reproduces the published
results, a submanifold convolution finds only the first stored row of a neighbouring voxel, and each pair found serves
both directions. A strided convolution sums over all rows.
"""

from dataclasses import dataclass, replace
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.scene import OnDevice

CELLS = tuple((z, y, x) for z, y, x in product((0, 1, 2), repeat=3))
"""Cells of the kernel, z, y, x."""
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
    """Number of inputs."""

    def input(self, index: int) -> "SparseVolume":
        """Return one input of the batch, as a batch of one."""
        rows = (self.sites[:, 0] == index).nonzero()[:, 0]
        sites = self.sites[rows] * self.sites.new_tensor([0, 1, 1, 1])
        return SparseVolume(self.features[rows], sites, self.shape, 1)

    def dense(self) -> Float[Tensor, "batch channel z y x"]:
        """Return the dense volume: zeros where there is no site; of several rows in one voxel the last wins."""
        b, z, y, x = self.sites.unbind(1)
        volume = self.features.new_zeros(self.batch, *self.shape, self.features.shape[1])
        return volume.index_put((b, z, y, x), self.features).movedim(-1, 1)


@dataclass(frozen=True)
class Pairs:
    """The rulebook of a convolution: pairs of input and output rows, for each cell of the kernel."""

    rows_in: tuple[Int[Tensor, " _"], ...]
    rows_out: tuple[Int[Tensor, " _"], ...]
    num_out: int


class SparseConv(nn.Module):
    """A 3x3x3 convolution (cross-correlation) without bias."""

    def __init__(self, channels_in: int, channels: int):
        """Draw the kernel."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 3, 3, 3, channels_in))
        bound = (27 * channels_in) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, features: Float[Tensor, "site in"], pairs: Pairs) -> Float[Tensor, "out_site out"]:
        """Return the features of the output sites."""
        out = features.new_zeros(pairs.num_out, self.weight.shape[0])
        for (z, y, x), rows_in, rows_out in zip(CELLS, pairs.rows_in, pairs.rows_out, strict=True):
            if len(rows_in):
                out = out.index_add(0, rows_out, features[rows_in] @ self.weight[:, z, y, x].T)
        return out


def submanifold_pairs(volume: SparseVolume) -> Pairs:
    """Return the pairs of a submanifold convolution, whose output sites are its input sites (Graham et al. 2018)."""
    sites = volume.sites
    keys = _keys(sites, volume.shape)
    ordered, order = torch.sort(keys, stable=True)
    rows_in: dict[tuple[int, ...], Tensor] = {}
    rows_out: dict[tuple[int, ...], Tensor] = {}
    all_rows = torch.arange(len(sites), device=sites.device)
    for cell in CELLS:
        opposite = tuple(2 - c for c in cell)
        if cell == CENTRE:
            rows_in[cell] = rows_out[cell] = all_rows
        if cell <= CENTRE:
            continue
        step = sites.new_tensor([0, *(c - 1 for c in cell)])
        rows, neighbours = _find(sites + step, volume.shape, ordered, order)
        rows_in[cell], rows_out[cell] = neighbours, rows
        rows_in[opposite], rows_out[opposite] = rows, neighbours
    return Pairs(tuple(rows_in[c] for c in CELLS), tuple(rows_out[c] for c in CELLS), len(sites))


def strided_pairs(volume: SparseVolume) -> tuple[Pairs, SparseVolume]:
    """Return the pairs of a convolution of stride 2 and padding 1, and its output volume without features."""
    sites = volume.sites
    depth, height, width = ((s - 1) // 2 + 1 for s in volume.shape)
    shape = (depth, height, width)
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
    """Return the rows whose wanted site exists, and the first stored row at that site."""
    inside = ((wanted[:, 1:] >= 0) & (wanted[:, 1:] < wanted.new_tensor(shape))).all(dim=1)
    keys = _keys(wanted, shape)
    position = torch.searchsorted(ordered, keys).clamp_max(len(ordered) - 1)
    hits = (inside & (ordered[position] == keys)).nonzero()[:, 0]
    return hits, order[position[hits]]
