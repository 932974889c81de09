"""Resampling of image arrays by affine maps between pixel coordinates (centres at +0.5)."""

import cv2
import numpy as np
from jaxtyping import Float, Shaped


def warp(
    source: Shaped[np.ndarray, "h w *channel"],
    target_from_source: Float[np.ndarray, "2 3"],
    size: tuple[int, int],
    repeat_border: bool = False,
) -> Shaped[np.ndarray, "out_h out_w *channel"]:
    """The source seen through an affine map, bilinear; averaged first where it is reduced below half size.

    Args:
        source: uint8 or float32.
        target_from_source: maps pixel coordinates with (0, 0) at the top-left corner.
        size: the target's height and width, px.
        repeat_border: outside the source its border goes on; otherwise there is 0.
    """
    scale = np.sqrt(abs(np.linalg.det(target_from_source[:, :2])))
    if 2 * scale < 1:
        height, width = (max(1, round(length * 2 * scale)) for length in source.shape[:2])
        stretch = np.diag([source.shape[1] / width, source.shape[0] / height, 1.0])
        source = cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA)
        target_from_source = target_from_source @ stretch
    # OpenCV counts from the top-left pixel's centre.
    turn, offset = target_from_source[:, :2], target_from_source[:, 2]
    by_centres = np.column_stack([turn, offset + turn @ (0.5, 0.5) - 0.5])
    border = cv2.BORDER_REPLICATE if repeat_border else cv2.BORDER_CONSTANT
    return cv2.warpAffine(source, by_centres, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)
