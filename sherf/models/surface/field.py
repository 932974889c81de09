"""The radiance field of a network whose points hang on the body's surface, in one pose."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.vertex_warp import vertex_warp
from sherf.models.config import SIDES, SherfConfig
from sherf.models.layers.interpolate import corners as image_corners
from sherf.models.layers.interpolate import rows_of_image, weigh
from sherf.models.paper.bank import FeatureBank, encode_colour
from sherf.models.surface.atlas import atlas_of, front_share
from sherf.models.surface.decoder import FURTHER_M, ColourHead, OffsetHead
from sherf.models.surface.encoder import observe, plane_rows, read_planes
from sherf.models.surface.observed import Observed, premultiplied, straight
from sherf.render.backend import Backend
from sherf.render.sampling import OccupancyGrid
from sherf.scene import PosedBody

VOXEL_M = 0.0125
SPREAD_M = 0.01
"""The density has faded to nothing so far outside of the surface."""
NOWHERE_M = -1.0


class SurfaceHeads(nn.Module):
    """What reads a bank: offset, and so density, and colour."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        self.offset = OffsetHead(config.token_width, config.anchored)
        self.colour = ColourHead(config)


class SurfaceTables:
    """A bank ready to be read at many points: maps as rows that hold their contribution to the heads."""

    def __init__(self, bank: FeatureBank, body: BodyModel, config: SherfConfig, heads: SurfaceHeads):
        self.bank, self.config, self.heads = bank, config, heads
        self.atlas = atlas_of(body, *config.plane_size)
        planes = bank.planes
        if planes is None:
            planes = bank.vertices.new_zeros(SIDES, config.token_width, *config.plane_size)
        rows = plane_rows(planes, self.atlas)
        self.offset_rows = heads.offset.rows(rows)
        self.colour_rows = heads.colour.rows(rows)
        self.photo_rows = None if bank.pixels is None else heads.colour.photo(rows_of_image(bank.pixels))
        self.image_rows = rows_of_image(premultiplied(bank.subject))
        self.body = body

    @cached_property
    def base(self) -> Float[Tensor, " vertex"]:
        """How far the clothed surface stands off each vertex, without the correction in space, metres. No gradients."""
        with torch.no_grad():
            found = read_planes(self.offset_rows, self.atlas, self.atlas.vertices, front_share(self.atlas.normals))
            return self.heads.offset.base_m(found)

    @cached_property
    def observed(self) -> Observed:
        """The photo, and the surface that hides what lies behind it. No gradients."""
        with torch.no_grad():
            hiding = self.bank.vertices
            if self.config.occlusion == "clothed":
                hiding = self.clothed(hiding, vertex_normals(hiding, self.body.faces))
            return observe(self.config, self.bank.subject, self.bank.vertices, self.body, self.atlas, hiding)

    def clothed(
        self, vertices: Float[Tensor, "vertex 3"], normals: Float[Tensor, "vertex 3"]
    ) -> Float[Tensor, "vertex 3"]:
        """The body's vertices moved out to the clothed surface."""
        return vertices + self.base[:, None] * normals

    def painted(self) -> Float[Tensor, "texel 3"]:
        """The generated colour of the atlas's covered texels, without what single points add."""
        return torch.sigmoid(self.colour_rows[self._covered, :3])

    def stand_off(self) -> Float[Tensor, " texel"]:
        """How far the clothed surface stands off the atlas's covered texels, likewise, metres."""
        return self.heads.offset.base_m(self.offset_rows[self._covered])

    @property
    def _covered(self) -> Int[Tensor, " texel"]:
        return self.atlas.row_of_texel[self.atlas.covered.flatten()]

    def reach(self) -> Float[Tensor, " vertex"]:
        """How far from each vertex matter can be, metres."""
        most = self.config.near_body_m
        if not self.config.anchored:
            return torch.full_like(self.bank.vertices[:, 0], most)
        # where weights are no numbers any more, the loss has to say so, not the grid
        return (self.base.nan_to_num() + FURTHER_M + SPREAD_M).clamp(0, most)

    def photo_at(self, pixels: Float[Tensor, "point 2"]) -> tuple[Tensor, Tensor]:
        """The photo's colour, and its features' contribution to a token."""
        h, w = self.bank.subject.camera.size
        colour = straight(weigh(self.image_rows, *image_corners(_index(pixels, (h, w)), (h, w))))
        if self.photo_rows is None or self.bank.pixels is None:
            return colour, colour.new_zeros(len(colour), self.config.token_width)
        size = tuple(self.bank.pixels.shape[1:])
        places = _index(self.observed.in_crop(pixels) * (size[0] / self.observed.crop.size[0]), size)
        return colour, weigh(self.photo_rows, *image_corners(places, size))


def _index(pixels: Float[Tensor, "point 2"], size: tuple[int, int]) -> Float[Tensor, "point 2"]:
    """Pixel coordinates as (row, column) indices, held within the image."""
    limit = pixels.new_tensor(size) - 1
    return torch.minimum((pixels.flip(-1) - 0.5).clamp_min(0), limit)


@dataclass(frozen=True)
class Places:
    """Points in terms of the body."""

    corners: Int[Tensor, "point 3"]
    weights: Float[Tensor, "point 3"]
    distance: Float[Tensor, " point"]
    surface: Float[Tensor, "point 3"]
    """The nearest surface point, canonical space."""
    offset: Float[Tensor, "point 3"]
    """From there to the point, canonical space."""
    normals: Float[Tensor, "point 3"]
    """Of the surface point, canonical space."""
    reach: Float[Tensor, " point"]
    """How far from the surface point matter can be, metres."""
    outwards: Float[Tensor, "point 3"]
    """The surface's normal, world space."""

    def __getitem__(self, some: Tensor) -> "Places":
        return Places(*(x[some] for x in vars(self).values()))


class SurfaceField:
    """Radiance of an avatar in one pose, in world space."""

    def __init__(self, tables: SurfaceTables, body: BodyModel, posed: PosedBody, backend: Backend):
        """Prepare the pose. `posed` may carry a data set's own vertices in place of the body model's."""
        self.tables, self.heads, self.config, self.body = tables, tables.heads, tables.config, body
        self.surface = backend.surface(posed.vertices, body.faces)
        atlas = tables.atlas
        to_canonical = vertex_warp(posed, atlas.posed)[:, :3, :3].flatten(start_dim=1)
        self.vertices = posed.vertices
        self.reach = tables.reach()
        self.outwards = vertex_normals(posed.vertices, body.faces)
        columns = [posed.vertices, to_canonical, atlas.vertices, atlas.normals, self.reach[:, None], self.outwards]
        self.table = torch.cat(columns, dim=1)

    def places(self, points: Float[Tensor, "point 3"]) -> Places:
        """Describe world points by the body's nearest surface points. No gradients."""
        with torch.no_grad():
            nearest = self.surface.nearest(points)
            corners = self.body.faces[nearest.face]
            found = weigh(self.table, corners, nearest.barycentric)
            offset = (found[:, 3:12].unflatten(1, (3, 3)) * (points - found[:, :3])[:, None]).sum(dim=-1)
            normals, outwards = (F.normalize(found[:, i : i + 3], dim=1) for i in (15, 19))
            return Places(
                corners,
                nearest.barycentric,
                nearest.distance,
                found[:, 12:15],
                offset,
                normals,
                found[:, 18],
                outwards,
            )

    def inside(self, places: Places, everywhere: bool = False) -> Float[Tensor, " point"]:
        """How far points lie inside of the clothed surface, metres; `NOWHERE_M` out of its reach.

        Args:
            everywhere: ask the network out of reach too.
        """
        if not everywhere:
            near = (places.distance < places.reach).nonzero()[:, 0]
            nowhere = torch.full_like(places.distance, NOWHERE_M)
            return nowhere.index_put((near,), self.inside(places[near], True)) if len(near) else nowhere
        tables = self.tables
        rows = read_planes(tables.offset_rows, tables.atlas, places.surface, front_share(places.normals))
        with torch.no_grad():
            look = tables.observed.look("seen", places.corners, places.weights, places.offset)
        return self.heads.offset(rows, places.surface, places.distance, look.features)

    def density(
        self,
        places: Places,
        inside: Float[Tensor, " point"],
        directions: Float[Tensor, "point 3"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Mean density of intervals along unit directions, 1/m, that begin `before` each place and end `after` it."""
        slope = -(places.outwards * directions).sum(dim=1)
        return self.heads.offset.density(inside, slope, before, after)

    def colour(self, places: Places) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Colour of points, and how much of it the photo saw."""
        tables, head = self.tables, self.heads.colour
        rows = read_planes(tables.colour_rows, tables.atlas, places.surface, front_share(places.normals))
        paint, token = rows.split([3, rows.shape[1] - 3], dim=1)
        tokens, colours, visible = [token], [], []
        for number, lookup in enumerate(self.config.lookups):
            with torch.no_grad():
                look = tables.observed.look(lookup, places.corners, places.weights, places.offset)
            colour, token = tables.photo_at(look.pixels)
            known = torch.cat([encode_colour(colour), look.features], dim=1)
            tokens.append(token + head.look(known) + head.kind[number])
            colours.append(colour)
            visible.append(look.visibility)
        seen = torch.stack(visible, dim=1)
        mixed, shares = head(
            paint,
            torch.stack(tokens, dim=1),
            places.surface + places.offset,
            places.normals,
            places.distance,
            torch.stack(colours, dim=1),
            seen,
        )
        return mixed, shares[:, 0] * seen[:, 0]

    def grid(self) -> OccupancyGrid:
        """The voxels that can hold matter: nearer to the body than the clothed surface can stand off."""
        with torch.no_grad():
            return OccupancyGrid.within(self.vertices, self.body.faces, self.reach, VOXEL_M)
