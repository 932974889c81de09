"""The radiance field of the template: a solid bounded by the clothed surface, coloured by the photo."""

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.models.solid import POINTS_PER_CHUNK, Solid
from sherf.models.template.bank import TemplateBank
from sherf.models.template.clothing import clothed
from sherf.models.template.texture import sample_photo
from sherf.render.backend import Backend
from sherf.render.march import MarchOptions, render
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, Frame, PosedBody, Radiance

SOFTNESS_M = 0.0015
"""The density rises over this distance at the surface, metres."""
DENSITY = 1500.0
"""Density inside, 1/m: opaque within a few millimetres."""
REACH_M = 0.008
"""The density is zero beyond this distance outside the surface, metres."""
RIM_M = 0.004
"""Outlines of rendered frames lie this far outside the surface, metres, because the density begins outside it."""


class TemplateField:
    """Radiance of a template avatar in one pose, world space."""

    def __init__(self, bank: TemplateBank, body: BodyModel, posed: PosedBody, backend: Backend, options: MarchOptions):
        """Pose the clothed surface.

        Args:
            bank: the template's features of the photo.
            body: the body model.
            posed: the body in this pose; its transforms are used, not its vertices.
            backend: the operations that differ between devices.
            options: how frames are marched.
        """
        self.bank, self.body, self.posed, self.backend, self.options = bank, body, posed, backend, options
        self.vertices = clothed(body, posed, bank.displacement)
        self.surface = backend.surface(self.vertices, body.faces)

    @cached_property
    def grid(self) -> OccupancyGrid:
        """The voxels that can be occupied."""
        return OccupancyGrid.around(self.vertices, self.body.faces, REACH_M)

    def __call__(self, points: Float[Tensor, "point 3"], directions: Float[Tensor, "point 3"]) -> Radiance:
        """Return density (1/m) and colour at world points (metres); they do not depend on the direction."""
        nearest = self.surface.nearest(points)
        density = DENSITY * torch.sigmoid(-nearest.distance / SOFTNESS_M)
        density = torch.where(nearest.distance < REACH_M, density, 0.0)
        corners = self.body.faces[nearest.face]
        colour, visible = self._sample_photo(corners, nearest.barycentric)
        mirrored, mirror_visible = self._sample_photo(self.body.mirror[corners], nearest.barycentric)
        fill = torch.einsum("pk,pkc->pc", nearest.barycentric, self.bank.fill[corners])
        unseen = torch.lerp(fill, mirrored, mirror_visible[:, None])
        return Radiance(density, torch.lerp(unseen, colour, visible[:, None]), visible)

    def render(self, camera: Camera) -> Frame:
        """Render the frame of one camera."""
        return render(self, camera, self.grid, self.backend, self.options)

    def solid(self) -> Solid:
        """Return the clothed surface as a solid."""
        return Solid(
            self.posed,
            self.grid,
            (self.vertices, self.body.faces),
            lambda points: RIM_M - self.surface.nearest(points).distance,
            self._surface_colour,
            self.backend.chunk(POINTS_PER_CHUNK),
        )

    def _surface_colour(self, points: Float[Tensor, "point 3"]) -> tuple[Tensor, Tensor]:
        radiance = self(points, torch.zeros_like(points))
        return radiance.colour, radiance.visibility

    def _sample_photo(
        self, corners: Int[Tensor, "point 3"], barycentric: Float[Tensor, "point 3"]
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Return the photo's colour and visibility at surface points, given by their triangles."""
        bank = self.bank
        points = torch.einsum("pk,pkc->pc", barycentric, bank.surface[corners])
        facing = (barycentric * bank.facing[corners]).sum(-1)
        return sample_photo(points, facing, bank.subject.camera, bank.layers)
