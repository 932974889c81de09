"""The radiance field of sherf-small in one pose: density anchored to the body's surface, deferred colour."""

from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.vertex_warp import vertex_warp
from sherf.camera.pinhole import camera_rays, project
from sherf.models.layers.interpolate import weighted_rows
from sherf.models.solid import POINTS_PER_CHUNK, Solid
from sherf.models.surface.coordinates import BodyCoordinates
from sherf.models.surface.render import RenderedSurface
from sherf.models.surface.tables import SurfaceTables
from sherf.models.surface.trust import along_sight, photo_trust
from sherf.render.backend import Backend
from sherf.render.deferred import UNREACHED_M, Shaded, shade
from sherf.render.march import MarchOptions
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, PosedBody, Rays, RaySamples

VOXEL_M = 0.0125
"""Side of the occupancy grid's voxels."""
BEYOND_M = 0.03
"""In training, rays end this far behind the true surface, metres."""
NEGLIGIBLE_M = 0.025
"""This far outside the surface density is negligible, metres."""
SWELL_M = 0.004
"""In the photo's own direction the surface reaches at least this far further, up to the mask's outline, metres."""
CUT_SCALE_M = 0.02
"""Length over which the mask's values from 0 to 1 are taken to extend, for the surface of the solid, metres."""
OPTIONS = MarchOptions(step=0.014, block=4, stop=5e-3, points_per_chunk=2**15)
"""How frames are marched."""


class SurfaceField(RenderedSurface):
    """Radiance of an avatar in one pose, in world space."""

    def __init__(
        self,
        tables: SurfaceTables,
        body: BodyModel,
        posed: PosedBody,
        backend: Backend,
        options: MarchOptions = OPTIONS,
        step_m: float = OPTIONS.step,
        faithful: bool = True,
    ):
        """Prepare the pose.

        Args:
            tables: the bank.
            body: the body model.
            posed: the body in this pose; may carry a data set's own vertices in place of the body model's.
            backend: the operations that differ between devices.
            options: how frames are marched.
            step_m: length of a sample along a ray in training, metres.
            faithful: whether the photo overrules the network where it shows a point: its colour (`photo_trust`), and
                its mask, beyond which matter is cut off. Networks are trained without, and so are avatars rendered
                that were saved before banks were completed.
        """
        self.tables, self.heads, self.config, self.body = tables, tables.heads, tables.config, body
        self.posed, self.backend, self.options, self.step_m = posed, backend, options, step_m
        self.faithful, self.photo = faithful and tables.bank.raised is not None, tables.photo
        self.is_traced = backend.make_shell is not None and tables.config.anchored
        self.mixture: Tensor | None = None
        """For each vertex, what the colour head returns there; None evaluates it at every point."""
        self.surface = backend.surface(posed.vertices, body.faces)
        atlas = tables.atlas
        to_canonical = vertex_warp(posed, atlas.posed)[:, :3, :3].flatten(start_dim=1)
        self.vertices = posed.vertices
        self.reach = tables.reach()
        normals = vertex_normals(posed.vertices, body.faces)
        raised = tables.raised[:, None]
        columns = [posed.vertices, to_canonical, atlas.vertices, atlas.normals, self.reach[:, None], normals, raised]
        self._vertex_table = torch.cat(columns, dim=1)

    @cached_property
    def grid(self) -> OccupancyGrid:
        """The voxels that can be occupied: those within reach of the displaced surface."""
        with torch.no_grad():
            return OccupancyGrid.within(self.vertices, self.body.faces, self.reach, VOXEL_M)

    def locate(self, points: Float[Tensor, "point 3"]) -> BodyCoordinates:
        """Return the body coordinates of world points (metres). No gradients."""
        with torch.no_grad():
            nearest = self.surface.nearest(points)
            corners = self.body.faces[nearest.face]
            rows = weighted_rows(self._vertex_table, corners, nearest.barycentric)
            to_canonical = rows[:, 3:12].unflatten(1, (3, 3))
            offset = (to_canonical * (points - rows[:, :3])[:, None]).sum(dim=-1)
            normals, world_normals = (F.normalize(rows[:, i : i + 3], dim=1) for i in (15, 19))
            return BodyCoordinates(
                corners,
                nearest.barycentric,
                nearest.distance,
                rows[:, 12:15],
                offset,
                normals,
                rows[:, 18],
                world_normals,
                to_canonical,
                rows[:, 22],
            )

    def inside(self, coordinates: BodyCoordinates, everywhere: bool = False) -> Float[Tensor, " point"]:
        """Return the depth of points below the clothed surface, metres; `UNREACHED_M` out of reach.

        Args:
            coordinates: of the points, as returned by `locate`.
            everywhere: whether to evaluate the network out of reach too.
        """
        if everywhere:
            return self.tables.depth(coordinates)
        near = (coordinates.distance < coordinates.reach).nonzero()[:, 0]
        unreached = torch.full_like(coordinates.distance, UNREACHED_M)
        return unreached.index_put((near,), self.tables.depth(coordinates[near])) if len(near) else unreached

    def enters(self, coordinates: BodyCoordinates, directions: Float[Tensor, "point 3"]) -> Bool[Tensor, " point"]:
        """Return whether rays go deeper below the surface at points: `DeferredField.enters`."""
        return (coordinates.world_normals * directions).sum(dim=1) < 0

    def density(
        self,
        coordinates: BodyCoordinates,
        inside: Float[Tensor, " point"],
        directions: Float[Tensor, "point 3"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Return the mean density over intervals of rays, 1/m: `DeferredField.density`."""
        slope = -(coordinates.world_normals * directions).sum(dim=1)
        if not self.faithful:
            return self.heads.offset.density(inside, slope, before, after)
        near = (inside + coordinates.raised > -NEGLIGIBLE_M).nonzero()[:, 0]
        some = coordinates[near]
        coverage, own = self._coverage(some, directions[near])
        # along the photo's lines of sight the surface swells a little and is cut off exactly at the mask's outline
        found = self.heads.offset.density(
            inside[near] + own * (SWELL_M + some.raised), slope[near], before[near], after[near], coverage
        )
        return torch.zeros_like(inside).index_put((near,), found)

    def coverage(self, coordinates: BodyCoordinates, directions: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        """Return the greatest opacity that matter may have at points: `TracedField.coverage`."""
        if not self.faithful:
            return torch.ones_like(coordinates.distance)
        return self._coverage(coordinates, directions)[0]

    def _coverage(
        self, coordinates: BodyCoordinates, directions: Float[Tensor, "point 3"]
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, " point"]]:
        """Return the coverage, and 1 for points seen in the photo's own direction, 0 from elsewhere."""
        points, rotation = self._in_photo(coordinates)
        camera = self.tables.bank.subject.camera
        canonical = (coordinates.to_canonical * directions[:, None]).sum(dim=-1)
        own = along_sight(rotation, points - camera.position, canonical)
        return self.photo.coverage(project(camera, points)[0], own), own

    def _in_photo(self, coordinates: BodyCoordinates) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point 3 3"]]:
        """Return points in the photo's world, metres, and the rotations from canonical space: `Observed.locate`."""
        return self.tables.observed.locate(coordinates.corners, coordinates.weights, coordinates.offset)

    def carved(self, coordinates: BodyCoordinates) -> Float[Tensor, " point"]:
        """Return the depth of points below the clothed surface, cut off at the outline of the mask, metres."""
        inside = self.inside(coordinates)
        if not self.faithful:
            return inside
        near = (inside > -NEGLIGIBLE_M).nonzero()[:, 0]
        pixels, _ = project(self.tables.bank.subject.camera, self._in_photo(coordinates[near])[0])
        limit = (self.photo.coverage(pixels) - 0.5) * CUT_SCALE_M
        return inside.index_put((near,), torch.minimum(inside[near], limit))

    def colour(
        self, coordinates: BodyCoordinates, directions: Float[Tensor, "point 3"] | None = None
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Return the colour of points, sRGB in [0, 1], and the share of it that the photo saw, 0 to 1.

        Args:
            coordinates: of the points.
            directions: unit directions from which they are seen, world space; None for a colour for any direction.
        """
        look = self.tables.look(coordinates, self.photo)
        if self.mixture is None:
            mixture = self.tables.mix(coordinates, look)
        else:
            mixture = weighted_rows(self.mixture, coordinates.corners, coordinates.weights)
        visibility = look.visibility
        blended, weights = self.heads.colour.blended(look.rows[:, :3], mixture, look.colours, visibility)
        shown = weights[:, 0] * visibility[:, 0]
        if not (self.faithful and self.config.blend):
            return blended, shown
        if directions is not None:
            directions = (coordinates.to_canonical * directions[:, None]).sum(dim=-1)
        trust = photo_trust(self.tables.observed, look.samples[0], directions)
        colours = torch.lerp(blended, look.colours[:, 0], trust[:, None])
        return colours, torch.lerp(shown, torch.ones_like(shown), trust)

    def rays(self, camera: Camera) -> Rays:
        """Return the rays of a camera's pixels, row by row, world space."""
        return camera_rays(camera)

    def filtered(self, camera: Camera) -> "SurfaceField":
        """Return the field with the photo at the resolution of a camera's frame; the rest is shared."""
        field = self.for_solid()
        field.photo = self.tables.filtered_photo(camera, self.vertices)
        return field

    @property
    def softness_m(self) -> float:
        """Depth over which transmittance falls at the surface, metres: `RenderedSurface.softness_m`."""
        return float(self.heads.offset.log_softness.detach().exp())

    @property
    def triangles(self) -> Int[Tensor, "face 3"]:
        """The triangles of the surface's shells: `RenderedSurface.triangles`."""
        return self.body.faces

    def shell_vertices(self, camera: Camera, levels: tuple[float, ...]) -> list[Float[Tensor, "vertex 3"]]:
        """Return the vertices of the surfaces at which points have given depths: `RenderedSurface.shell_vertices`."""
        normals, surface = self._vertex_table[:, 19:22], self.tables.levels
        swelling = torch.zeros_like(self.reach)
        if self.faithful:
            distance = surface.distance(swelling)
            to_canonical = self._vertex_table[:, 3:12].unflatten(1, (3, 3))
            clothed = replace(self.tables.on_normals(distance), to_canonical=to_canonical)
            directions = F.normalize(self.vertices + distance[:, None] * normals - camera.position, dim=1)
            swelling = self._coverage(clothed, directions)[1] * (SWELL_M + self.tables.raised)
        return [self.vertices + surface.distance(level - swelling)[:, None] * normals for level in levels]

    def shade(
        self, rays: Rays, distance: Float[Tensor, " ray"] | None = None, rng: np.random.Generator | None = None
    ) -> Shaded:
        """Render rays with gradients: `TrainableField.shade`."""
        samples = _near_surface(self.backend.sample(rays, self.grid, self.step_m), distance)
        return shade(self, rays, samples if rng is None else _jittered(samples, rng), self.backend)

    def with_maps(self, maps: Float[Tensor, "2 channel h w"]) -> "SurfaceField":
        """Return the field with other maps on the same surface: shape, occlusion and occupancy grid do not change."""
        field = copy(self)
        field.tables = self.tables.with_maps(maps)
        field.__dict__["grid"] = self.grid
        return field

    def surface_depth(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, " near_point"] | None:
        """Return the depth below the clothed surface of points near the body, metres; None if there are none."""
        coordinates = self.locate(points)
        reached = (coordinates.distance < self.config.near_body_m).nonzero()[:, 0]
        return self.inside(coordinates[reached], everywhere=True) if len(reached) else None

    @property
    def surface_vertices(self) -> Float[Tensor, "vertex 3"]:
        """The vertices of the clothed surface, world space, metres."""
        if not self.config.anchored:
            return self.vertices
        distance = self.tables.levels.distance(torch.zeros_like(self.reach))
        return self.vertices + distance[:, None] * self._vertex_table[:, 19:22]

    def for_solid(self) -> "SurfaceField":
        """Return the field as `solid` evaluates it: colours as in frames."""
        field = copy(self)
        field.mixture = self.tables.mixture if self.is_traced else None
        return field

    def solid(self) -> Solid:
        """Return the clothed surface as a solid."""
        field = self.for_solid()
        return Solid(
            self.posed,
            self.grid,
            (self.surface_vertices, self.body.faces),
            lambda points: field.carved(field.locate(points)),
            lambda points: field.colour(field.locate(points)),
            self.backend.chunk(POINTS_PER_CHUNK),
        )


def _near_surface(samples: RaySamples, distance: Float[Tensor, " ray"] | None) -> RaySamples:
    """Return the samples without those far behind a known surface."""
    if distance is None:
        return samples
    surface = torch.where(distance > 0, distance, torch.inf)
    keep = samples.start < (surface + BEYOND_M)[samples.ray]
    return RaySamples(samples.ray[keep], samples.start[keep], samples.end[keep], samples.num_rays)


def _jittered(samples: RaySamples, rng: np.random.Generator) -> RaySamples:
    """Return the samples at random positions within their intervals."""
    start, end = samples.start, samples.end
    jitter = torch.from_numpy(rng.random(len(start), dtype=np.float32)).to(start)
    return RaySamples(samples.ray, start, end, samples.num_rays, start + jitter * (end - start))
