"""Rays that know where the surface is: most of them get one sample, where they meet it.

The field gives three shells around its surface. A ray that meets the outer, the middle and the inner one at once meets
an opaque surface: it is coloured where it meets the middle one. Rays that graze the surface, pass one part of it before
they meet another, or meet translucent matter are marched through the outer shell.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.camera.pinhole import camera_rays, project
from sherf.render.backend import Backend, Shell
from sherf.render.deferred import COLOURS_PER_CHUNK, DeferredField, follow_deferred
from sherf.render.march import MarchOptions, RayColours, in_chunks
from sherf.scene import Camera, Frame, Rays, RaySamples

STEP_M = 0.012
"""Length of a sample along a marched ray, metres."""
BLOCK = 3
"""Samples per ray that are evaluated together: see `MarchOptions.block`."""
SLACK = 1.6
"""Shells may lie this much further apart along a ray than their distance along its normal suggests."""
MIN_COSINE = 0.1
"""Rays that meet the middle shell at a flatter angle are marched."""
FULL_COVERAGE = 0.99
"""Matter that is less opaque is marched through."""


@dataclass(frozen=True)
class Shells:
    """Three closed meshes with the same triangles around a surface."""

    outer: Shell
    """The density is negligible outside."""
    middle: Shell
    """The surface."""
    inner: Shell
    """Rays are opaque here."""
    apart_m: float
    """From the middle to the outer and to the inner shell, metres."""
    vertices: Float[Tensor, "vertex 3"]
    """Of the outer shell, world space, metres."""


@runtime_checkable
class TracedField(DeferredField, Protocol):
    """A field that knows where its surface is."""

    def coverage(self, coordinates: Any, directions: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        """Return the greatest opacity that matter may have at points, 0 to 1.

        Args:
            coordinates: of the points.
            directions: unit directions from which they are seen, world space.
        """
        ...


def trace_frame(field: TracedField, camera: Camera, shells: Shells, backend: Backend, options: MarchOptions) -> Frame:
    """Return the frame of one camera. No gradients.

    Args:
        field: world space.
        camera: on the CPU.
        shells: around the field's surface.
        backend: compositing.
        options: how many rays are traced together; marched rays take shorter steps.
    """
    options = replace(options, step=STEP_M, block=BLOCK)
    pixels = _pixels_around(shells.vertices, camera)
    (height, width), num_pixels = camera.size, math.prod(camera.size)
    rays = camera_rays(camera, torch.stack([pixels % width, pixels // width], dim=1) + 0.5)
    layers = rays.origins.new_zeros(num_pixels, 6)
    if len(pixels):
        parts = [_trace(field, chunk, shells, backend, options) for chunk in in_chunks(rays, options)]
        rgb, opacity, distance, visibility = (
            torch.cat(x) for x in zip(*(vars(y).values() for y in parts), strict=True)
        )
        depth = distance * (rays.directions @ camera.R[2])
        layers[pixels] = torch.cat([rgb, torch.stack([opacity, depth, visibility], dim=1)], dim=1)
    rgb, opacity, depth, visibility = layers.T.reshape(6, height, width).split([3, 1, 1, 1])
    return Frame(rgb, opacity[0], depth[0], visibility[0])


def _pixels_around(vertices: Float[Tensor, "vertex 3"], camera: Camera) -> Int[Tensor, " pixel"]:
    """Return the pixels of the box around a mesh; all of them if part of it is beside or behind the camera."""
    (height, width), device = camera.size, vertices.device
    pixels, depth = project(camera, vertices)
    if bool((depth <= 0).any()):
        return torch.arange(height * width, device=device)
    most = pixels.new_tensor([width, height])
    (left, top), (right, bottom) = (
        edge.clamp_min(0).minimum(most).long().tolist()
        for edge in (pixels.amin(dim=0).floor(), pixels.amax(dim=0).ceil())
    )
    rows, columns = torch.arange(top, bottom, device=device), torch.arange(left, right, device=device)
    return (rows[:, None] * width + columns).flatten()


def _chosen(rays: Rays, some: Int[Tensor, " some"]) -> Rays:
    return Rays(*(x[some] for x in vars(rays).values()))


def _trace(field: TracedField, rays: Rays, shells: Shells, backend: Backend, options: MarchOptions) -> RayColours:
    """Return the colours of rays."""
    num_rays = len(rays.origins)
    entry, _ = shells.outer.first(rays)
    reached = entry.isfinite().nonzero()[:, 0]
    near = _chosen(rays, reached)
    distance, is_sure = _meet(shells, near, entry[reached])
    sure = is_sure.nonzero()[:, 0]
    met = _chosen(near, sure)
    coordinates = field.locate(met.origins + distance[sure, None] * met.directions)
    covered = (field.coverage(coordinates, met.directions) > FULL_COVERAGE).nonzero()[:, 0]
    sure = sure[covered]
    opaque = _coloured(field, coordinates[covered], met.directions[covered], distance[sure], backend)
    doubtful = torch.ones_like(is_sure).index_fill(0, sure, False).nonzero()[:, 0]
    grazing = _chosen(near, doubtful)
    marched = follow_deferred(field, grazing, _samples(shells.outer, grazing, options.step), backend, options)
    where = torch.cat([reached[sure], reached[doubtful]])
    return RayColours(
        *(
            a.new_zeros(num_rays, *a.shape[1:]).index_put((where,), torch.cat([a, b]))
            for a, b in zip(vars(opaque).values(), vars(marched).values(), strict=True)
        )
    )


def _meet(
    shells: Shells, rays: Rays, entry: Float[Tensor, " ray"]
) -> tuple[Float[Tensor, " ray"], Bool[Tensor, " ray"]]:
    """Return where rays meet the middle shell, and whether they surely meet an opaque surface there, nothing before."""
    distance, cosine = shells.middle.first(rays)
    end, cosine_inside = shells.inner.first(rays)
    is_one_surface = ((distance - entry) * cosine < 2 * SLACK * shells.apart_m) & (
        (end - distance) * cosine < SLACK * shells.apart_m
    )
    return distance, is_one_surface & (cosine > MIN_COSINE) & (cosine_inside > 0)


def _coloured(
    field: TracedField,
    coordinates: Any,
    directions: Float[Tensor, "ray 3"],
    distance: Float[Tensor, " ray"],
    backend: Backend,
) -> RayColours:
    """Return the colours of rays that meet an opaque surface."""
    chunks = torch.arange(len(distance), device=distance.device).split(backend.chunk(COLOURS_PER_CHUNK))
    colour, shown = zip(*(field.colour(coordinates[some], directions[some]) for some in chunks), strict=True)
    return RayColours(torch.cat(colour), torch.ones_like(distance), distance, torch.cat(shown))


def _samples(shell: Shell, rays: Rays, step: float) -> RaySamples:
    """Return samples of rays inside a shell, of at most `step` metres."""
    ray, start, end = shell.intervals(rays)
    pieces = ((end - start) / step).ceil().clamp_min(1).long()
    of = torch.repeat_interleave(pieces)
    number = torch.arange(len(of), device=of.device) - (pieces.cumsum(dim=0) - pieces)[of]
    length = ((end - start) / pieces)[of]
    begin = start[of] + number * length
    return RaySamples(ray[of], begin, begin + length, len(rays.origins))
