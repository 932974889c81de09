"""Rendering: a radiance field, rays and an occupancy grid become colours, front to back, stopping behind solid matter.

Differentiable throughout; callers that only want pictures wrap their call in `torch.no_grad()` (or inference_mode).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import rays as camera_rays
from sherf.render.backend import Backend
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, Frame, Radiance, Rays, RaySamples

Field = Callable[[Float[Tensor, "point 3"], Float[Tensor, "point 3"]], Radiance]
"""(points_world, unit directions) -> Radiance. Called with at least one point and at most a chunk of them."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class MarchOptions:
    """How finely and how far rays are followed."""

    step: float = 0.005
    """Length of a sample along the ray, metres."""
    block: int = 8
    """Samples per ray that are evaluated before looking again which rays still have light."""
    stop: float = 1e-4
    """Transmittance below which a ray is finished; 0 follows every ray to its end."""
    points_per_chunk: int = 2**17
    """Points given to the field at once: bounds memory."""
    rays_per_chunk: int = 2**18
    """Rays marched together: likewise, for pictures larger than 512 x 512."""

    def in_chunks_of(self, points: int | None) -> "MarchOptions":
        """With less at once, for little memory; None changes nothing."""
        return self if points is None else replace(self, points_per_chunk=points, rays_per_chunk=4 * points)


@dataclass(frozen=True)
class RayColours:
    """What rays see."""

    rgb: Float[Tensor, "ray 3"]
    """Premultiplied."""
    opacity: Float[Tensor, " ray"]
    distance: Float[Tensor, " ray"]
    """Expected distance along the ray, metres; 0 where nothing is."""
    visibility: Float[Tensor, " ray"]
    """Share of the colour that the photo saw; 0 where nothing is."""


def render(
    field: Field, camera: Camera, grid: OccupancyGrid, backend: Backend, options: MarchOptions | None = None
) -> Frame:
    """The picture that one camera (without a view axis) takes of a field."""
    options = options or MarchOptions()
    rays = camera_rays(camera)
    parts = [render_rays(field, some, grid, backend, options) for some in in_chunks(rays, options)]
    return picture(camera, rays, parts)


def in_chunks(rays: Rays, options: MarchOptions) -> Iterator[Rays]:
    """As many rays at once as are marched together."""
    for some in zip(*(x.split(options.rays_per_chunk) for x in vars(rays).values()), strict=True):
        yield Rays(*some)


def picture(camera: Camera, rays: Rays, parts: list[RayColours]) -> Frame:
    """The colours of all of a camera's rays, row by row, as a frame."""
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
    """Colours of rays (one axis), by NeRF's quadrature over the samples near the body.

    Args:
        field: evaluated at the samples' middles, only while their ray still has light.
        rays: any; degenerate ones come back empty.
        grid: where the field is not empty.
    """
    options = options or MarchOptions()
    return follow(field, rays, backend.sample(rays, grid, options.step), backend, options)


def follow(field: Field, rays: Rays, samples: RaySamples, backend: Backend, options: MarchOptions) -> RayColours:
    """Colours of rays whose samples are known."""
    # colour, distance, visibility and opacity, each weighted
    sums = rays.origins.new_zeros(samples.num_rays, 6)

    def ask(ray: Tensor, block: RaySamples) -> tuple[Tensor, Radiance]:
        radiance = _evaluate(field, rays, ray, block.place, options.points_per_chunk)
        return radiance.density, radiance

    for ray, place, weights, radiance in march(samples, rays.origins.new_ones(()), backend, options, ask):
        values = [radiance.colour, place[:, None], radiance.visibility[:, None], torch.ones_like(place)[:, None]]
        sums = sums.index_add(0, ray, weights[:, None] * torch.cat(values, dim=1))
    rgb, distance, visibility, opacity = sums.split([3, 1, 1, 1], dim=1)
    norm = opacity.clamp(min=torch.finfo(sums.dtype).tiny)
    return RayColours(rgb, opacity[:, 0], (distance / norm)[:, 0], (visibility / norm)[:, 0])


def march(
    samples: RaySamples,
    light: Float[Tensor, ""],
    backend: Backend,
    options: MarchOptions,
    ask: Callable[[Tensor, RaySamples], tuple[Tensor, Answer]],
) -> Iterator[tuple[Tensor, Tensor, Tensor, Answer]]:
    """Follow rays front to back, block by block, leaving those that have gone dark.

    Args:
        light: that falls on every ray.
        ask: (ray of each sample, samples) -> density, and what else was found out.

    Yields:
        Of each block: ray, place and weight of every sample, and what else `ask` found out.
    """
    count = torch.bincount(samples.ray, minlength=samples.num_rays)
    following = count.cumsum(dim=0) - count
    alive = count.nonzero()[:, 0]
    left, following = count[alive], following[alive]
    light = light.expand(len(alive))
    while len(alive) > 0:
        block = _next_block(samples, following, left.clamp(max=options.block))
        ray = alive[block.ray]
        density, known = ask(ray, block)
        weights, light = backend.composite(density, block, light)
        yield ray, block.place, weights, known
        following, left = following + options.block, left - options.block
        keep = ((left > 0) & (light > options.stop)).nonzero()[:, 0]
        alive, following, left, light = alive[keep], following[keep], left[keep], light[keep]


def _next_block(samples: RaySamples, first: Tensor, count: Tensor) -> RaySamples:
    """Of each ray, `count` packed samples from `first` on; rays renumbered from 0."""
    ray = torch.repeat_interleave(count)
    index = torch.arange(len(ray), device=ray.device) + (first - (count.cumsum(dim=0) - count))[ray]
    at = None if samples.at is None else samples.at[index]
    return RaySamples(ray, samples.start[index], samples.end[index], len(count), at)


def _evaluate(field: Field, rays: Rays, ray: Tensor, distance: Tensor, points_per_chunk: int) -> Radiance:
    """The field at distances along rays, a chunk at a time."""
    parts = []
    for some, at in zip(ray.split(points_per_chunk), distance.split(points_per_chunk), strict=True):
        directions = rays.directions[some]
        parts.append(field(rays.origins[some] + at[:, None] * directions, directions))
    return Radiance(
        torch.cat([part.density for part in parts]),
        torch.cat([part.colour for part in parts]),
        torch.cat([part.visibility for part in parts]),
    )
