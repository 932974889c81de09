"""Points around a body, relative to its surface: what density and colour need to know of them."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class BodyCoordinates:
    """Points relative to the body: the nearest surface point and the offset from it."""

    corners: Int[Tensor, "point 3"]
    """Vertices of the nearest triangle."""
    weights: Float[Tensor, "point 3"]
    """Barycentric coordinates of the nearest surface point in that triangle."""
    distance: Float[Tensor, " point"]
    """Signed distance from the bare body, metres, negative inside."""
    surface: Float[Tensor, "point 3"]
    """The nearest surface point, canonical space, metres."""
    offset: Float[Tensor, "point 3"]
    """From the surface point to the point, canonical space, metres."""
    normals: Float[Tensor, "point 3"]
    """Unit normals of the surface point, canonical space."""
    reach: Float[Tensor, " point"]
    """Distance from the surface point within which the density can be positive, metres."""
    world_normals: Float[Tensor, "point 3"]
    """Unit normals of the surface point, world space."""
    to_canonical: Float[Tensor, "point 3 3"]
    """Rotation around the surface point from world to canonical space."""
    raised: Float[Tensor, " point"]
    """How far the clothed surface is raised in the photo's own direction, metres."""

    def __getitem__(self, index: Tensor) -> "BodyCoordinates":
        return BodyCoordinates(*(x[index] for x in vars(self).values()))
