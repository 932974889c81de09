"""PSNR, SSIM and LPIPS in two conventions: `published` (oddities included) and `standard`.

Both compare the pixels of a mask, usually those whose rays hit the body's box. Published scores are higher in SSIM,
whose data range is taken as 2 for values in [0, 1], and lower in LPIPS, which receives [0, 1] instead of [-1, 1].
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from skimage.metrics import structural_similarity

from sherf.benchmark.lpips_metric import Lpips

Convention = Literal["published", "standard"]
PERFECT_PSNR = 100.0
"""PSNR of equal images, dB: infinity cannot be averaged."""
MIN_CROP_SIDE = 11
"""Side of SSIM's Gaussian window, pixels: smaller crops are padded with black."""


@dataclass(frozen=True)
class Scores:
    """Similarity of two images."""

    psnr: float
    """Peak signal-to-noise ratio over the scored pixels, dB; higher is better."""
    ssim: float
    """Structural similarity of the crops, at most 1; higher is better."""
    lpips_vgg: float
    """LPIPS distance on VGG-16; lower is better."""
    lpips_alex: float
    """LPIPS distance on AlexNet; lower is better."""


METRICS = ("psnr", "ssim", "lpips_vgg", "lpips_alex")


def score(
    prediction: Float[np.ndarray, "h w 3"],
    target: Float[np.ndarray, "h w 3"],
    scored: Bool[np.ndarray, "h w"],
    convention: Convention,
    lpips: Lpips,
) -> Scores:
    """Compare two sRGB images in [0, 1] over the pixels `scored`.

    PSNR is taken over these pixels, SSIM and LPIPS over their bounding rectangle with all other pixels black.

    Args:
        prediction: the rendered image; clipped to [0, 1] in the standard convention only.
        target: the ground truth.
        scored: the pixels to compare.
        convention: see the module.
        lpips: the perceptual metric.

    Returns:
        The scores; PSNR is rounded to three decimals in the published convention.

    Raises:
        ValueError: `scored` is empty.
    """
    if not scored.any():
        raise ValueError("no pixel is scored: the body's box lies outside the image")
    if convention == "standard":
        prediction = prediction.clip(0, 1)
    a, b = crop(prediction, scored), crop(target, scored)
    vgg, alex = lpips(a, b, rescale=convention == "standard")
    psnr = compute_psnr(prediction[scored], target[scored])
    return Scores(round(psnr, 3) if convention == "published" else psnr, compute_ssim(a, b, convention), vgg, alex)


def compute_psnr(a: Float[np.ndarray, "*any"], b: Float[np.ndarray, "*any"]) -> float:
    """Return -10 log10 of the mean squared difference of values in [0, 1], dB, at most `PERFECT_PSNR`."""
    error = float(np.square(a.astype(np.float64) - b).mean())
    return PERFECT_PSNR if error == 0 else min(-10 * math.log10(error), PERFECT_PSNR)


def compute_ssim(a: Float[np.ndarray, "h w 3"], b: Float[np.ndarray, "h w 3"], convention: Convention) -> float:
    """Return the structural similarity (Wang et al. 2004), averaged over the channels.

    published: 7 x 7 uniform window, sample covariance, data range 2, the defaults of scikit-image 0.19.3 for floats.
    standard: Gaussian window of 11 pixels (sigma 1.5), data range 1, as in the paper.

    Args:
        a: sRGB in [0, 1], at least 11 x 11 pixels.
        b: the image to compare with.
        convention: which of the two.
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


def crop(image: Float[np.ndarray, "h w 3"], scored: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2 3"]:
    """Blacken all pixels that are not scored and cut out the bounding rectangle of the others, at least 11 x 11."""
    rows, columns = (np.flatnonzero(scored.any(axis=axis)) for axis in (1, 0))
    cut = (image * scored[..., None])[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    missing = [max(MIN_CROP_SIDE - n, 0) for n in cut.shape[:2]]
    return np.pad(cut, [(0, missing[0]), (0, missing[1]), (0, 0)])


def bounding_rectangle(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the mask of all pixels in the bounding rectangle of a mask."""
    rows: Bool[np.ndarray, " h"] = np.any(mask, axis=1)
    columns: Bool[np.ndarray, " w"] = np.any(mask, axis=0)
    return rows[:, None] & columns[None]
