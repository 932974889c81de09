"""Where the clothed surface lies: its depth, sampled along each vertex normal, once per avatar."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.models.surface.decoder import CORRECTION_M
from sherf.scene import OnDevice

SAMPLES = 9
"""Depths along a normal. They cover the corrections that the network can make to a vertex's displacement."""
LONGEST_M = 0.06
"""Levels outside of the sampled depths are extrapolated at slope 1, at most this far, metres."""
MIN_FALL_M = 1e-4
"""Smallest divisor, metres."""


@dataclass(frozen=True)
class Levels(OnDevice):
    """Depths below the clothed surface along vertex normals."""

    base: Float[Tensor, " vertex"]
    """Distance from the bare body at the middle of the samples, metres."""
    depth: Float[Tensor, "vertex sample"]
    """Depth below the clothed surface at each sample, metres, the innermost sample first."""

    @staticmethod
    def around(
        displacement: Float[Tensor, " vertex"], depth: Callable[[Float[Tensor, " vertex"]], Float[Tensor, " vertex"]]
    ) -> "Levels":
        """Return the depths around the clothed surface.

        Args:
            displacement: of the clothed surface from the bare body, before the network's corrections, metres.
            depth: distances from the bare body along the vertex normals -> depths below the clothed surface, metres.
        """
        sampled = [depth(displacement + shift) for shift in _shifts(displacement)]
        return Levels(displacement, torch.stack(sampled, dim=1))

    def distance(self, level: Float[Tensor, " vertex"]) -> Float[Tensor, " vertex"]:
        """Return the greatest distances from the bare body at which the depth is at least `level`, metres."""
        last, vertex = SAMPLES - 1, torch.arange(len(level), device=level.device)
        shifts = _shifts(self.base)
        is_deep = self.depth >= level[:, None]
        outermost = torch.where(is_deep, torch.arange(SAMPLES, device=level.device), -1).amax(dim=1)
        inner = outermost.clamp(0, last - 1)
        above, below = self.depth[vertex, inner], self.depth[vertex, inner + 1]
        share = ((above - level) / (above - below).clamp_min(MIN_FALL_M)).clamp(0, 1)
        shift = shifts[inner] + (shifts[1] - shifts[0]) * share
        further = (self.depth[:, last] - level).clamp(max=LONGEST_M)
        nearer = (level - self.depth[:, 0]).clamp(max=LONGEST_M)
        shift = torch.where(outermost == last, shifts[last] + further, shift)
        return self.base + torch.where(outermost < 0, shifts[0] - nearer, shift)


def _shifts(like: Tensor) -> Float[Tensor, " sample"]:
    """Return the samples' distances from the base, metres."""
    return torch.linspace(-CORRECTION_M, CORRECTION_M, SAMPLES, device=like.device, dtype=like.dtype)
