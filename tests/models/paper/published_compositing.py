"""The published sampling and compositing of rays, number for number; our own renderer is in march.py.

A published ray goes through a whole-numbered pixel coordinate, and its direction is not of unit length: the camera's z
of it is 1, so that what counts along the ray are depths, not distances. The sum over samples is NeRF's (Mildenhall
et al. 2020, Eq. 3), where each sample stands for the way to the next one and the last for all that follows.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

EMPTY_DENSITY = -80.0
"""Raw density where no body is near; colour is 0 there."""
LAST_STEP = 1e10
"""The depth that the last sample of a ray stands for."""
LIGHT_EPS = 1e-10
"""Added to the light that each sample lets pass."""


class PublishedColours(NamedTuple):
    """What published rays see."""

    rgb: Float[Tensor, "*ray 3"]
    """Premultiplied on black; the published network's picture is 2 rgb - 1."""
    opacity: Float[Tensor, " *ray"]
    depth: Float[Tensor, " *ray"]
    """Mean depth; the largest depth of all rays where nothing is."""


def published_depths(
    near: Float[Tensor, " *ray"], far: Float[Tensor, " *ray"], samples: int
) -> Float[Tensor, "*ray {samples}"]:
    """Evenly spaced depths, both bounds included."""
    share = torch.arange(samples, dtype=near.dtype, device=near.device) / max(samples - 1, 1)
    return near[..., None] + share * (far - near)[..., None]


def published_weights(
    raw_density: Float[Tensor, "*ray sample"],
    depths: Float[Tensor, "*ray sample"],
    directions: Float[Tensor, "*ray 3"],
) -> Float[Tensor, "*ray sample"]:
    """How much each sample counts in its ray's colour.

    Args:
        raw_density: 1/metre, before its ReLU. The published training adds N(0, 1) noise to it before.
        depths: in units of the direction's length, ascending.
        directions: not normalised.
    """
    steps = torch.cat([depths.diff(dim=-1), torch.full_like(depths[..., :1], LAST_STEP)], dim=-1)
    alpha = 1 - torch.exp(-F.relu(raw_density) * steps * directions.norm(dim=-1, keepdim=True))
    passed = torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha[..., :-1] + LIGHT_EPS], dim=-1)
    return alpha * passed.cumprod(dim=-1)


def composite_published(
    raw_density: Float[Tensor, "*ray sample"],
    colour: Float[Tensor, "*ray sample 3"],
    depths: Float[Tensor, "*ray sample"],
    directions: Float[Tensor, "*ray 3"],
    limits: tuple[Tensor, Tensor] | None = None,
) -> PublishedColours:
    """Add up the samples of each ray; arguments as for `published_weights`.

    Args:
        limits: smallest and largest depth of the whole picture, where these are some of its rays: depths are kept
            within, and empty rays get the largest.
    """
    weights = published_weights(raw_density, depths, directions)
    opacity = weights.sum(dim=-1)
    nearest, farthest = depths.aminmax() if limits is None else limits
    # where nothing is, the published 0 / 0 becomes infinite and then the farthest; here no NaN can reach a gradient
    seen = opacity > 0
    depth = (weights * depths).sum(dim=-1) / torch.where(seen, opacity, 1.0)
    depth = torch.where(seen, depth, farthest).clamp(nearest, farthest)
    return PublishedColours((weights[..., None] * colour).sum(dim=-2), opacity, depth)
