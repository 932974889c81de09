"""Depths along vertex normals, and where they reach a level."""

import torch
from torch import Tensor

from sherf.models.surface.decoder import CORRECTION_M
from sherf.models.surface.levels import Levels


def test_the_distance_at_a_level_inverts_the_depth() -> None:
    base, slope = torch.tensor([0.01, 0.05, -0.02]), torch.tensor([0.7, 1.0, 2.0])
    surface = base + torch.tensor([0.004, -0.012, 0.019])
    levels = Levels.around(base, lambda distance: slope * (surface - distance))
    for level in (-0.004, 0.0, 0.0025):
        found = levels.distance(torch.full((3,), level))
        inside = (found - base).abs() < CORRECTION_M
        torch.testing.assert_close(found[inside], (surface - level / slope)[inside], atol=1e-6, rtol=0)
        assert inside[:2].all()


def test_the_outermost_of_several_crossings_counts() -> None:
    """Hair may stand off the head: a ray from outside meets its outer side first."""

    def depth(distance: Tensor) -> Tensor:
        return torch.where(distance > 0.008, 0.014 - distance, 0.002 - distance)

    levels = Levels.around(torch.zeros(2), depth)
    torch.testing.assert_close(levels.distance(torch.zeros(2)), torch.full((2,), 0.014), atol=1e-6, rtol=0)


def test_levels_beyond_the_samples_are_extrapolated_at_slope_one() -> None:
    levels = Levels.around(torch.zeros(1), lambda distance: -distance)
    torch.testing.assert_close(levels.distance(torch.tensor([-0.03])), torch.tensor([0.03]), atol=1e-6, rtol=0)
    torch.testing.assert_close(levels.distance(torch.tensor([0.03])), torch.tensor([-0.03]), atol=1e-6, rtol=0)
    assert levels.distance(torch.tensor([-9.0])).isfinite().all()
