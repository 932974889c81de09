"""The feature bank of sherf-small: everything that is computed once per photo."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from sherf.models.surface.layer import Layer
from sherf.models.surface.levels import Levels
from sherf.scene import OnDevice, Subject


@dataclass(frozen=True)
class SurfaceBank(OnDevice):
    """A surface network's features of one photo."""

    subject: Subject
    vertices: Float[Tensor, "vertex 3"]
    """The body in the photo, world space, metres."""
    maps: Float[Tensor, "2 channel h w"] | None
    """Global features: UV feature maps of the body's front and back (`atlas.py`); None if that level is off."""
    pixels: Float[Tensor, "feature h2 w2"] | None
    """Pixel-aligned features: feature map of the crop around the person at half its size; None if that level is off."""

    raised: Float[Tensor, " vertex"] | None = None
    """How far the clothed surface is raised in the photo's own direction to reach the mask's outline, metres."""
    layer: Layer | None = None
    """Matter that stands off the body."""
    levels: Levels | None = None
    """Where the clothed surface lies (`SurfaceTables.levels`); None in a loaded bank: computed when needed."""
    mixture: Float[Tensor, "vertex mixture"] | None = None
    """`SurfaceTables.mixture`; None as above."""

    @property
    def encoded(self) -> tuple[Tensor, ...]:
        """The tensors that the network computed from the photo."""
        return tuple(x for x in (self.maps, self.pixels) if x is not None)

    def with_maps(self, maps: Float[Tensor, "2 channel h w"]) -> "SurfaceBank":
        """Return a copy of the bank with other maps."""
        return replace(self, maps=maps, levels=None, mixture=None)
