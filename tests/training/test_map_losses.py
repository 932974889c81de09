"""What the planes' own stand-off costs."""

from unittest.mock import create_autospec

import pytest
import torch

from sherf.models.surface.field import SurfaceTables
from sherf.training.objective import map_losses
from sherf.training.options import LossWeights
from sherf.training.texture_cache import HEIGHTS_M, Baked


def cost(said_m: float, true_m: float, known_up_to_m: float = 1.0) -> float:
    """Of one texel on which there is matter up to a height."""
    heights = torch.tensor(HEIGHTS_M)
    solid, known = heights <= true_m, heights <= known_up_to_m
    baked = Baked(torch.zeros(1, 3), torch.zeros(1), (~solid & known)[None], (solid & known)[None], torch.tensor([-1]))
    tables = create_autospec(SurfaceTables, instance=True)
    tables.stand_off.return_value, tables.painted.return_value = torch.tensor([said_m]), torch.zeros(1, 3)
    return float(map_losses(tables, baked, LossWeights(stand_off=1.0))["stand_off"])


@pytest.mark.parametrize("true_m", [0.0, 0.02, 0.05, 0.1])
def test_the_truth_costs_least(true_m: float) -> None:
    between = true_m + 0.005  # matter at this height, none at the next
    assert cost(between, true_m) < min(cost(between - 0.02, true_m), cost(between + 0.02, true_m))


def test_what_stands_far_off_is_not_lost_among_what_does_not() -> None:
    """A hat that is left out costs more than a body that is a hat's height too thick."""
    assert cost(0.0, 0.1) > cost(0.1, 0.0)


def test_heights_that_nobody_knows_cost_nothing() -> None:
    assert cost(0.0, 0.05, known_up_to_m=0.04) == pytest.approx(cost(0.0, 0.1, known_up_to_m=0.04))
