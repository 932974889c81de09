"""An avatar as a solid in the rest pose: where matter is, and what colour its surface has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.avatar.avatar_file import Avatar
from sherf.body.body_model import BodyModel
from sherf.errors import BadInput
from sherf.models.paper.bank import FeatureBank
from sherf.models.surface.field import SurfaceField
from sherf.models.template.bank import TemplateField
from sherf.render.backend import Backend
from sherf.render.sampling import OccupancyGrid
from sherf.scene import PosedBody

POINTS_PER_CHUNK = 2**16
TEMPLATE_RIM_M = 0.004
"""The template's density begins outside of its surface: so far out lie the outlines of its pictures."""


@dataclass(frozen=True)
class Solid:
    """In the rest pose of the subject's own shape, metres, y up."""

    posed: PosedBody
    """The bare body in it."""
    grid: OccupancyGrid
    """All of its surface lies in occupied voxels."""
    _inside: Callable[[Tensor], Tensor]
    _colour: Callable[[Tensor], tuple[Tensor, Tensor]]
    watch: Callable[[], None] = lambda: None
    """Is called before each chunk; what it raises ends the work."""

    def inside(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        """How far points lie inside of the surface, metres; negative outside."""
        with torch.no_grad():
            return torch.cat([self._inside(some) for some in self._chunks(points)])

    def colour(self, points: Float[Tensor, "point 3"]) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Colour at points of the surface, in [0, 1], and how much of it the photo saw."""
        with torch.no_grad():
            colours, seen = zip(*(self._colour(some) for some in self._chunks(points)), strict=True)
            return torch.cat(colours).clamp(0, 1), torch.cat(seen)

    def _chunks(self, points: Float[Tensor, "point 3"]) -> Iterator[Float[Tensor, "chunk 3"]]:
        for some in points.split(POINTS_PER_CHUNK):
            self.watch()
            yield some


def solid_of(avatar: Avatar, body: BodyModel, backend: Backend) -> Solid:
    """The avatar's solid.

    Raises:
        BadInput: its model has a density only, and no surface.
    """
    bank, network = avatar.bank.to(backend.device), avatar.network
    body = body.to(backend.device)
    posed = body.pose(body.rest_pose(bank.subject.pose.betas))
    if not isinstance(bank, FeatureBank):
        return _of_template(TemplateField(bank, body, posed, backend), body, posed)
    if network is None or network.config.anchor != "surface":
        raise BadInput("sherf-paper's avatars have no surface that could be exported; use sherf-small or the template.")
    with torch.no_grad():
        tables = network.to(backend.device).eval().surface_tables(bank, body)
        field = SurfaceField(tables, body, posed, backend)
    return Solid(
        posed,
        field.grid(),
        lambda points: field.inside(field.places(points)),
        lambda points: field.colour(field.places(points)),
    )


def _of_template(field: TemplateField, body: BodyModel, posed: PosedBody) -> Solid:
    def colour(points: Tensor) -> tuple[Tensor, Tensor]:
        radiance = field(points, torch.zeros_like(points))
        return radiance.colour, radiance.visibility

    grid = OccupancyGrid.around(field.vertices, body.faces, field.reach)
    return Solid(posed, grid, lambda points: TEMPLATE_RIM_M - field.surface.nearest(points).distance, colour)
