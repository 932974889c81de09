"""The published sampling and compositing of rays; our own renderer is in march.py.

Published rays pass through integer pixel coordinates, and their directions are not of unit length: the component along
the camera's z axis is 1, so that positions along the ray are depths, not distances. Compositing is NeRF's (Mildenhall
et al. 2020, Eq. 3): each sample represents the interval to the next one, and the last one everything behind it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

EMPTY_DENSITY = -80.0
"""Raw density away from the body; colour is 0 there."""
LAST_STEP = 1e10
"""Length of the interval of a ray's last sample."""
TRANSMITTANCE_EPS = 1e-10
"""Added to the transmittance of each sample."""


class PublishedColours(NamedTuple):
    """Rendered colours of published rays."""

    rgb: Float[Tensor, "*ray 3"]
    """Premultiplied on black; the published network's image is 2 rgb - 1."""
    opacity: Float[Tensor, " *ray"]
    depth: Float[Tensor, " *ray"]
    """Mean depth; on empty rays the largest depth of all rays."""


def published_depths(
    near: Float[Tensor, " *ray"], far: Float[Tensor, " *ray"], samples: int
) -> Float[Tensor, "*ray {samples}"]:
    """Return evenly spaced depths, both bounds included."""
    share = torch.arange(samples, dtype=near.dtype, device=near.device) / max(samples - 1, 1)
    return near[..., None] + share * (far - near)[..., None]


def published_weights(
    raw_density: Float[Tensor, "*ray sample"],
    depths: Float[Tensor, "*ray sample"],
    directions: Float[Tensor, "*ray 3"],
) -> Float[Tensor, "*ray sample"]:
    """Return the weight of each sample in its ray's colour.

    Args:
        raw_density: 1/metre, before its ReLU. The published training adds N(0, 1) noise to it.
        depths: in units of the direction's length, ascending.
        directions: not normalised.
    """
    steps = torch.cat([depths.diff(dim=-1), torch.full_like(depths[..., :1], LAST_STEP)], dim=-1)
    alpha = 1 - torch.exp(-F.relu(raw_density) * steps * directions.norm(dim=-1, keepdim=True))
    transmittance = torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha[..., :-1] + TRANSMITTANCE_EPS], dim=-1)
    return alpha * transmittance.cumprod(dim=-1)


def composite_published(
    raw_density: Float[Tensor, "*ray sample"],
    colour: Float[Tensor, "*ray sample 3"],
    depths: Float[Tensor, "*ray sample"],
    directions: Float[Tensor, "*ray 3"],
    limits: tuple[Tensor, Tensor] | None = None,
) -> PublishedColours:
    """Composite the samples of each ray; arguments as for `published_weights`.

    Args:
        limits: smallest and largest depth of the whole image, if these are only some of its rays: depths are clamped
            to them, and empty rays get the largest.
    """
    weights = published_weights(raw_density, depths, directions)
    opacity = weights.sum(dim=-1)
    nearest, farthest = depths.aminmax() if limits is None else limits
    # on empty rays the published 0 / 0 ends up as the farthest depth; this avoids NaN gradients
    seen = opacity > 0
    depth = (weights * depths).sum(dim=-1) / torch.where(seen, opacity, 1.0)
    depth = torch.where(seen, depth, farthest).clamp(nearest, farthest)
    return PublishedColours((weights[..., None] * colour).sum(dim=-2), opacity, depth)
