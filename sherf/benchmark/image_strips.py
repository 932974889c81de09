"""Strips of images for visual inspection: observation, target, prediction, error map."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sherf.files.output import atomic_output

LARGEST_ERROR = 0.5
"""Absolute difference, averaged over the channels, at the upper end of the colour map."""
JPEG_QUALITY = 90


def write_strip(
    path: Path,
    observed: Float[np.ndarray, "h0 w0 3"],
    target: Float[np.ndarray, "h w 3"],
    prediction: Float[np.ndarray, "h w 3"],
) -> None:
    """Write observation, target, prediction and error map side by side as one JPEG.

    Args:
        path: the file to write.
        observed: sRGB in [0, 1], resized to the target's height.
        target: sRGB in [0, 1].
        prediction: sRGB, clipped to [0, 1].

    Raises:
        OutputError: the file cannot be written.
    """
    height = target.shape[0]
    first = Image.fromarray(_to_bytes(observed))
    width = round(first.width * height / first.height)
    parts = [np.asarray(first.resize((width, height))), _to_bytes(target), _to_bytes(prediction)]
    with atomic_output(path) as partial:
        strip = np.concatenate([*parts, error_map(target, prediction)], axis=1)
        Image.fromarray(strip).save(partial, quality=JPEG_QUALITY)


def error_map(target: Float[np.ndarray, "h w 3"], prediction: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Return the absolute difference, averaged over the channels, in false colours (Inferno), RGB."""
    error = _to_bytes(np.abs(target - prediction).mean(axis=-1) / LARGEST_ERROR)
    return cv2.applyColorMap(error, cv2.COLORMAP_INFERNO)[..., ::-1]


def _to_bytes(image: Float[np.ndarray, "h w *channels"]) -> UInt8[np.ndarray, "h w *channels"]:
    """Return floor(255 clip(x, 0, 1)), as the published evaluation writes its images."""
    return (image.clip(0, 1) * 255).astype(np.uint8)
