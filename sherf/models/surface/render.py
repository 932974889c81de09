"""The frame of one camera: traced where rays can be cast at the surface, else marched."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.camera.pinhole import camera_rays
from sherf.render.backend import Backend
from sherf.render.deferred import follow_deferred
from sherf.render.march import MarchOptions, in_chunks, picture
from sherf.render.sampling import OccupancyGrid
from sherf.render.trace import Shells, trace_frame
from sherf.scene import Camera, Frame

SOFTNESSES = 5.0
"""Outer and inner shell lie this many softnesses outside and inside of the surface: transmittance is .993 and .007."""


class RenderedSurface(ABC):
    """Renders a field that knows where its surface is."""

    backend: Backend
    options: MarchOptions
    is_traced: bool
    """Whether rays are cast at the surface; else they are marched."""

    @property
    @abstractmethod
    def softness_m(self) -> float:
        """Depth over which transmittance falls at the surface, metres."""

    @property
    @abstractmethod
    def grid(self) -> OccupancyGrid:
        """The voxels that can be occupied."""

    @abstractmethod
    def filtered(self, camera: Camera) -> Any:
        """Return the field (a `TracedField`) as it is rendered: with the photo at the resolution of a frame."""

    @property
    @abstractmethod
    def triangles(self) -> Int[Tensor, "face 3"]:
        """The triangles of the surface."""

    @abstractmethod
    def shell_vertices(self, camera: Camera, levels: tuple[float, ...]) -> list[Float[Tensor, "vertex 3"]]:
        """Return the vertices of the surfaces at which points have given depths, world space, metres.

        Args:
            camera: that sees them.
            levels: depths below the surface, metres.
        """

    def render(self, camera: Camera) -> Frame:
        """Render the frame of one camera: `Field.render`. No gradients."""
        with torch.no_grad():
            field, backend, options = self.filtered(camera), self.backend, self.options
            if self.is_traced:
                return trace_frame(field, camera, self._shells(camera), backend, options)
            rays = camera_rays(camera)
            parts = [
                follow_deferred(field, chunk, backend.sample(chunk, self.grid, options.step), backend, options)
                for chunk in in_chunks(rays, options)
            ]
            return picture(camera, rays, parts)

    def _shells(self, camera: Camera) -> Shells:
        make = self.backend.make_shell
        assert make is not None, "traced"
        apart = SOFTNESSES * self.softness_m
        outer, middle, inner = self.shell_vertices(camera, (-apart, 0.0, apart))
        faces = self.triangles
        return Shells(make(outer, faces), make(middle, faces), make(inner, faces), apart, outer)
