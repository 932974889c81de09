"""PSNR, SSIM and LPIPS in the two conventions: `published` (oddities included) and `standard`.

Both look at the pixels of the body's box: those that the mask M (rays that hit the box) names. Published scores are
higher in SSIM, whose data range is taken as 2 for numbers in [0, 1], and lower in LPIPS, which there sees [0, 1]
instead of [-1, 1].
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from skimage.metrics import structural_similarity

from sherf.benchmark.lpips_metric import Lpips

Convention = Literal["published", "standard"]
PERFECT_PSNR = 100.0
"""What equal pictures score: infinity has no place in a mean."""
SMALLEST_SIDE = 11
"""The Gaussian window's: a smaller crop is padded with black."""


@dataclass(frozen=True)
class Scores:
    """How near one picture is to another."""

    psnr: float
    """dB, over the pixels of M."""
    ssim: float
    lpips_vgg: float
    lpips_alex: float


METRICS = ("psnr", "ssim", "lpips_vgg", "lpips_alex")


def score(
    prediction: Float[np.ndarray, "h w 3"],
    target: Float[np.ndarray, "h w 3"],
    scored: Bool[np.ndarray, "h w"],
    convention: Convention,
    lpips: Lpips,
) -> Scores:
    """Compare two pictures, sRGB in [0, 1], over the pixels `scored`.

    Raises:
        ValueError: no pixel is scored.
    """
    if not scored.any():
        raise ValueError("no pixel is scored: the body's box lies outside the picture")
    if convention == "standard":
        prediction = prediction.clip(0, 1)
    a, b = crop(prediction, scored), crop(target, scored)
    vgg, alex = lpips(a, b, rescale=convention == "standard")
    psnr = psnr_of(prediction[scored], target[scored])
    return Scores(round(psnr, 3) if convention == "published" else psnr, ssim_of(a, b, convention), vgg, alex)


def psnr_of(a: Float[np.ndarray, "*any"], b: Float[np.ndarray, "*any"]) -> float:
    """-10 log10 of the mean squared difference, dB."""
    error = float(np.square(a.astype(np.float64) - b).mean())
    return PERFECT_PSNR if error == 0 else min(-10 * math.log10(error), PERFECT_PSNR)


def ssim_of(a: Float[np.ndarray, "h w 3"], b: Float[np.ndarray, "h w 3"], convention: Convention) -> float:
    """Structural similarity (Wang et al. 2004), mean over channels.

    published: 7 x 7 uniform window, sample covariance, data range 2, as scikit-image 0.19.3 does for floats.
    standard: Gaussian window of 11 pixels (sigma 1.5), data range 1, as in the paper of SSIM.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    match convention:
        case "published":
            return float(structural_similarity(a, b, channel_axis=-1, data_range=2.0))
        case "standard":
            return float(
                structural_similarity(
                    a,
                    b,
                    channel_axis=-1,
                    data_range=1.0,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
            )


def crop(picture: Float[np.ndarray, "h w 3"], scored: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2 3"]:
    """Black outside the scored pixels, cut to their bounding rectangle, at least a window large."""
    rows, columns = (np.flatnonzero(scored.any(axis=axis)) for axis in (1, 0))
    cut = (picture * scored[..., None])[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    missing = [max(SMALLEST_SIDE - n, 0) for n in cut.shape[:2]]
    return np.pad(cut, [(0, missing[0]), (0, missing[1]), (0, 0)])


def rectangle_around(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """All pixels of a mask's bounding rectangle."""
    return mask.any(axis=1)[:, None] & mask.any(axis=0)[None]


def to_tensor(picture: Float[np.ndarray, "h w 3"]) -> Float[torch.Tensor, "1 3 h w"]:
    """For a network."""
    return torch.from_numpy(np.ascontiguousarray(picture)).float().permute(2, 0, 1)[None]
