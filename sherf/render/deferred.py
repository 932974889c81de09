"""Deferred colour: density along rays first, front to back, and colour only where a sample counts."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.backend import Backend
from sherf.render.march import MarchOptions, RayColours, march
from sherf.scene import Rays, RaySamples

FAINT = 0.05
"""A sample whose weight in its ray is smaller gets no colour of its own: the others' colours stand for it."""
TOGETHER_M = 0.012
"""Where the weights of a ray spread no further (their standard deviation), it gets one colour, at their mean place."""
COLOURS_PER_CHUNK = 2**14


@runtime_checkable
class DeferredField(Protocol):
    """A field that can tell density without colour."""

    def places(self, points: Float[Tensor, "point 3"]) -> Any:
        """What density and colour need to know of points; can be indexed."""
        ...

    def inside(self, places: Any) -> Float[Tensor, " point"]:
        """Metres inside of the surface."""
        ...

    def density(
        self,
        places: Any,
        inside: Float[Tensor, " point"],
        directions: Float[Tensor, "point 3"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Mean density of intervals along unit directions, 1/m, that begin `before` each place and end `after` it."""
        ...

    def colour(self, places: Any) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Colour, and how much of it the photo saw."""
        ...


@dataclass(frozen=True)
class Shaded:
    """What rays see, and what the field said along them."""

    colours: RayColours
    samples: RaySamples
    inside: Float[Tensor, " sample"]


def shade(field: DeferredField, rays: Rays, samples: RaySamples, backend: Backend) -> Shaded:
    """All samples at once, differentiable."""
    ray, place = samples.ray, samples.place
    places = field.places(rays.origins[ray] + place[:, None] * rays.directions[ray])
    inside = field.inside(places)
    density = field.density(places, inside, rays.directions[ray], place - samples.start, samples.end - place)
    weights, _ = backend.composite(density, samples, rays.origins.new_ones(samples.num_rays))
    counts = (weights.detach() > FAINT).nonzero()[:, 0]
    colours = _coloured(field, places[counts], ray[counts], weights[counts], ray, weights, place, samples.num_rays)
    return Shaded(colours, samples, inside)


def follow_deferred(
    field: DeferredField, rays: Rays, samples: RaySamples, backend: Backend, options: MarchOptions
) -> RayColours:
    """Front to back, leaving rays that have gone dark. No gradients."""

    def ask(ray: Tensor, block: RaySamples) -> tuple[Tensor, None]:
        columns = (ray, block.place, block.place - block.start, block.end - block.place)
        chunks = zip(*(x.split(options.points_per_chunk) for x in columns), strict=True)
        return torch.cat([_density(field, rays, *chunk) for chunk in chunks]), None

    all_of = [
        (ray, weights, place)
        for ray, place, weights, _ in march(samples, rays.origins.new_ones(()), backend, options, ask)
    ]
    if not all_of:
        nothing = rays.origins.new_zeros(samples.num_rays)
        return RayColours(nothing[:, None].expand(-1, 3), nothing, nothing, nothing)
    ray, weights, place = (torch.cat(x) for x in zip(*all_of, strict=True))
    some_ray, some_weights, some_place = _brought_together(ray, weights, place, samples.num_rays)
    places = field.places(rays.origins[some_ray] + some_place[:, None] * rays.directions[some_ray])
    return _coloured(field, places, some_ray, some_weights, ray, weights, place, samples.num_rays)


def _brought_together(
    ray: Int[Tensor, " sample"], weights: Float[Tensor, " sample"], place: Float[Tensor, " sample"], num_rays: int
) -> tuple[Int[Tensor, " some"], Float[Tensor, " some"], Float[Tensor, " some"]]:
    """Where to ask for colour: one place of each ray that meets one surface, the samples that count of all others.

    Returns:
        Rays, weights, places.
    """
    opacity, mean = _summed(ray, weights, place, num_rays)
    norm = opacity.clamp(min=torch.finfo(weights.dtype).tiny)
    spread = weights * (place - mean[ray]).square()
    variance = weights.new_zeros(num_rays).index_add(0, ray, spread) / norm
    together = (opacity > FAINT) & (variance < TOGETHER_M**2)
    whole = together.nonzero()[:, 0]
    alone = ((weights > FAINT) & ~together[ray]).nonzero()[:, 0]
    return (
        torch.cat([whole, ray[alone]]),
        torch.cat([opacity[whole], weights[alone]]),
        torch.cat([mean[whole], place[alone]]),
    )


def _summed(
    ray: Int[Tensor, " sample"], weights: Float[Tensor, " sample"], place: Float[Tensor, " sample"], num_rays: int
) -> tuple[Float[Tensor, " ray"], Float[Tensor, " ray"]]:
    """Opacity and mean place of each ray."""
    zeros = weights.new_zeros(num_rays)
    opacity = zeros.index_add(0, ray, weights)
    norm = opacity.clamp(min=torch.finfo(weights.dtype).tiny)
    return opacity, zeros.index_add(0, ray, weights * place) / norm


def _density(
    field: DeferredField,
    rays: Rays,
    ray: Int[Tensor, " sample"],
    place: Float[Tensor, " sample"],
    before: Float[Tensor, " sample"],
    after: Float[Tensor, " sample"],
) -> Float[Tensor, " sample"]:
    directions = rays.directions[ray]
    places = field.places(rays.origins[ray] + place[:, None] * directions)
    return field.density(places, field.inside(places), directions, before, after)


def _coloured(
    field: DeferredField,
    places: Any,
    some_ray: Int[Tensor, " some"],
    some_weights: Float[Tensor, " some"],
    ray: Int[Tensor, " sample"],
    weights: Float[Tensor, " sample"],
    place: Float[Tensor, " sample"],
    num_rays: int,
) -> RayColours:
    """Colours of the samples that count, summed over rays."""
    opacity, distance = _summed(ray, weights, place, num_rays)
    zeros = weights.new_zeros(num_rays)
    if len(some_ray) == 0:
        return RayColours(zeros[:, None].expand(-1, 3), opacity, distance, zeros)
    parts = [
        torch.cat([colour, seen[:, None]], dim=1)
        for colour, seen in (
            field.colour(places[some])
            for some in torch.arange(len(some_ray), device=ray.device).split(COLOURS_PER_CHUNK)
        )
    ]
    total = zeros.index_add(0, some_ray, some_weights).clamp(min=torch.finfo(weights.dtype).tiny)
    mean = weights.new_zeros(num_rays, 4).index_add(0, some_ray, some_weights[:, None] * torch.cat(parts))
    mean = mean / total[:, None]
    return RayColours(mean[:, :3] * opacity[:, None], opacity, distance, mean[:, 3])
