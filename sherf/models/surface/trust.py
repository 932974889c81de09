"""How far the photo's colour stands for a point of the avatar: seen means seen.

In the photo's own direction a visible point has the photo's colour. With the angle between the view and the photo's
line of sight, and towards the rim of what the photo shows, this fades to the network's mixture.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.models.surface.observed import Observed, PhotoSample

OWN_DEGREES = (6.0, 25.0)
"""Up to the first angle from the photo's line of sight, visible points have the photo's colour; from the second on they
are trusted like those of any other view."""
ANY_DIRECTION = 0.95
"""Share of the photo's colour at visible points seen from other directions."""
FULLY_FACING = 0.35
"""Cosine between normal and line of sight from which on a point counts as facing the camera fully."""
RIM_MASK = (0.5, 0.95)
"""Mask values between which trust from other directions rises: near the outline the background shines through."""
OWN_MASK = (0.02, 0.1)
"""The same for the photo's own direction, in which the outline is where it was."""


def photo_trust(
    observed: Observed, sample: PhotoSample, directions: Float[Tensor, "point 3"] | None
) -> Float[Tensor, " point"]:
    """Return the share of the photo's colour at points, beyond which the network's mixture counts.

    Args:
        observed: the photo and the body in it.
        sample: of the photo at the points.
        directions: from which they are seen, canonical space (not necessarily unit vectors); None for any direction.
    """
    mask, cosine = sample.features[:, 2] * sample.is_inside, sample.features[:, 3]
    facing = rise(cosine, (0.0, FULLY_FACING))
    is_first, unoccluded = observed.first_surface(sample)
    general = ANY_DIRECTION * rise(mask, RIM_MASK) * unoccluded * facing
    if directions is None:
        return general
    own = along_sight(sample.rotation, sample.sight, directions) * rise(mask, OWN_MASK) * is_first
    return torch.maximum(general, own)


def along_sight(
    rotation: Float[Tensor, "point 3 3"], sight: Float[Tensor, "point 3"], directions: Float[Tensor, "point 3"]
) -> Float[Tensor, " point"]:
    """Return 1 for directions along the photo's lines of sight, 0 beyond `OWN_DEGREES`.

    Args:
        rotation: from the space of the directions to the photo's world.
        sight: from the photo's camera to the points.
        directions: from which the points are seen.
    """
    in_photo = F.normalize((rotation * directions[:, None]).sum(dim=-1), dim=1)
    along = (in_photo * F.normalize(sight, dim=1)).sum(dim=1)
    near, far = (math.cos(math.radians(degrees)) for degrees in OWN_DEGREES)
    return rise(along, (far, near))


def rise(values: Float[Tensor, " point"], between: tuple[float, float]) -> Float[Tensor, " point"]:
    """Return the smooth step (3 t^2 - 2 t^3) from 0 to 1 between two values."""
    low, high = between
    t = ((values - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
