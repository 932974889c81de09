"""The radiance field of sherf-small with a layer that stands off the body: the union of two fields."""

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.body.lbs import vertex_normals
from sherf.camera.pinhole import project
from sherf.models.layers.interpolate import weighted_rows
from sherf.models.solid import POINTS_PER_CHUNK, Solid
from sherf.models.surface.coordinates import BodyCoordinates
from sherf.models.surface.decoder import OffsetHead
from sherf.models.surface.field import CUT_SCALE_M, VOXEL_M, SurfaceField
from sherf.models.surface.filtered_photo import FilteredPhoto
from sherf.models.surface.layer import Layer
from sherf.models.surface.render import RenderedSurface
from sherf.models.surface.trust import ANY_DIRECTION, FULLY_FACING, along_sight, rise
from sherf.render.deferred import UNREACHED_M
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera

REACH_M = 0.02
"""Distance from the layer within which it is evaluated, metres."""
ON_LAYER_M = 0.003
"""Points up to this far outside the layer's surface count as lying on it, metres."""


@dataclass(frozen=True)
class LayerCoordinates:
    """Points relative to the layer."""

    distance: Float[Tensor, " point"]
    """Signed distance, metres, negative inside; `-UNREACHED_M` out of reach."""
    in_photo: Float[Tensor, "point 3"]
    """Where the points are in the photo's world, metres."""
    rotation: Float[Tensor, "point 3 3"]
    """Rotation around the points from the world to the photo's world."""
    normals: Float[Tensor, "point 3"]
    """Unit normals of the nearest surface points, world space."""
    photo_normals: Float[Tensor, "point 3"]
    """The same in the photo's world."""

    def __getitem__(self, index: Tensor) -> "LayerCoordinates":
        return LayerCoordinates(*(x[index] for x in vars(self).values()))


@dataclass(frozen=True)
class LayeredCoordinates:
    """Points relative to the body and to the layer."""

    body: BodyCoordinates
    layer: LayerCoordinates

    def __getitem__(self, index: Tensor) -> "LayeredCoordinates":
        return LayeredCoordinates(self.body[index], self.layer[index])


class LayerField:
    """The layer in one pose."""

    def __init__(self, layer: Layer, field: SurfaceField):
        """Pose the layer.

        Args:
            layer: on the field's device.
            field: of the body in the same pose.
        """
        self.faces, self.camera = layer.faces, field.tables.bank.subject.camera
        photo_body = field.body.pose(field.tables.bank.subject.pose)
        self.vertices = layer.posed(field.posed)
        in_photo = layer.posed(photo_body)
        normals, photo_normals = (vertex_normals(x, layer.faces) for x in (self.vertices, in_photo))
        rotation = layer.rotations(field.posed, photo_body).flatten(start_dim=1)
        self.normals = normals
        self._table = torch.cat([self.vertices, in_photo, rotation, normals, photo_normals], dim=1)
        self._surface = field.backend.surface(self.vertices, layer.faces)
        self._head: OffsetHead = field.heads.offset

    @cached_property
    def grid(self) -> OccupancyGrid:
        """The voxels within reach."""
        return OccupancyGrid.around(self.vertices, self.faces, REACH_M, VOXEL_M)

    def locate(self, points: Float[Tensor, "point 3"]) -> LayerCoordinates:
        """Return the coordinates of world points, metres."""
        near = self.grid.contains(points).nonzero()[:, 0]
        nearest = self._surface.nearest(points[near])
        corners = self.faces[nearest.face]
        rows = weighted_rows(self._table, corners, nearest.barycentric)
        rotation = rows[:, 6:15].unflatten(1, (3, 3))
        moved = rows[:, 3:6] + (rotation * (points[near] - rows[:, :3])[:, None]).sum(dim=-1)
        normals, photo_normals = (F.normalize(rows[:, i : i + 3], dim=1) for i in (15, 18))
        blank = points.new_zeros(len(points), 3)
        return LayerCoordinates(
            points.new_full((len(points),), -UNREACHED_M).index_put((near,), nearest.distance),
            blank.index_put((near,), moved),
            points.new_zeros(len(points), 3, 3).index_put((near,), rotation),
            blank.index_put((near,), normals),
            blank.index_put((near,), photo_normals),
        )

    def density(
        self,
        coordinates: LayerCoordinates,
        photo: FilteredPhoto,
        directions: Float[Tensor, "point 3"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Return the mean density over intervals of rays, 1/m; 0 out of reach."""
        near = (coordinates.distance < REACH_M).nonzero()[:, 0]
        some = coordinates[near]
        slope = -(some.normals * directions[near]).sum(dim=1)
        coverage = self.coverage(some, photo, directions[near])
        found = self._head.density(-some.distance, slope, before[near], after[near], coverage)
        return torch.zeros_like(before).index_put((near,), found)

    def carved(self, coordinates: LayerCoordinates, photo: FilteredPhoto) -> Float[Tensor, " point"]:
        """Return the depth of points below the layer's surface, cut off at the outline of the mask, metres."""
        limit = (photo.coverage(project(self.camera, coordinates.in_photo)[0]) - 0.5) * CUT_SCALE_M
        return torch.minimum(-coordinates.distance, torch.where(coordinates.distance < REACH_M, limit, torch.inf))

    def colour(
        self, coordinates: LayerCoordinates, photo: FilteredPhoto, directions: Float[Tensor, "point 3"] | None
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Return colours, sRGB in [0, 1], and the share that the photo saw: the side that faces its camera.

        The far side has the colour that the photo shows in front of it.
        """
        sight = coordinates.in_photo - self.camera.position
        cosine = -(coordinates.photo_normals * F.normalize(sight, dim=1)).sum(dim=1)
        shown = ANY_DIRECTION * rise(cosine, (0.0, FULLY_FACING))
        if directions is not None:
            shown = torch.maximum(shown, along_sight(coordinates.rotation, sight, directions))
        return photo.colour(project(self.camera, coordinates.in_photo)[0]), shown

    def coverage(
        self, coordinates: LayerCoordinates, photo: FilteredPhoto, directions: Float[Tensor, "point 3"]
    ) -> Float[Tensor, " point"]:
        """Return the greatest opacity that matter may have at points: `TracedField.coverage`."""
        own = along_sight(coordinates.rotation, coordinates.in_photo - self.camera.position, directions)
        return photo.coverage(project(self.camera, coordinates.in_photo)[0], own)


class LayeredField(RenderedSurface):
    """The union of the body's field and its layer: a `Field`."""

    def __init__(self, field: SurfaceField, layer: Layer):
        """Pose the layer; `field` is the body's."""
        self.field, self.layer = field, LayerField(layer, field)
        self.photo, self.backend, self.options = field.photo, field.backend, field.options
        self.is_traced = field.is_traced

    @cached_property
    def grid(self) -> OccupancyGrid:
        """The voxels that can be occupied."""
        field, layer = self.field, self.layer
        reach = torch.cat([field.reach, torch.full_like(layer.vertices[:, 0], REACH_M)])
        with torch.no_grad():
            return OccupancyGrid.within(torch.cat([field.vertices, layer.vertices]), self.triangles, reach, VOXEL_M)

    def locate(self, points: Float[Tensor, "point 3"]) -> LayeredCoordinates:
        """Return the coordinates of world points, metres. No gradients."""
        with torch.no_grad():
            return LayeredCoordinates(self.field.locate(points), self.layer.locate(points))

    def enters(self, coordinates: LayeredCoordinates, directions: Float[Tensor, "point 3"]) -> Bool[Tensor, " point"]:
        """Return whether rays go deeper below one of the surfaces at points: `DeferredField.enters`."""
        of_layer = (coordinates.layer.normals * directions).sum(dim=1) < 0
        return of_layer | self.field.enters(coordinates.body, directions)

    def inside(self, coordinates: LayeredCoordinates) -> Float[Tensor, " point"]:
        """Return the depth of points below the body's clothed surface, metres."""
        return self.field.inside(coordinates.body)

    def density(
        self,
        coordinates: LayeredCoordinates,
        inside: Float[Tensor, " point"],
        directions: Float[Tensor, "point 3"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Return the mean density over intervals of rays, 1/m: the greater of both."""
        of_body = self.field.density(coordinates.body, inside, directions, before, after)
        return torch.maximum(of_body, self.layer.density(coordinates.layer, self.photo, directions, before, after))

    def colour(
        self, coordinates: LayeredCoordinates, directions: Float[Tensor, "point 3"] | None = None
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Return the colour of the deeper of the two, sRGB in [0, 1], and the share that the photo saw."""
        colour, shown = self.field.colour(coordinates.body, directions)
        near = (coordinates.layer.distance < REACH_M).nonzero()[:, 0]
        deeper = -coordinates.layer.distance[near] > self.field.inside(coordinates.body[near])
        on_layer = near[deeper.nonzero()[:, 0]]
        towards = None if directions is None else directions[on_layer]
        of_layer, shown_layer = self.layer.colour(coordinates.layer[on_layer], self.photo, towards)
        return colour.index_put((on_layer,), of_layer), shown.index_put((on_layer,), shown_layer)

    def coverage(
        self, coordinates: LayeredCoordinates, directions: Float[Tensor, "point 3"]
    ) -> Float[Tensor, " point"]:
        """Return the greatest opacity that matter may have at points on either surface: `TracedField.coverage`."""
        of_body = self.field.coverage(coordinates.body, directions)
        on_layer = (coordinates.layer.distance < ON_LAYER_M).nonzero()[:, 0]
        of_layer = self.layer.coverage(coordinates.layer[on_layer], self.photo, directions[on_layer])
        return of_body.index_put((on_layer,), of_layer)

    @property
    def softness_m(self) -> float:
        """The same for body and layer: `RenderedSurface.softness_m`."""
        return self.field.softness_m

    @property
    def triangles(self) -> Int[Tensor, "face 3"]:
        """The triangles of both surfaces: `RenderedSurface.triangles`."""
        return torch.cat([self.field.body.faces, self.layer.faces + len(self.field.vertices)])

    def shell_vertices(self, camera: Camera, levels: tuple[float, ...]) -> list[Float[Tensor, "vertex 3"]]:
        """Return the vertices of both surfaces' shells: `RenderedSurface.shell_vertices`."""
        of_layer = (self.layer.vertices - level * self.layer.normals for level in levels)
        return [torch.cat(x) for x in zip(self.field.shell_vertices(camera, levels), of_layer, strict=True)]

    def filtered(self, camera: Camera) -> "LayeredField":
        """Return the field with the photo at the resolution of a camera's frame; the rest is shared."""
        field = copy(self)
        field.field = self.field.filtered(camera)
        field.photo = field.field.photo
        return field

    def solid(self) -> Solid:
        """Return both surfaces as one solid."""
        both = copy(self)
        both.field = self.field.for_solid()

        def inside(points: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
            coordinates = both.locate(points)
            return torch.maximum(both.field.carved(coordinates.body), both.layer.carved(coordinates.layer, both.photo))

        return Solid(
            self.field.posed,
            self.grid,
            (torch.cat([self.field.surface_vertices, self.layer.vertices]), self.triangles),
            inside,
            lambda points: both.colour(both.locate(points)),
            self.field.backend.chunk(POINTS_PER_CHUNK),
        )
