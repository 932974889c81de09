"""Image losses agree with the benchmark's metrics."""

import numpy as np
import pytest
import torch

from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import compute_ssim
from sherf.training.losses import PerceptualLoss, structural_similarity


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    a = rng.random((72, 80, 3)).astype(np.float32)
    return a, np.clip(a + rng.normal(0, 0.2, a.shape), 0, 1).astype(np.float32)


def as_batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None]


def test_ssim_agrees_with_the_benchmark(images: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = images
    assert float(structural_similarity(as_batch(a), as_batch(b))) == pytest.approx(
        compute_ssim(a, b, "standard"), abs=1e-4
    )
    assert float(structural_similarity(as_batch(a), as_batch(a))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("rescale", [True, False])
def test_lpips_agrees_with_the_benchmark(images: tuple[np.ndarray, np.ndarray], rescale: bool) -> None:
    a, b = images
    vgg, _ = Lpips()(a, b, rescale)
    assert float(PerceptualLoss(rescale)(as_batch(a), as_batch(b))) == pytest.approx(vgg, abs=1e-5)
