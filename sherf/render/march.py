"""Ray marching: a radiance field along rays to colours, front to back, stopping behind opaque matter.

Differentiable throughout; callers that only need frames wrap their call in `torch.no_grad()`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import camera_rays
from sherf.render.backend import Backend
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, Frame, Radiance, Rays, RaySamples

Field = Callable[[Float[Tensor, "point 3"], Float[Tensor, "point 3"]], Radiance]
"""(points_world, unit directions) -> Radiance. Called with at least one point and at most a chunk of them."""

Answer = TypeVar("Answer")
EXACT_STEP_M, EXACT_STOP = 0.005, 1e-4
"""Largest step, metres, and transmittance at which rays end, where fields are rendered as they are defined."""
GPU_BLOCK = 32
"""Samples per ray in a block on a GPU."""


@dataclass(frozen=True)
class MarchOptions:
    """How finely and how far rays are marched."""

    step: float = 0.005
    """Length of a sample along the ray, metres."""
    block: int = 8
    """Samples per ray that are evaluated before rays whose transmittance is spent are dropped."""
    stop: float = 1e-4
    """Transmittance below which a ray is finished; 0 marches every ray to its end."""
    points_per_chunk: int = 2**17
    """Points given to the field at once: bounds memory."""
    rays_per_chunk: int = 2**18
    """Rays marched together: bounds memory of frames larger than 512 x 512."""

    def on(self, backend: Backend, points: int | None = None) -> "MarchOptions":
        """Return the options for a device.

        Args:
            backend: a GPU evaluates more points together, and larger blocks: between blocks the CPU waits for it.
            points: evaluated at once, fewer take less memory; None leaves the choice to the backend.
        """
        options = self if backend.points_at_once is None else replace(self, block=max(self.block, GPU_BLOCK))
        if backend.is_exact:
            options = replace(options, step=min(self.step, EXACT_STEP_M), stop=min(self.stop, EXACT_STOP))
        points = points or backend.points_at_once
        return options if points is None else replace(options, points_per_chunk=points, rays_per_chunk=4 * points)


@dataclass(frozen=True)
class RayColours:
    """Rendered colours of rays."""

    rgb: Float[Tensor, "ray 3"]
    """Premultiplied."""
    opacity: Float[Tensor, " ray"]
    distance: Float[Tensor, " ray"]
    """Expected distance along the ray, metres; 0 for empty rays."""
    visibility: Float[Tensor, " ray"]
    """Share of the colour that the photo saw; 0 for empty rays."""


def render(
    field: Field, camera: Camera, grid: OccupancyGrid, backend: Backend, options: MarchOptions | None = None
) -> Frame:
    """Return the frame that one camera (without a view axis) sees of a field.

    Args:
        field: world space.
        camera: on the field's device.
        grid: where the field is not empty.
        backend: sampling and compositing.
        options: the defaults if None.
    """
    options = options or MarchOptions()
    rays = camera_rays(camera)
    parts = [render_rays(field, some, grid, backend, options) for some in in_chunks(rays, options)]
    return picture(camera, rays, parts)


def in_chunks(rays: Rays, options: MarchOptions) -> Iterator[Rays]:
    """Yield the rays that are marched together, chunk by chunk.

    Yields:
        At most `options.rays_per_chunk` rays.
    """
    for some in zip(*(x.split(options.rays_per_chunk) for x in vars(rays).values()), strict=True):
        yield Rays(*some)


def picture(camera: Camera, rays: Rays, parts: list[RayColours]) -> Frame:
    """Return the colours of all rays of a camera, row by row and possibly in parts, as a frame."""
    height, width = camera.size
    # distance along the ray -> depth along the camera's z axis
    along_axis = rays.directions @ camera.R[2]
    return Frame(
        rgb=torch.cat([part.rgb for part in parts]).T.reshape(3, height, width),
        opacity=torch.cat([part.opacity for part in parts]).reshape(height, width),
        depth=(torch.cat([part.distance for part in parts]) * along_axis).reshape(height, width),
        visibility=torch.cat([part.visibility for part in parts]).reshape(height, width),
    )


def render_rays(
    field: Field, rays: Rays, grid: OccupancyGrid, backend: Backend, options: MarchOptions | None = None
) -> RayColours:
    """Return the colours of rays (one axis), by NeRF's quadrature (Mildenhall et al. 2020, Eq. 3) near the body.

    Args:
        field: evaluated at the samples' middles, only while their ray has transmittance left.
        rays: world space, unit directions; degenerate ones come back empty.
        grid: where the field is not empty.
        backend: sampling and compositing.
        options: the defaults if None.
    """
    options = options or MarchOptions()
    return follow(field, rays, backend.sample(rays, grid, options.step), backend, options)


def follow(field: Field, rays: Rays, samples: RaySamples, backend: Backend, options: MarchOptions) -> RayColours:
    """Return the colours of rays with given samples (`render_rays`)."""
    # colour, distance, visibility and opacity, each weighted
    sums = rays.origins.new_zeros(samples.num_rays, 6)

    def evaluate(ray: Tensor, block: RaySamples) -> tuple[Tensor, Radiance]:
        radiance = _evaluate(field, rays, ray, block.position, options.points_per_chunk)
        return radiance.density, radiance

    for ray, position, weights, radiance in march(samples, rays.origins.new_ones(()), backend, options, evaluate):
        values = [radiance.colour, position[:, None], radiance.visibility[:, None], torch.ones_like(position)[:, None]]
        sums = sums.index_add(0, ray, weights[:, None] * torch.cat(values, dim=1))
    rgb, distance, visibility, opacity = sums.split([3, 1, 1, 1], dim=1)
    norm = opacity.clamp(min=torch.finfo(sums.dtype).tiny)
    return RayColours(rgb, opacity[:, 0], (distance / norm)[:, 0], (visibility / norm)[:, 0])


def march(
    samples: RaySamples,
    transmittance: Float[Tensor, ""],
    backend: Backend,
    options: MarchOptions,
    evaluate: Callable[[Tensor, RaySamples], tuple[Tensor, Answer]],
) -> Iterator[tuple[Tensor, Tensor, Tensor, Answer]]:
    """March rays front to back, block by block, dropping those whose transmittance is spent.

    Args:
        samples: of all rays.
        transmittance: before every ray's first sample.
        backend: compositing.
        options: size of a block, and when to stop.
        evaluate: (ray of each sample, samples) -> density, and anything else that was found.

    Yields:
        Of each block: ray, position and weight of every sample, and what else `evaluate` found.
    """
    count = torch.bincount(samples.ray, minlength=samples.num_rays)
    following = count.cumsum(dim=0) - count
    alive = count.nonzero()[:, 0]
    left, following = count[alive], following[alive]
    transmittance = transmittance.expand(len(alive))
    while len(alive) > 0:
        block = _next_block(samples, following, left.clamp(max=options.block))
        ray = alive[block.ray]
        density, known = evaluate(ray, block)
        weights, transmittance = backend.composite(density, block, transmittance)
        yield ray, block.position, weights, known
        following, left = following + options.block, left - options.block
        keep = ((left > 0) & (transmittance > options.stop)).nonzero()[:, 0]
        alive, following, left, transmittance = alive[keep], following[keep], left[keep], transmittance[keep]


def _next_block(samples: RaySamples, first: Tensor, count: Tensor) -> RaySamples:
    """Return `count` packed samples of each ray from `first` on; rays are renumbered from 0."""
    ray = torch.repeat_interleave(count)
    index = torch.arange(len(ray), device=ray.device) + (first - (count.cumsum(dim=0) - count))[ray]
    at = None if samples.at is None else samples.at[index]
    return RaySamples(ray, samples.start[index], samples.end[index], len(count), at)


def _evaluate(field: Field, rays: Rays, ray: Tensor, distance: Tensor, points_per_chunk: int) -> Radiance:
    """Evaluate the field at distances along rays, a chunk at a time."""
    parts = []
    for some, at in zip(ray.split(points_per_chunk), distance.split(points_per_chunk), strict=True):
        directions = rays.directions[some]
        parts.append(field(rays.origins[some] + at[:, None] * directions, directions))
    return Radiance(
        torch.cat([part.density for part in parts]),
        torch.cat([part.colour for part in parts]),
        torch.cat([part.visibility for part in parts]),
    )
