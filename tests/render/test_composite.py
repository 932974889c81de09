"""Compositing against closed forms and a slow reference; every backend against the definition."""

import math
from collections.abc import Iterator

import pytest
import torch
from simulated_device import any_gpu
from torch import Tensor

from sherf.render.backend import Composite
from sherf.render.nerfacc_backend import composite_dense, composite_packed
from sherf.render.torch_backend import composite
from sherf.scene import RaySamples

BACKENDS = [
    pytest.param((composite, "cpu"), id="torch"),
    pytest.param((composite_dense, "cpu"), id="nerfacc-dense"),
    pytest.param((composite_packed, "cuda"), id="nerfacc-packed", marks=pytest.mark.gpu),
]
Case = tuple[Composite, str]


@pytest.fixture(autouse=True)
def gpu() -> Iterator[None]:
    with any_gpu():
        yield


def packed(counts: list[int], length: float = 0.1) -> RaySamples:
    """Return rays with these numbers of adjacent samples."""
    ray = torch.repeat_interleave(torch.tensor(counts))
    number = torch.cat([torch.arange(count) for count in counts])
    return RaySamples(ray, 1 + number * length, 1 + (number + 1) * length, len(counts))


def run(case: Case, density: Tensor, samples: RaySamples, light: Tensor) -> tuple[Tensor, Tensor]:
    function, device = case
    moved = RaySamples(samples.ray.to(device), samples.start.to(device), samples.end.to(device), samples.num_rays)
    weights, after = function(density.to(device), moved, light.to(device))
    return weights.cpu(), after.cpu()


def slow(density: Tensor, samples: RaySamples, light: Tensor) -> tuple[Tensor, Tensor]:
    """Composite one sample after the other."""
    left, weights = list(light.unbind()), []
    for i, ray in enumerate(samples.ray.tolist()):
        passed = torch.exp(-density[i] * (samples.end[i] - samples.start[i]))
        weights.append(left[ray] * (1 - passed))
        left[ray] = left[ray] * passed
    return torch.stack(weights), torch.stack(left)


@pytest.mark.parametrize("case", BACKENDS)
@pytest.mark.parametrize("cuts", [1, 7, 64])
def test_slab_opacity_matches_beer_lambert(case: Case, cuts: int) -> None:
    """A uniform 0.5 m slab of density 2/m absorbs 1 - exp(-1), however it is cut."""
    samples = packed([cuts, cuts], 0.5 / cuts)
    weights, after = run(case, torch.full((2 * cuts,), 2.0), samples, torch.tensor([1.0, 0.25]))
    opacity = torch.zeros(2).index_add(0, samples.ray, weights)
    torch.testing.assert_close(opacity, 0.63212056 * torch.tensor([1.0, 0.25]))
    torch.testing.assert_close(after, math.exp(-1) * torch.tensor([1.0, 0.25]))


@pytest.mark.parametrize("case", BACKENDS)
def test_the_nearer_of_two_half_transparent_layers_counts_twice(case: Case) -> None:
    weights, after = run(case, torch.full((2,), math.log(2) / 0.1), packed([2]), torch.ones(1))
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.25]))
    torch.testing.assert_close(after, torch.tensor([0.25]))


@pytest.mark.parametrize("case", BACKENDS)
def test_ragged_rays_match_the_slow_reference(case: Case) -> None:
    samples = packed([0, 5, 1, 0, 40, 3, 0])
    rng = torch.Generator().manual_seed(0)
    density, light = 20 * torch.rand(49, generator=rng), torch.rand(7, generator=rng)
    torch.testing.assert_close(run(case, density, samples, light), slow(density, samples, light), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("case", BACKENDS)
def test_gradients_match_the_slow_reference(case: Case) -> None:
    samples = packed([3, 0, 6, 1])
    rng = torch.Generator().manual_seed(1)
    values = 10 * torch.rand(10, generator=rng), torch.rand(4, generator=rng)
    towards = torch.randn(10, generator=rng), torch.randn(4, generator=rng)
    gradients = []
    for function in (lambda *x: run(case, *x), slow):
        density, light = (x.clone().requires_grad_(True) for x in values)
        weights, after = function(density, samples, light)
        loss = (weights * towards[0]).sum() + (after * towards[1]).sum()
        gradients.append(torch.autograd.grad(loss, [density, light]))
    assert gradients[0][0].abs().min() > 0
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("function", [composite, composite_dense])
def test_gradients_match_finite_differences(function: Composite) -> None:
    even = packed([3, 0, 4])
    samples = RaySamples(even.ray, even.start.double(), even.end.double(), even.num_rays)
    density = torch.linspace(0.5, 9.0, 7, dtype=torch.float64, requires_grad=True)
    light = torch.tensor([1.0, 0.5, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, t: function(d, samples, t), (density, light))


@pytest.mark.parametrize("case", BACKENDS)
def test_solid_and_empty_samples_stay_finite_with_their_gradients(case: Case) -> None:
    density = torch.tensor([0.0, 1e12, 1e12, 0.0, 5.0], requires_grad=True)
    weights, after = run(case, density, packed([3, 2]), torch.ones(2))
    torch.testing.assert_close(weights.detach(), torch.tensor([0.0, 1.0, 0.0, 0.0, 1 - math.exp(-0.5)]))
    torch.testing.assert_close(after.detach(), torch.tensor([0.0, math.exp(-0.5)]))
    (weights.sum() + after.sum()).backward()
    assert density.grad is not None and density.grad.isfinite().all()


@pytest.mark.parametrize("case", BACKENDS)
def test_rays_without_samples_are_transparent(case: Case) -> None:
    light = torch.tensor([1.0, 0.5])
    weights, after = run(case, torch.zeros(0), packed([0, 0]), light)
    assert weights.shape == (0,)
    torch.testing.assert_close(after, light)
