"""Strips of pictures to look at: observation, target, prediction, error."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image

from sherf.files.output import atomic_output

LARGEST_ERROR = 0.5
"""Absolute difference, mean over the channels, that the colour map's upper end shows."""
QUALITY = 90


def write_strip(
    path: Path,
    observed: Float[np.ndarray, "h w 3"],
    target: Float[np.ndarray, "h w 3"],
    prediction: Float[np.ndarray, "h w 3"],
) -> None:
    """Four pictures side by side; the observation may have another size."""
    height = target.shape[0]
    first = Image.fromarray(_bytes(observed))
    width = round(first.width * height / first.height)
    parts = [np.asarray(first.resize((width, height))), _bytes(target), _bytes(prediction)]
    with atomic_output(path) as partial:
        Image.fromarray(np.concatenate([*parts, error_map(target, prediction)], axis=1)).save(partial, quality=QUALITY)


def error_map(target: Float[np.ndarray, "h w 3"], prediction: Float[np.ndarray, "h w 3"]) -> np.ndarray:
    """Mean absolute difference in false colours, black to yellow, 8 bit."""
    error = _bytes(np.abs(target - prediction).mean(axis=-1) / LARGEST_ERROR)
    return cv2.applyColorMap(error, cv2.COLORMAP_INFERNO)[..., ::-1]


def _bytes(picture: Float[np.ndarray, "h w *channels"]) -> np.ndarray:
    """As published: floor(255 clip(x, 0, 1))."""
    return (picture.clip(0, 1) * 255).astype(np.uint8)
