"""Deferred colour: density along rays first, front to back, and colour only where a sample counts."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.render.backend import Backend
from sherf.render.march import MarchOptions, RayColours, march
from sherf.scene import Rays, RaySamples

FAINT = 0.05
"""Samples with a smaller weight, and less than half of the greatest of their ray, are not coloured: the others' colours
stand for them."""
INVISIBLE = 0.01
"""Rays of smaller opacity do not get a colour."""
TOGETHER_M = 0.012
"""Rays whose weights spread less (standard deviation along the ray) get one colour, at their mean position."""
COLOURS_PER_CHUNK = 2**13
UNREACHED_M = -1.0
"""What `DeferredField.inside` returns out of the field's reach, metres."""


@runtime_checkable
class DeferredField(Protocol):
    """A field whose density can be evaluated without its colour."""

    def locate(self, points: Float[Tensor, "point 3"]) -> Any:
        """Return what density and colour need to know of world points; can be indexed."""
        ...

    def inside(self, coordinates: Any) -> Float[Tensor, " point"]:
        """Return the depth of points below the surface, metres."""
        ...

    def enters(self, coordinates: Any, directions: Float[Tensor, "point 3"]) -> Bool[Tensor, " point"]:
        """Return whether rays go deeper below the surface at points: the density is 0 where they do not.

        Args:
            coordinates: of the points.
            directions: unit directions of the rays, world space.
        """
        ...

    def density(
        self,
        coordinates: Any,
        inside: Float[Tensor, " point"],
        directions: Float[Tensor, "point 3"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Return the mean density of intervals of rays, 1/m.

        Args:
            coordinates: of one point in each interval.
            inside: its depth below the surface, metres.
            directions: unit directions of the rays, world space.
            before: from the start of the interval to the point, metres.
            after: from the point to the end of the interval, metres.
        """
        ...

    def colour(
        self, coordinates: Any, directions: Float[Tensor, "point 3"]
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Return colours, sRGB in [0, 1], and the share of them that the photo saw.

        Args:
            coordinates: of the points.
            directions: unit directions from which they are seen, world space.
        """
        ...


@dataclass(frozen=True)
class Shaded:
    """Rendered colours of rays, and the field along them."""

    colours: RayColours
    samples: RaySamples
    inside: Float[Tensor, " sample"] | None
    """Depth of the samples below the surface, metres; None for a field without a surface."""


def shade(field: DeferredField, rays: Rays, samples: RaySamples, backend: Backend) -> Shaded:
    """Render rays from all of their samples at once, differentiably.

    Args:
        field: world space.
        rays: unit directions.
        samples: along them.
        backend: compositing.

    Returns:
        Colours, samples, and the depth of each sample below the surface.
    """
    ray, position = samples.ray, samples.position
    coordinates = field.locate(rays.origins[ray] + position[:, None] * rays.directions[ray])
    inside = field.inside(coordinates)
    density = field.density(coordinates, inside, rays.directions[ray], position - samples.start, samples.end - position)
    weights, _ = backend.composite(density, samples, rays.origins.new_ones(samples.num_rays))
    counts = (weights.detach() > FAINT).nonzero()[:, 0]
    colours = _coloured(field, rays, coordinates[counts], ray[counts], weights[counts], ray, weights, position, backend)
    return Shaded(colours, samples, inside)


def follow_deferred(
    field: DeferredField, rays: Rays, samples: RaySamples, backend: Backend, options: MarchOptions
) -> RayColours:
    """Render rays front to back, density first, colour where it counts. No gradients.

    Args:
        field: world space.
        rays: unit directions.
        samples: along them.
        backend: compositing.
        options: how rays are marched.

    Returns:
        The colours of the rays.
    """

    def evaluate(ray: Tensor, block: RaySamples) -> tuple[Tensor, None]:
        columns = (ray, block.position, block.position - block.start, block.end - block.position)
        chunks = zip(*(x.split(options.points_per_chunk) for x in columns), strict=True)
        return torch.cat([_density(field, rays, *chunk) for chunk in chunks]), None

    all_of = [
        (ray, weights, position)
        for ray, position, weights, _ in march(samples, rays.origins.new_ones(()), backend, options, evaluate)
    ]
    if not all_of:
        nothing = rays.origins.new_zeros(samples.num_rays)
        return RayColours(nothing[:, None].expand(-1, 3), nothing, nothing, nothing)
    ray, weights, position = (torch.cat(x) for x in zip(*all_of, strict=True))
    some_ray, some_weights, some_position = _brought_together(ray, weights, position, samples.num_rays)
    coordinates = field.locate(rays.origins[some_ray] + some_position[:, None] * rays.directions[some_ray])
    return _coloured(field, rays, coordinates, some_ray, some_weights, ray, weights, position, backend)


def _brought_together(
    ray: Int[Tensor, " sample"], weights: Float[Tensor, " sample"], position: Float[Tensor, " sample"], num_rays: int
) -> tuple[Int[Tensor, " some"], Float[Tensor, " some"], Float[Tensor, " some"]]:
    """Choose where to evaluate colour: one position on rays that meet one surface, the samples that count on others.

    Returns:
        Rays, weights and positions.
    """
    opacity, mean = _summed(ray, weights, position, num_rays)
    norm = opacity.clamp(min=torch.finfo(weights.dtype).tiny)
    spread = weights * (position - mean[ray]).square()
    variance = weights.new_zeros(num_rays).index_add(0, ray, spread) / norm
    visible = opacity > INVISIBLE
    together = visible & (variance < TOGETHER_M**2)
    # in short steps all samples of a ray may be faint
    heaviest = torch.zeros_like(opacity).scatter_reduce(0, ray, weights, "amax")
    counts = weights > (heaviest / 2).clamp(max=FAINT)[ray]
    whole = together.nonzero()[:, 0]
    alone = (counts & (visible & ~together)[ray]).nonzero()[:, 0]
    return (
        torch.cat([whole, ray[alone]]),
        torch.cat([opacity[whole], weights[alone]]),
        torch.cat([mean[whole], position[alone]]),
    )


def _summed(
    ray: Int[Tensor, " sample"], weights: Float[Tensor, " sample"], position: Float[Tensor, " sample"], num_rays: int
) -> tuple[Float[Tensor, " ray"], Float[Tensor, " ray"]]:
    """Return opacity and mean position of each ray."""
    zeros = weights.new_zeros(num_rays)
    opacity = zeros.index_add(0, ray, weights)
    norm = opacity.clamp(min=torch.finfo(weights.dtype).tiny)
    return opacity, zeros.index_add(0, ray, weights * position) / norm


def _density(
    field: DeferredField,
    rays: Rays,
    ray: Int[Tensor, " sample"],
    position: Float[Tensor, " sample"],
    before: Float[Tensor, " sample"],
    after: Float[Tensor, " sample"],
) -> Float[Tensor, " sample"]:
    directions = rays.directions[ray]
    coordinates = field.locate(rays.origins[ray] + position[:, None] * directions)
    if directions.is_cuda:  # choosing some would make the CPU wait
        return field.density(coordinates, field.inside(coordinates), directions, before, after)
    entering = field.enters(coordinates, directions).nonzero()[:, 0]
    some = coordinates[entering]
    density = field.density(some, field.inside(some), directions[entering], before[entering], after[entering])
    return torch.zeros_like(before).index_put((entering,), density)


def _coloured(
    field: DeferredField,
    rays: Rays,
    coordinates: Any,
    some_ray: Int[Tensor, " some"],
    some_weights: Float[Tensor, " some"],
    ray: Int[Tensor, " sample"],
    weights: Float[Tensor, " sample"],
    position: Float[Tensor, " sample"],
    backend: Backend,
) -> RayColours:
    """Return the colours of the samples that count, summed over rays."""
    num_rays = len(rays.origins)
    opacity, distance = _summed(ray, weights, position, num_rays)
    zeros = weights.new_zeros(num_rays)
    if len(some_ray) == 0:
        return RayColours(zeros[:, None].expand(-1, 3), opacity, distance, zeros)
    parts = [
        torch.cat([colour, seen[:, None]], dim=1)
        for colour, seen in (
            field.colour(coordinates[some], rays.directions[some_ray[some]])
            for some in torch.arange(len(some_ray), device=ray.device).split(backend.chunk(COLOURS_PER_CHUNK))
        )
    ]
    total = zeros.index_add(0, some_ray, some_weights).clamp(min=torch.finfo(weights.dtype).tiny)
    mean = weights.new_zeros(num_rays, 4).index_add(0, some_ray, some_weights[:, None] * torch.cat(parts))
    mean = mean / total[:, None]
    return RayColours(mean[:, :3] * opacity[:, None], opacity, distance, mean[:, 3])
