"""Choice of the rays that a training step renders: a patch on the person, and single rays around it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.datasets.multiview import View
from sherf.scene import Rays


@dataclass(frozen=True)
class ChosenRays:
    """Rays of one image, and what the image shows along them."""

    rays: Rays
    shape: tuple[int, int]
    """Rows and columns of the patch: the first rays, row by row."""
    colour: Float[Tensor, "ray 3"]
    """sRGB in [0, 1], premultiplied by the mask."""
    mask: Float[Tensor, " ray"]
    distance: Float[Tensor, " ray"] | None
    """To the clothed surface along the ray, metres, 0 in the background; None: the view has no depth."""


def choose_rays(view: View, all_rays: Rays, side: int, single: int, rng: np.random.Generator) -> ChosenRays:
    """Choose a patch centred near the person, and single rays in the mask's bounding rectangle.

    Args:
        view: the image that they are compared with.
        all_rays: of all its pixels, row by row; rays that miss the body's surroundings have far <= near.
        side: of the patch, pixels; 0: the rectangle around all rays that do not miss.
        single: number of single rays.
        rng: the source of all random numbers.

    Returns:
        The rays of the patch, then the single ones.
    """
    subject = view.subject
    height, width = subject.mask.shape
    rows, columns = _rectangle(all_rays, (height, width)) if side == 0 else _patch(subject.mask, side, rng)
    patch = (rows[:, None] * width + columns).flatten()
    index = torch.cat([patch, _around(subject.mask, single, rng)]).to(subject.mask.device)
    rays = Rays(*(x[index] for x in vars(all_rays).values()))
    colour = (subject.image * subject.mask).flatten(start_dim=1).T[index]
    distance = None
    if view.depth is not None:
        distance = view.depth.flatten()[index] / (rays.directions @ subject.camera.R[2])
    return ChosenRays(rays, (len(rows), len(columns)), colour, subject.mask.flatten()[index], distance)


def _patch(mask: Float[Tensor, "h w"], side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    height, width = mask.shape
    side = min(side, height, width)
    foreground = (mask > 0.5).flatten().nonzero()[:, 0]
    centre = (height // 2) * width + width // 2
    if len(foreground):
        centre = int(foreground[rng.integers(len(foreground))])
    shift = rng.integers(-side // 4, side // 4 + 1, 2)
    top = int(np.clip(centre // width - side // 2 + shift[0], 0, height - side))
    left = int(np.clip(centre % width - side // 2 + shift[1], 0, width - side))
    return torch.arange(top, top + side), torch.arange(left, left + side)


def _rectangle(rays: Rays, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    hits = (rays.far > rays.near).reshape(size)
    rows, columns = (hits.any(dim=axis).nonzero()[:, 0].cpu() for axis in (1, 0))
    if len(rows) == 0:
        rows, columns = torch.arange(size[0]), torch.arange(size[1])
    return torch.arange(int(rows[0]), int(rows[-1]) + 1), torch.arange(int(columns[0]), int(columns[-1]) + 1)


def _around(mask: Float[Tensor, "h w"], count: int, rng: np.random.Generator) -> Int[Tensor, " ray"]:
    """Return random pixels in the mask's bounding rectangle, slightly widened."""
    rows, columns = (np.flatnonzero((mask > 0.5).any(dim=axis).cpu().numpy()) for axis in (1, 0))
    if len(rows) == 0:
        rows, columns = (np.arange(n) for n in mask.shape)
    height, width = mask.shape
    edge = max(2, height // 32)
    y = rng.integers(max(rows[0] - edge, 0), min(rows[-1] + edge + 1, height), count)
    x = rng.integers(max(columns[0] - edge, 0), min(columns[-1] + edge + 1, width), count)
    return torch.from_numpy(y * width + x)
