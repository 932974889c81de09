"""What pictures are compared by: the definitions that the benchmark measures by."""

import numpy as np
import pytest
import torch

from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import ssim_of
from sherf.training.losses import Perception, structural_similarity


@pytest.fixture
def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    a = rng.random((72, 80, 3)).astype(np.float32)
    return a, np.clip(a + rng.normal(0, 0.2, a.shape), 0, 1).astype(np.float32)


def as_batch(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def test_ssim_is_the_benchmarks(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pictures
    assert float(structural_similarity(as_batch(a), as_batch(b))) == pytest.approx(ssim_of(a, b, "standard"), abs=1e-4)
    assert float(structural_similarity(as_batch(a), as_batch(a))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("rescale", [True, False])
def test_perception_is_the_benchmarks(pictures: tuple[np.ndarray, np.ndarray], rescale: bool) -> None:
    a, b = pictures
    vgg, _ = Lpips()(a, b, rescale)
    assert float(Perception(rescale)(as_batch(a), as_batch(b))) == pytest.approx(vgg, abs=1e-5)
