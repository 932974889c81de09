"""The published sampling and compositing, compared with closed forms and a slow reference."""

import pytest
import torch
from published_compositing import composite_published, published_depths, published_weights
from torch import Tensor

SHAPES = [(), (1,), (2, 3)]
ALONG_Z = torch.tensor([0.0, 0.0, 1.0])


def _rays(ray: tuple[int, ...], samples: int = 7) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return random raw density, colour, depths and directions."""
    random = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*ray, *shape, generator=random)  # noqa: E731
    return 3 * draw(samples), draw(samples, 3).sigmoid(), draw(samples).abs().cumsum(dim=-1), draw(3)


@pytest.mark.parametrize("ray", SHAPES)
def test_depths_are_even_and_include_both_bounds(ray: tuple[int, ...]) -> None:
    near, far = torch.full(ray, 1.5), torch.full(ray, 2.5)
    depths = published_depths(near, far, 11)
    torch.testing.assert_close(depths, torch.arange(15.0, 26).div(10).expand(*ray, 11))
    assert torch.equal(depths[..., 0], near) and torch.equal(depths[..., -1], far)


@pytest.mark.parametrize("ray", SHAPES)
@pytest.mark.parametrize("length", [1.0, 1.25])
def test_opacity_of_a_slab_matches_beer_lambert(ray: tuple[int, ...], length: float) -> None:
    """The path length is in metres, whatever the direction's length."""
    depths = published_depths(torch.full(ray, 1.0), torch.full(ray, 1.5), 21)
    raw = torch.full_like(depths, 2.0)
    raw[..., -1] = -1.0  # nothing behind the slab
    seen = composite_published(raw, torch.ones(*depths.shape, 3), depths, length * ALONG_Z.expand(*ray, 3))
    expected = torch.full(ray, -0.5 * length * 2.0).expm1().neg()
    torch.testing.assert_close(seen.opacity, expected)
    torch.testing.assert_close(seen.rgb, expected[..., None].expand(*ray, 3))


@pytest.mark.parametrize("ray", SHAPES)
def test_compositing_matches_a_slow_reference(ray: tuple[int, ...]) -> None:
    raw, colour, depths, directions = _rays(ray)
    raw[..., 0] = 1.0  # no ray is empty
    seen = composite_published(raw, colour, depths, directions, (torch.tensor(0.0), torch.tensor(100.0)))
    weights = published_weights(raw, depths, directions)
    transmittance, rgb, total = torch.ones(ray), torch.zeros(*ray, 3), torch.zeros(ray)
    for i in range(7):
        step = depths[..., i + 1] - depths[..., i] if i < 6 else torch.full(ray, 1e10)
        alpha = 1 - torch.exp(-raw[..., i].clamp_min(0) * step * directions.square().sum(dim=-1).sqrt())
        torch.testing.assert_close(weights[..., i], alpha * transmittance, rtol=1e-5, atol=1e-7)
        weight = alpha * transmittance
        rgb, total = rgb + weight[..., None] * colour[..., i, :], total + weight * depths[..., i]
        transmittance = transmittance * (1 - alpha + 1e-10)
    torch.testing.assert_close(seen.rgb, rgb, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(seen.depth, total / weights.sum(dim=-1), rtol=1e-5, atol=1e-6)


def test_the_last_sample_is_opaque() -> None:
    raw, colour, depths, directions = _rays((4,))
    raw[:, -1] = 0.01
    torch.testing.assert_close(composite_published(raw, colour, depths, directions).opacity, torch.ones(4))


def test_an_empty_ray_is_black_and_has_the_largest_depth_of_the_image() -> None:
    raw, colour, depths, directions = _rays((4,))
    raw[2] = -80.0
    seen = composite_published(raw, colour, depths, directions)
    assert not seen.rgb[2].any() and seen.opacity[2] == 0
    assert seen.depth[2] == depths.max()
    within = composite_published(raw, colour, depths, directions, (torch.tensor(0.0), torch.tensor(9.0)))
    assert within.depth[2] == 9.0


def test_rays_in_chunks_give_the_whole_image() -> None:
    raw, colour, depths, directions = _rays((6,))
    whole = composite_published(raw, colour, depths, directions)
    limits = depths.aminmax()
    parts = [
        composite_published(raw[i : i + 2], colour[i : i + 2], depths[i : i + 2], directions[i : i + 2], tuple(limits))
        for i in (0, 2, 4)
    ]
    for found, wanted in zip(map(torch.cat, zip(*parts, strict=True)), whole, strict=True):
        torch.testing.assert_close(found, wanted)


def test_gradients_are_finite_even_on_empty_rays() -> None:
    raw, colour, depths, directions = _rays((4,))
    raw[2] = -80.0
    raw.requires_grad_()
    sum(x.sum() for x in composite_published(raw, colour, depths, directions)).backward()
    assert raw.grad is not None and raw.grad.isfinite().all() and raw.grad.any()
