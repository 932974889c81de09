"""SHERF's sampling: evenly spaced samples between the two hits of a ray on the body's box (section 3.4), of which only
those near the body are kept."""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera import rays as camera_rays
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, Rays, RaySamples

BOX_MARGIN_M = 0.06
"""Published: 5 cm around the body and another 1 cm when rays are cut."""


def box_rays(camera: Camera, vertices: Float[Tensor, "vertex 3"], margin: float = BOX_MARGIN_M) -> Rays:
    """The rays of a camera through its pixels' centres, cut with the box around a body; far <= near where they miss."""
    rays = camera_rays(camera)
    inverse = 1 / torch.where(rays.directions == 0, 1e-8, rays.directions)
    first = (vertices.amin(dim=0) - margin - rays.origins) * inverse
    last = (vertices.amax(dim=0) + margin - rays.origins) * inverse
    near, far = torch.minimum(first, last).amax(dim=1), torch.maximum(first, last).amin(dim=1)
    return Rays(rays.origins, rays.directions, near.clamp_min(0), far)


def box_samples(rays: Rays, grid: OccupancyGrid, samples: int) -> RaySamples:
    """`samples` points from near to far, both included, of which those in occupied voxels are kept.

    Each stands for the interval around it whose length is the spacing. (Published: the interval up to the next sample,
    and an endless one for the last; intervals have the same lengths, and the last sample lies on the box, where nothing
    is near the body.)
    """
    hit = (rays.far > rays.near).nonzero()[:, 0]
    near, spacing = rays.near[hit, None], (rays.far - rays.near)[hit, None] / (samples - 1)
    distance = near + spacing * torch.arange(samples, device=near.device, dtype=near.dtype)
    keep = torch.cat([
        grid.contains(rays.origins[some, None] + at[..., None] * rays.directions[some, None])
        for some, at in zip(hit.split(RAYS_PER_CHUNK), distance.split(RAYS_PER_CHUNK), strict=True)
    ]) if len(hit) else torch.zeros_like(distance, dtype=torch.bool)  # fmt: skip
    half = (spacing / 2).expand_as(distance)[keep]
    middle = distance[keep]
    return RaySamples(hit[:, None].expand_as(keep)[keep], middle - half, middle + half, len(rays.near))


RAYS_PER_CHUNK = 2**14
"""Bounds memory: some 30 MB of candidates."""
