"""The bank of sherf-small prepared for sampling at many points: tables with the heads' linear layers applied."""

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.pinhole import MIN_DEPTH, project
from sherf.models.atlas import atlas_of, front_share
from sherf.models.config import SIDES, SherfConfig
from sherf.models.layers.interpolate import linear_corners, rows_of_image, weighted_rows
from sherf.models.layers.positional_encoding import encode_colour
from sherf.models.protocol import TexelMaps
from sherf.models.surface.bank import SurfaceBank
from sherf.models.surface.coordinates import BodyCoordinates
from sherf.models.surface.decoder import CORRECTION_M, ColourHead, OffsetHead
from sherf.models.surface.encoder import map_rows, observe, sample_maps
from sherf.models.surface.filtered_photo import FilteredPhoto, filter_photo, photo_layers, pixel_ratio
from sherf.models.surface.levels import Levels
from sherf.models.surface.observed import Observed, PhotoSample
from sherf.scene import Camera

SPREAD_M = 0.01
"""The density is negligible this far outside the surface, metres."""


class SurfaceHeads(nn.Module):
    """The layers that decode a bank: displacement, which gives the density, and colour."""

    def __init__(self, config: SherfConfig):
        """Create the layers with random weights."""
        super().__init__()
        self.offset = OffsetHead(config.token_width, config.anchored)
        self.colour = ColourHead(config)


@dataclass(frozen=True)
class Look:
    """What the maps and the photo show at points: the inputs of the colour."""

    rows: Float[Tensor, "point colour_and_token"]
    """Of the maps: logit of the colour, and a token."""
    samples: tuple[PhotoSample, ...]
    """Of the photo, for each look-up."""
    colours: Float[Tensor, "point lookup 3"]
    """The photo's, sRGB in [0, 1]."""

    @property
    def visibility(self) -> Float[Tensor, "point lookup"]:
        """Of the samples, 0 to 1."""
        return torch.stack([sample.visibility for sample in self.samples], dim=1)


class SurfaceTables:
    """A bank prepared for sampling at many points.

    Layers that are linear in the maps are applied to the maps' rows, once per avatar, instead of to the points.
    """

    def __init__(self, bank: SurfaceBank, body: BodyModel, config: SherfConfig, heads: SurfaceHeads):
        """Build the rows, with gradients.

        Args:
            bank: on the same device as `body` and `heads`.
            body: the body model.
            config: the network's configuration.
            heads: the network's heads.
        """
        self.bank, self.config, self.heads, self.body = bank, config, heads, body
        self.atlas = atlas_of(body, *config.plane_size)
        maps = bank.maps
        if maps is None:
            maps = bank.vertices.new_zeros(SIDES, config.token_width, *config.plane_size)
        rows = map_rows(maps, self.atlas)
        self.offset_rows = heads.offset.rows(rows)
        self.colour_rows = heads.colour.rows(rows)
        self.photo_rows = None if bank.pixels is None else heads.colour.photo(rows_of_image(bank.pixels))
        self.photo = filter_photo(self._layers, 1.0)

    @cached_property
    def _layers(self) -> Float[Tensor, "6 h w"]:
        return photo_layers(self.bank.subject, self._photo_depth_m)

    @cached_property
    def _photo_depth_m(self) -> float:
        """Distance of the person from the photo's camera, metres."""
        return max(float(project(self.bank.subject.camera, self.bank.vertices)[1].mean()), MIN_DEPTH)

    def filtered_photo(self, camera: Camera, vertices: Float[Tensor, "vertex 3"]) -> FilteredPhoto:
        """Return the photo at the resolution of a camera's frame, without what is too fine for it.

        Args:
            camera: that renders the avatar.
            vertices: of the body in the rendered pose, world space, metres.
        """
        depth = project(camera, vertices)[1].mean()
        ratio = pixel_ratio(self.bank.subject.camera, self._photo_depth_m, camera, depth)
        return self.photo if ratio <= 1 else filter_photo(self._layers, ratio)

    @cached_property
    def displacement(self) -> Float[Tensor, " vertex"]:
        """Displacement of the clothed surface along each vertex normal, from the maps alone, metres. No gradients."""
        with torch.no_grad():
            rows = sample_maps(self.offset_rows, self.atlas, self.atlas.vertices, front_share(self.atlas.normals))
            return self.heads.offset.base_m(rows)

    @property
    def raised(self) -> Float[Tensor, " vertex"]:
        """How far the clothed surface is raised in the photo's own direction, metres."""
        return torch.zeros_like(self.bank.vertices[:, 0]) if self.bank.raised is None else self.bank.raised

    @cached_property
    def observed(self) -> Observed:
        """The photo with the surface that occludes points behind it. No gradients."""
        with torch.no_grad():
            occluder = self.bank.vertices
            if self.config.occlusion == "clothed":
                occluder = self.clothed(occluder, vertex_normals(occluder, self.body.faces))
            return observe(self.config, self.bank.subject, self.bank.vertices, self.body, self.atlas, occluder)

    def with_bank(self, bank: SurfaceBank) -> "SurfaceTables":
        """Return the tables of the same bank with another raised surface, layer, levels or mixture."""
        tables = copy(self)
        tables.bank = bank
        return tables

    def with_maps(self, maps: Float[Tensor, "2 channel h w"]) -> "SurfaceTables":
        """Return tables of other maps on the same surface: displacement and occlusion do not change."""
        tables = type(self)(self.bank.with_maps(maps), self.body, self.config, self.heads)
        tables.offset_rows = self.offset_rows
        tables.__dict__["displacement"], tables.__dict__["observed"] = self.displacement, self.observed
        return tables

    def clothed(
        self, vertices: Float[Tensor, "vertex 3"], normals: Float[Tensor, "vertex 3"]
    ) -> Float[Tensor, "vertex 3"]:
        """Return the body's vertices displaced along their unit normals to the clothed surface, metres."""
        return vertices + self.displacement[:, None] * normals

    def texels(self) -> TexelMaps:
        """Return generated colour and displacement of the atlas's covered texels, decoded from the maps alone."""
        covered = self._covered
        return TexelMaps(
            torch.sigmoid(self.colour_rows[covered, :3]), self.heads.offset.base_m(self.offset_rows[covered])
        )

    @property
    def _covered(self) -> Int[Tensor, " texel"]:
        return self.atlas.row_of_texel[self.atlas.covered.flatten()]

    def reach(self) -> Float[Tensor, " vertex"]:
        """Return the distance from each vertex within which the density can be positive, metres."""
        limit = self.config.near_body_m
        if not self.config.anchored:
            return torch.full_like(self.bank.vertices[:, 0], limit)
        # NaN weights are to surface in the loss, not here
        return (self.displacement.nan_to_num() + self.raised + CORRECTION_M + SPREAD_M).clamp(0, limit)

    def depth(self, coordinates: BodyCoordinates) -> Float[Tensor, " point"]:
        """Return the depth of points below the clothed surface, metres."""
        rows = sample_maps(self.offset_rows, self.atlas, coordinates.surface, front_share(coordinates.normals))
        with torch.no_grad():
            seen = self.observed.sample("seen", coordinates.corners, coordinates.weights, coordinates.offset)
        return self.heads.offset(rows, coordinates.surface, coordinates.distance, seen.features)

    def look(self, coordinates: BodyCoordinates, photo: FilteredPhoto) -> Look:
        """Return what the maps and the photo show at points.

        Args:
            coordinates: of the points.
            photo: at the resolution of the frame.
        """
        rows = sample_maps(self.colour_rows, self.atlas, coordinates.surface, front_share(coordinates.normals))
        where = (coordinates.corners, coordinates.weights, coordinates.offset)
        with torch.no_grad():
            samples = tuple(self.observed.sample(lookup, *where) for lookup in self.config.lookups)
        return Look(rows, samples, torch.stack([photo.colour(sample.pixels) for sample in samples], dim=1))

    def mix(self, coordinates: BodyCoordinates, look: Look) -> Float[Tensor, "point mixture"]:
        """Return how the network mixes the sources of the colour: `ColourHead.forward`."""
        head, tokens = self.heads.colour, [look.rows[:, 3:]]
        for number, sample in enumerate(look.samples):
            known = torch.cat([encode_colour(look.colours[:, number]), sample.features], dim=1)
            tokens.append(self._photo_token(sample.pixels) + head.look(known) + head.kind[number])
        return head(
            torch.stack(tokens, dim=1),
            coordinates.surface + coordinates.offset,
            coordinates.normals,
            coordinates.distance,
        )

    @cached_property
    def levels(self) -> Levels:
        """The depth below the clothed surface along each vertex normal. No gradients."""
        if self.bank.levels is not None:
            return self.bank.levels
        with torch.no_grad():
            return Levels.around(self.displacement, lambda distance: self.depth(self.on_normals(distance)))

    @cached_property
    def mixture(self) -> Float[Tensor, "vertex mixture"]:
        """`mix` on the clothed surface at each vertex normal: it is smooth, unlike the colours. No gradients."""
        if self.bank.mixture is not None:
            return self.bank.mixture
        with torch.no_grad():
            coordinates = self.on_normals(self.levels.distance(torch.zeros_like(self.displacement)))
            return self.mix(coordinates, self.look(coordinates, self.photo))

    def on_normals(self, distance: Float[Tensor, " vertex"]) -> BodyCoordinates:
        """Return the coordinates of points on the vertex normals, at distances from the body in metres."""
        atlas, vertex = self.atlas, torch.arange(len(distance), device=distance.device)
        return BodyCoordinates(
            corners=vertex[:, None].expand(-1, 3).contiguous(),
            weights=torch.stack([torch.ones_like(distance), *2 * [torch.zeros_like(distance)]], dim=1),
            distance=distance,
            surface=atlas.vertices,
            offset=distance[:, None] * atlas.normals,
            normals=atlas.normals,
            reach=self.reach(),
            world_normals=atlas.normals,
            to_canonical=torch.eye(3, device=distance.device).expand(len(distance), 3, 3),
            raised=self.raised,
        )

    def _photo_token(self, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point width"]:
        """Return the contribution of the photo's features to a token, at pixel coordinates of the photo."""
        if self.photo_rows is None or self.bank.pixels is None:
            return pixels.new_zeros(len(pixels), self.config.token_width)
        height, width = self.bank.pixels.shape[1:]
        positions = _index(self.observed.in_crop(pixels) * (height / self.observed.crop.size[0]), (height, width))
        return weighted_rows(self.photo_rows, *linear_corners(positions, (height, width)))


def _index(pixels: Float[Tensor, "point 2"], size: tuple[int, int]) -> Float[Tensor, "point 2"]:
    """Return pixel coordinates as (row, column) indices, clamped to the image."""
    limit = pixels.new_tensor(size) - 1
    return torch.minimum((pixels.flip(-1) - 0.5).clamp_min(0), limit)
