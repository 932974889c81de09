"""SHERF's sampling (section 3.4): evenly spaced samples between a ray's two hits on the body's box, kept near the body.

As published, a ray's direction is not of unit length: its component along the camera's z axis is 1, so that positions
along it are depths.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import camera_rays
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, Rays, RaySamples

RAY_BOX_MARGIN_M = 0.06
"""As published: 5 cm around the body, and another 1 cm when rays are cut."""
SMALLEST_DIRECTION = 1e-8
RAYS_PER_CHUNK = 2**14
"""Bounds memory: some 30 MB of candidates."""


def box_rays(camera: Camera, vertices: Float[Tensor, "vertex 3"]) -> Rays:
    """Return the rays of a camera through its pixels' centres, cut with the box around a body.

    Directions have depth 1 along the camera's z axis. Rays that miss the box have far <= near.

    Args:
        camera: without a view axis.
        vertices: the body in world space, metres.
    """
    rays = camera_rays(camera)
    directions = rays.directions / (rays.directions @ camera.R[2])[:, None]
    divisor = torch.where(directions == 0, SMALLEST_DIRECTION, directions)
    first = (vertices.amin(dim=0) - RAY_BOX_MARGIN_M - rays.origins) / divisor
    last = (vertices.amax(dim=0) + RAY_BOX_MARGIN_M - rays.origins) / divisor
    near, far = torch.minimum(first, last).amax(dim=1), torch.maximum(first, last).amin(dim=1)
    return Rays(rays.origins, directions, near.clamp_min(0), far)


def box_samples(rays: Rays, grid: OccupancyGrid, samples: int, rays_per_chunk: int = RAYS_PER_CHUNK) -> RaySamples:
    """Return evenly spaced points from near to far, both included, of which those in occupied voxels are kept.

    Each stands for the interval around it whose length is the spacing. (Published: the interval up to the next sample,
    and an endless one for the last; intervals have the same lengths, and the last sample lies on the box, where nothing
    is near the body.)

    Args:
        rays: as `box_rays` returns them.
        grid: the voxels near the body.
        samples: number of points along each ray.
        rays_per_chunk: rays sampled together.
    """
    share = torch.arange(samples, dtype=rays.near.dtype, device=rays.near.device) / (samples - 1)
    hit = (rays.far > rays.near).nonzero()[:, 0]
    parts = [_kept(rays, grid, share, some) for some in (hit.split(rays_per_chunk) if len(hit) else [hit])]
    ray, at, half = (torch.cat(x) for x in zip(*parts, strict=True))
    length = rays.directions[ray].norm(dim=1)
    return RaySamples(ray, (at - half) * length, (at + half) * length, len(rays.near), at)


def _kept(
    rays: Rays, grid: OccupancyGrid, share: Float[Tensor, " sample"], some: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ray, position and half the spacing of the samples of some rays in occupied voxels."""
    extent = (rays.far - rays.near)[some, None]
    at = rays.near[some, None] + share * extent
    keep = grid.contains(rays.origins[some, None] + at[..., None] * rays.directions[some, None])
    row, column = keep.nonzero(as_tuple=True)
    return some[row], at[row, column], (extent[:, 0] * share[1] / 2)[row]
