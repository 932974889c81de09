"""The loss on the displacement of UV feature maps."""

import pytest
import torch

from sherf.models.protocol import TexelMaps
from sherf.training.objective import map_losses
from sherf.training.options import LossWeights
from sherf.training.texture_cache import HEIGHTS_M, TexelTargets


def cost(displacement_m: float, true_m: float, known_up_to_m: float = 1.0) -> float:
    """Return the loss of one texel that is solid up to a height."""
    heights = torch.tensor(HEIGHTS_M)
    solid, known = heights <= true_m, heights <= known_up_to_m
    targets = TexelTargets(
        torch.zeros(1, 3), torch.zeros(1), (~solid & known)[None], (solid & known)[None], torch.tensor([-1])
    )
    texels = TexelMaps(torch.zeros(1, 3), torch.tensor([displacement_m]))
    return float(map_losses(texels, targets, LossWeights(stand_off=1.0))["stand_off"])


@pytest.mark.parametrize("true_m", [0.0, 0.02, 0.05, 0.1])
def test_the_true_displacement_has_the_smallest_loss(true_m: float) -> None:
    between = true_m + 0.005  # solid at this height, empty at the next
    assert cost(between, true_m) < min(cost(between - 0.02, true_m), cost(between + 0.02, true_m))


def test_large_displacements_weigh_more_than_small_ones() -> None:
    """A missing hat costs more than a body that is too thick by the hat's height."""
    assert cost(0.0, 0.1) > cost(0.1, 0.0)


def test_unknown_heights_have_no_loss() -> None:
    assert cost(0.0, 0.05, known_up_to_m=0.04) == pytest.approx(cost(0.0, 0.1, known_up_to_m=0.04))
