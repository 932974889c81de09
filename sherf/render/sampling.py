"""Ray sampling near a body: an occupancy grid, and the samples along rays that fall into it."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.scene import Rays, RaySamples

STRIDE_VOXELS = 2
"""Half the length of a coarse interval, in voxels: long enough to skip empty space, short enough to skip much of it."""

RAYS_PER_CHUNK = 2**16
"""Bounds the sampler's memory: at most about 200 MB of candidates at the default step and voxel."""


@dataclass(frozen=True)
class OccupancyGrid:
    """The voxels that hold points near a surface; nothing is occupied outside the grid."""

    occupied: Bool[Tensor, "x y z"]
    """The outermost layer is always empty."""
    low: Float[Tensor, "3"]
    """World position of the grid's lowest corner, metres."""
    voxel: float
    """Edge length, metres."""

    @property
    def high(self) -> Float[Tensor, "3"]:
        """World position of the grid's highest corner, metres."""
        return self.low + self.voxel * self.low.new_tensor(self.occupied.shape)

    @cached_property
    def nearby(self) -> Bool[Tensor, "x y z"]:
        """Voxels with an occupied one at most STRIDE_VOXELS away along each axis."""
        nearby = self.occupied
        for axis, size in enumerate(nearby.shape):
            grown = nearby.clone()
            for shift in range(1, min(STRIDE_VOXELS + 1, size)):
                grown.narrow(axis, shift, size - shift).logical_or_(nearby.narrow(axis, 0, size - shift))
                grown.narrow(axis, 0, size - shift).logical_or_(nearby.narrow(axis, shift, size - shift))
            nearby = grown
        return nearby

    def contains(self, points_world: Float[Tensor, "*point 3"]) -> Bool[Tensor, " *point"]:
        """Return whether world points, metres, lie in occupied voxels."""
        index = ((points_world - self.low) / self.voxel).floor().long()
        shape = torch.tensor(self.occupied.shape, device=index.device)
        inside = ((index >= 0) & (index < shape)).all(dim=-1)
        x, y, z = index.clamp(min=0).minimum(shape - 1).unbind(-1)
        return inside & self.occupied[x, y, z]

    @staticmethod
    def around(
        vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], reach: float, voxel: float = 0.0075
    ) -> "OccupancyGrid":
        """Return the grid of the voxels within a distance of a triangle mesh.

        Every point within reach of the surface is in an occupied voxel; an occupied voxel's centre is at most reach +
        2 voxel diagonals from the surface. Works without nearest-neighbour queries: points scattered over the
        triangles mark voxels, which a separable distance transform then grows.

        Args:
            vertices: world space, metres.
            faces: the mesh's triangles.
            reach: distance from the surface, metres.
            voxel: edge length of a voxel, metres.
        """
        return OccupancyGrid.within(vertices, faces, vertices.new_full((len(vertices),), reach), voxel)

    @staticmethod
    def within(
        vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], reach: Float[Tensor, " vertex"], voxel: float
    ) -> "OccupancyGrid":
        """Return the grid of the voxels within reach of a mesh, where the reach differs from vertex to vertex.

        Args:
            vertices: world space, metres.
            faces: the mesh's triangles; the reach of a triangle is the largest of its corners.
            reach: distance from the surface at each vertex, metres.
            voxel: edge length of a voxel, metres.
        """
        spacing = 0.45 * voxel
        points, face = scatter_points(vertices, faces, spacing)
        # no surface point is farther than this from the nearest scattered one (circumradius of a lattice cell)
        of_face = (reach[faces].amax(dim=1) + spacing / math.sqrt(3)) / voxel
        margin = math.ceil(float(of_face.max())) + 2
        low = vertices.amin(dim=0) - margin * voxel
        shape = (((vertices.amax(dim=0) - low) / voxel).floor().long() + 1 + margin).tolist()
        x, y, z = ((points - low) / voxel).floor().long().unbind(-1)
        squared = of_face.square().ceil()[face].to(torch.int32)
        seeds = squared.new_zeros(math.prod(shape))
        seeds.scatter_reduce_(0, (x * shape[1] + y) * shape[2] + z, squared, "amax")
        return OccupancyGrid(_grow(seeds.reshape(shape)), low, voxel)


def scatter_points(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], spacing: float
) -> tuple[Float[Tensor, "point 3"], Int[Tensor, " point"]]:
    """Scatter points over a mesh: a regular lattice on each triangle, corners included.

    Args:
        vertices: metres.
        faces: the mesh's triangles.
        spacing: largest distance between neighbouring points, metres.

    Returns:
        The points, and the triangle of each.
    """
    corners = vertices[faces]
    longest = (corners - corners.roll(1, dims=1)).norm(dim=-1).amax(dim=-1)
    # powers of two: few distinct lattices, each done for all of its triangles at once
    cuts = (longest / spacing).clamp(min=1).log2().ceil().long()
    points, of_point = [], []
    for level in cuts.unique().tolist():
        i, j = torch.meshgrid(*2 * (torch.arange(2**level + 1),), indexing="ij")
        below = i + j <= 2**level
        i, j = i[below], j[below]
        barycentric = torch.stack([2**level - i - j, i, j], dim=-1).to(vertices) / 2**level
        some = (cuts == level).nonzero()[:, 0]
        points.append(torch.einsum("pc,fcd->fpd", barycentric, corners[some]).reshape(-1, 3))
        of_point.append(some.repeat_interleave(len(i)))
    return torch.cat(points), torch.cat(of_point)


def _grow(seeds: Int[Tensor, "x y z"]) -> Bool[Tensor, "x y z"]:
    """Return the voxels of which some point is within reach of some point of a seed voxel.

    The gap between two voxels k apart on an axis is max(|k| - 1, 0), and squared gaps add up over the axes, so three
    passes of one-dimensional minima of (squared gap - squared reach) are exact (Felzenszwalb & Huttenlocher 2012 do
    the same for distances).

    Args:
        seeds: squared reaches, in voxels; 0 where there is no seed.
    """
    most = int(seeds.max())
    missing = torch.where(seeds > 0, -seeds, 1).to(torch.int16 if 2 * most < 2**14 else torch.int32)
    for axis in range(3):
        nearest, size = missing.clone(), missing.shape[axis]
        for shift in range(1, min(math.isqrt(most) + 2, size)):
            for to, source in ((shift, 0), (0, shift)):
                target = nearest.narrow(axis, to, size - shift)
                torch.minimum(target, missing.narrow(axis, source, size - shift) + (shift - 1) ** 2, out=target)
        missing = nearest
    return missing <= 0


def sample_rays(rays: Rays, grid: OccupancyGrid, step: float, rays_per_chunk: int = RAYS_PER_CHUNK) -> RaySamples:
    """Return uniform samples of rays whose middles lie in occupied voxels. No gradients.

    Rays that miss the grid's box are dropped first; the others are cut into intervals of several voxels, which are kept
    if anything nearby is occupied; only those are cut into samples. Rays with non-finite or zero directions, or
    far <= near, do not get samples.

    Args:
        rays: one axis, unit directions, world space.
        grid: where the field is not empty.
        step: length of a sample along its ray, metres.
        rays_per_chunk: rays sampled together.
    """
    with torch.no_grad():
        near, far = _clip_to_box(rays, grid)
        hit = (far > near).nonzero()[:, 0]
        parts = [_sample_hits(rays, grid, step, near, far, some) for some in hit.split(rays_per_chunk)]
        if not parts:
            nothing = near.new_zeros(0)
            return RaySamples(hit, nothing, nothing, len(near))
        ray, start, end = (torch.cat(x) for x in zip(*parts, strict=True))
        return RaySamples(ray, start, end, len(near))


def _clip_to_box(rays: Rays, grid: OccupancyGrid) -> tuple[Float[Tensor, " ray"], Float[Tensor, " ray"]]:
    """Return near and far within the grid's box (slab test); far <= near for rays that miss it or are degenerate."""
    inverse = 1 / torch.where(rays.directions == 0, 1e-12, rays.directions)
    first = (grid.low - rays.origins) * inverse
    last = (grid.high - rays.origins) * inverse
    near = torch.maximum(rays.near, torch.minimum(first, last).amax(dim=-1))
    far = torch.minimum(rays.far, torch.maximum(first, last).amin(dim=-1))
    is_ray = (near.isfinite() & far.isfinite()) & (rays.directions != 0).any(dim=-1)
    return torch.where(is_ray, near, 0.0), torch.where(is_ray, far, 0.0)


def _sample_hits(
    rays: Rays,
    grid: OccupancyGrid,
    step: float,
    near: Float[Tensor, " ray"],
    far: Float[Tensor, " ray"],
    hit: Int[Tensor, " hit"],
) -> tuple[Int[Tensor, " sample"], Float[Tensor, " sample"], Float[Tensor, " sample"]]:
    """Return ray index, start and end of the samples of the rays `hit`, all of which meet the box."""
    # a step longer than an interval is tested by itself: `nearby` does not reach as far
    per_interval = max(1, math.floor(2 * STRIDE_VOXELS * grid.voxel / step))
    length = per_interval * step
    # grid coordinates of a ray: origin + distance * direction, in voxels
    origins = ((rays.origins[hit] - grid.low) / grid.voxel).T.contiguous()
    directions = (rays.directions[hit] / grid.voxel).T.contiguous()
    near, far = near[hit], far[hit]

    intervals = ((far - near) / length).ceil().long()
    of = torch.repeat_interleave(torch.arange(len(hit), device=hit.device), intervals)
    number = torch.arange(len(of), device=hit.device) - (intervals.cumsum(0) - intervals)[of]
    begin = near[of] + number * length
    if per_interval > 1:
        keep = _sample_voxels(grid.nearby, origins[:, of], directions[:, of], begin + length / 2).nonzero()[:, 0]
        of, begin = of[keep], begin[keep]

    starts = begin[:, None] + step * torch.arange(per_interval, device=hit.device, dtype=begin.dtype)
    ends = torch.minimum(starts + step, far[of, None])
    occupied = _sample_voxels(grid.occupied, origins[:, of, None], directions[:, of, None], (starts + ends) / 2)
    row, column = (occupied & (ends > starts)).nonzero(as_tuple=True)
    return hit[of[row]], starts[row, column], ends[row, column]


def _sample_voxels(
    voxels: Bool[Tensor, "x y z"],
    origins: Float[Tensor, "3 *#sample"],
    directions: Float[Tensor, "3 *#sample"],
    distances: Float[Tensor, "*sample"],
) -> Bool[Tensor, "*sample"]:
    """Return the voxels at distances along rays given in voxel coordinates; positions are clamped into the grid."""
    index = torch.zeros_like(distances, dtype=torch.int32)
    for axis, size in enumerate(voxels.shape):
        position = torch.addcmul(origins[axis], directions[axis], distances).clamp_(0, size - 1)
        index = index.mul_(size).add_(position.int())
    return voxels.reshape(-1)[index]
