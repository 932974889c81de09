"""An avatar as a solid: the position and colour of its surface. Meshes are extracted from it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.sampling import OccupancyGrid
from sherf.scene import PosedBody

POINTS_PER_CHUNK = 2**16


def _continue() -> None:
    """Continue without checking anything."""


@dataclass(frozen=True)
class Solid:
    """A solid around a posed body, world space, metres, y up."""

    posed: PosedBody
    """The bare body inside it."""
    grid: OccupancyGrid
    """The whole surface lies in occupied voxels."""
    surface: tuple[Float[Tensor, "vertex 3"], Int[Tensor, "face 3"]]
    """Vertices and triangles of a closed mesh near the surface."""
    _inside: Callable[[Tensor], Tensor]
    _colour: Callable[[Tensor], tuple[Tensor, Tensor]]
    points_per_chunk: int = POINTS_PER_CHUNK
    """Points evaluated together."""
    watch: Callable[[], None] = _continue
    """Called before each chunk of points; raise an exception in it to cancel the work."""

    def inside(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        """Return the depth of points below the surface, metres; negative outside. No gradients."""
        with torch.no_grad():
            return torch.cat([self._inside(chunk) for chunk in self._chunks(points)])

    def colour(self, points: Float[Tensor, "point 3"]) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
        """Return the colour of surface points, sRGB in [0, 1], and the share that the photo saw. No gradients."""
        with torch.no_grad():
            colours, visibility = zip(*(self._colour(chunk) for chunk in self._chunks(points)), strict=True)
            return torch.cat(colours).clamp(0, 1), torch.cat(visibility)

    def _chunks(self, points: Float[Tensor, "point 3"]) -> Iterator[Float[Tensor, "chunk 3"]]:
        for chunk in points.split(self.points_per_chunk):
            self.watch()
            yield chunk
