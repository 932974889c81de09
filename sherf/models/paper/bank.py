"""The feature bank of the published network: everything that is computed once per photo (SHERF, section 3.2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.models.paper.sparse import SparseVolume
from sherf.models.paper.volume import VOLUME_MARGIN_M
from sherf.scene import OnDevice, Subject

PLANE_MARGIN_Z_M = 0.1
"""The tri-planes' box extends this far beyond the volume's at front and back, metres."""


@dataclass(frozen=True)
class FeatureBank(OnDevice):
    """The published network's features of one photo."""

    subject: Subject
    vertices: Float[Tensor, "vertex 3"]
    """The body in the photo, world space, metres."""
    planes: Float[Tensor, "3 channel h w"] | None
    """Global features: tri-planes over canonical (x, y), (x, z) and (z, y); None if that level is off."""
    volumes: tuple[SparseVolume, ...]
    """Point-level features at three scales, canonical space; empty if that level is off."""
    pixels: Float[Tensor, "feature h2 w2"] | None
    """Pixel-aligned features: feature map of the masked photo at half its size; None if that level is off."""

    @property
    def encoded(self) -> tuple[Tensor, ...]:
        """The tensors that the network computed from the photo."""
        maps = (self.planes, self.pixels, *(volume.features for volume in self.volumes))
        return tuple(x for x in maps if x is not None)


@dataclass(frozen=True)
class CanonicalSpace(OnDevice):
    """The body in its big pose and the boxes around it: the same for all subjects with one body model."""

    vertices: Float[Tensor, "vertex 3"]
    """Canonical space, metres."""
    volume_bounds: Float[Tensor, "2 3"]
    """Lowest and highest corner of the point volume, metres."""
    plane_bounds: Float[Tensor, "2 3"]
    """Lowest and highest corner of the tri-planes' box, metres."""

    @classmethod
    def of(cls, body: BodyModel) -> "CanonicalSpace":
        """Return the canonical space of a body model."""
        return cls.around(body.pose(body.big_pose()).vertices)

    @classmethod
    def around(cls, vertices: Float[Tensor, "vertex 3"]) -> "CanonicalSpace":
        """Return the canonical space of a body in its big pose.

        Args:
            vertices: of that body, metres.
        """
        tight = torch.stack([vertices.min(dim=0).values, vertices.max(dim=0).values])
        outward = tight.new_tensor([[-1.0], [1.0]])
        volume = tight + outward * VOLUME_MARGIN_M
        return cls(vertices, volume, volume + outward * tight.new_tensor([0.0, 0.0, PLANE_MARGIN_Z_M]))
