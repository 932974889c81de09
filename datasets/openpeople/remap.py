"""Bilinear sampling of an image at a list of points."""

import cv2
import numpy as np
from jaxtyping import Float32

_ROW_LENGTH = 1024
"""`cv2.remap` refuses maps longer than 32,767: points are passed in rows of this length."""


def sample_points(
    image: Float32[np.ndarray, "row column channel"],
    pixels: Float32[np.ndarray, "point 2"],
    border: int = cv2.BORDER_CONSTANT,
    padding: float = 0.0,
) -> Float32[np.ndarray, "point channel"]:
    """Sample an image bilinearly at pixel coordinates.

    Args:
        image: any number of channels.
        pixels: (x, y), with the top-left pixel's centre at (0, 0).
        border: OpenCV's border mode; the default reads 0 outside the image.
        padding: coordinate of the points that fill the last row; their values are discarded.

    Returns:
        The interpolated channels of each point.
    """
    rows = np.full((-(-len(pixels) // _ROW_LENGTH) * _ROW_LENGTH, 2), padding, np.float32)
    rows[: len(pixels)] = pixels
    found = cv2.remap(  # type: ignore[call-overload]  # OpenCV's stubs forbid None for the second map
        image, rows.reshape(-1, _ROW_LENGTH, 2), None, cv2.INTER_LINEAR, borderMode=border
    )
    return found.reshape(-1, image.shape[2])[: len(pixels)]
