"""Affine resampling of image arrays, in pixel coordinates with centres at +0.5."""

import cv2
import numpy as np
from jaxtyping import Float, Shaped


def warp_affine(
    source: Shaped[np.ndarray, "h w *channel"],
    target_from_source: Float[np.ndarray, "2 3"],
    size: tuple[int, int],
    repeat_border: bool = False,
) -> Shaped[np.ndarray, "out_h out_w *channel"]:
    """Resample an image through an affine map, bilinearly; reductions below half size are area-averaged first.

    Args:
        source: uint8 or float32.
        target_from_source: maps pixel coordinates, whose origin is the top-left corner, from source to target.
        size: the target's height and width, px.
        repeat_border: replicate the source's border outside it, instead of filling with 0.

    Returns:
        The target, of the source's type.
    """
    scale = np.sqrt(abs(np.linalg.det(target_from_source[:, :2])))
    if 2 * scale < 1:
        height, width = (max(1, round(length * 2 * scale)) for length in source.shape[:2])
        stretch = np.diag([source.shape[1] / width, source.shape[0] / height, 1.0])
        source = cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA)
        target_from_source = target_from_source @ stretch
    # OpenCV's origin is the centre of the top-left pixel.
    linear, offset = target_from_source[:, :2], target_from_source[:, 2]
    opencv_matrix = np.column_stack([linear, offset + linear @ (0.5, 0.5) - 0.5])
    border = cv2.BORDER_REPLICATE if repeat_border else cv2.BORDER_CONSTANT
    return cv2.warpAffine(source, opencv_matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)
