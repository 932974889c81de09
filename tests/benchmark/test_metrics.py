"""PSNR, SSIM and LPIPS against their definitions, reimplemented from the papers."""

import math

import lpips
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sherf.benchmark.lpips_metric import Lpips, lpips_network
from sherf.benchmark.metrics import PERFECT_PSNR, bounding_rectangle, compute_psnr, compute_ssim, crop, score
from sherf.files.assets import asset_path


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    """Two smooth images that differ."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:72, :80] / 40
    a = np.stack([0.5 + 0.4 * np.sin(3 * x + k) * np.cos(2 * y - k) for k in range(3)], axis=-1)
    b = np.clip(a + 0.08 * rng.normal(size=a.shape) + 0.05 * np.cos(5 * x)[..., None], 0, 1)
    return a.astype(np.float32), b.astype(np.float32)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((4, 5, 3), np.float32)
    assert compute_psnr(a, a + 0.1) == pytest.approx(20.0, abs=1e-5)
    assert compute_psnr(a, a) == PERFECT_PSNR


def _ssim_by_hand(a: np.ndarray, b: np.ndarray, window: np.ndarray, data_range: float, sample: bool) -> float:
    """Wang et al. 2004, Eq. 13, window by window; the border where the window does not fit is left out."""
    size = window.shape[0]
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    factor = size * size / (size * size - 1) if sample else 1.0
    values = []
    for channel in range(3):
        views = [np.lib.stride_tricks.sliding_window_view(p[..., channel], (size, size)) for p in (a, b)]
        ma, mb = ((v * window).sum((-1, -2)) for v in views)
        va, vb = (factor * ((v**2 * window).sum((-1, -2)) - m**2) for v, m in zip(views, (ma, mb), strict=True))
        cov = factor * ((views[0] * views[1] * window).sum((-1, -2)) - ma * mb)
        s = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        values.append(s.mean())
    return float(np.mean(values))


def test_published_ssim_is_that_of_scikit_image_0_19_3(images: tuple) -> None:
    """7 x 7 uniform, sample covariance, and a data range of 2: the default for floats in that version."""
    a, b = (p.astype(np.float64) for p in images)
    by_hand = _ssim_by_hand(a, b, np.full((7, 7), 1 / 49), 2.0, True)
    assert compute_ssim(a, b, "published") == pytest.approx(by_hand, abs=1e-9)
    assert compute_ssim(a, b, "published") > compute_ssim(a, b, "standard")


def test_standard_ssim_is_that_of_the_paper(images: tuple) -> None:
    a, b = (p.astype(np.float64) for p in images)
    # scikit-image cuts the Gaussian off at 3.5 sigma: 11 pixels.
    x = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(x, x) / x.sum() ** 2
    assert compute_ssim(a, b, "standard") == pytest.approx(_ssim_by_hand(a, b, window, 1.0, False), abs=1e-6)


def test_equal_images_have_perfect_scores(images: tuple) -> None:
    a, _ = images
    everywhere = np.ones(a.shape[:2], bool)
    for convention in ("published", "standard"):
        scores = score(a, a, everywhere, convention, Lpips())
        assert scores.psnr == PERFECT_PSNR and scores.ssim == pytest.approx(1.0)
        assert scores.lpips_vgg == pytest.approx(0, abs=1e-7) and scores.lpips_alex == pytest.approx(0, abs=1e-7)


_VGG = ("M", (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512))


def _vgg_by_hand(image: torch.Tensor, weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The five stages of VGG-16 (Simonyan and Zisserman 2015), convolution by convolution."""
    found, number, x = [], 0, image
    for item in (*_VGG[1], "end"):
        if isinstance(item, str):
            found.append(x)
            if item == "M":
                x, number = nn.functional.max_pool2d(x, 2), number + 1
            continue
        name = f"features.{number}"
        x = nn.functional.relu(nn.functional.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))
        number += 2
    return found


@pytest.mark.parametrize("rescale", [True, False])
def test_lpips_is_its_definition(images: tuple, rescale: bool) -> None:
    """Zhang et al. 2018, Eq. 1, with the shipped features and the package's linear layers."""
    weights = {k: v.float() for k, v in load_file(asset_path("lpips/vgg_features_fp16.safetensors")).items()}
    linear = lpips_network("vgg").state_dict()
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    stages = []
    for image in images:
        x = torch.from_numpy(image).permute(2, 0, 1)[None]
        x = 2 * x - 1 if rescale else x
        stages.append(_vgg_by_hand((x - shift[:, None, None]) / scale[:, None, None], weights))
    total = 0.0
    for k, (f, g) in enumerate(zip(*stages, strict=True)):
        unit = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in (f, g)]
        total += float((linear[f"lin{k}.model.1.weight"] * (unit[0] - unit[1]) ** 2).sum(1).mean())
    assert Lpips()(*images, rescale=rescale)[0] == pytest.approx(total, rel=1e-4)


def test_the_linear_layers_are_those_of_the_package() -> None:
    """The random features are replaced; the linear layers that the package ships stay."""
    package = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).state_dict()
    ours = lpips_network("alex").state_dict()
    assert all(torch.equal(ours[k], package[k]) for k in package if k.startswith("lin"))


def test_predictions_are_clamped_in_the_standard_convention_only(images: tuple) -> None:
    _, b = images
    bright = np.full_like(b, 1.0)
    over = bright + 0.5
    everywhere = np.ones(b.shape[:2], bool)
    assert score(over, bright, everywhere, "standard", Lpips()).psnr == PERFECT_PSNR
    assert score(over, bright, everywhere, "published", Lpips()).psnr == pytest.approx(-10 * math.log10(0.25), abs=1e-3)


def test_only_scored_pixels_count(images: tuple) -> None:
    a, b = images
    scored = np.zeros(a.shape[:2], bool)
    scored[10:60, 5:70] = True
    spoiled = b.copy()
    spoiled[~scored] = 0.77
    for convention in ("published", "standard"):
        assert score(a, spoiled, scored, convention, Lpips()) == score(a, b, scored, convention, Lpips())


def test_crops_are_the_bounding_rectangle_with_black_around_the_mask() -> None:
    scored = np.zeros((40, 50), bool)
    scored[5:30, 10:40] = True
    scored[5, 10] = False
    cut = crop(np.ones((40, 50, 3), np.float32), scored)
    assert cut.shape == (25, 30, 3) and cut[0, 0].sum() == 0 and cut.sum() == 3 * (25 * 30 - 1)
    assert crop(np.ones((40, 50, 3), np.float32), scored & (np.arange(50) < 12)).shape == (25, 11, 3)
    assert bounding_rectangle(scored).sum() == 25 * 30


def test_scoring_no_pixel_is_an_error(images: tuple) -> None:
    a, b = images
    with pytest.raises(ValueError, match="no pixel"):
        score(a, b, np.zeros(a.shape[:2], bool), "standard", Lpips())
