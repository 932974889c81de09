"""The mask editor's images: the mask as a tinted layer over a reduced photo, and the mask read back from it."""

from typing import TypedDict

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sherf.scene import Subject

TINT = (20, 184, 166)
LAYER_ALPHA = 150
"""Opacity of the mask's layer, of 255."""
PAINTED_ALPHA = 40
"""Opacity from which a pixel of a layer counts as the person, of 255."""
CANVAS_SIDE = 640
"""Side of the editor's square canvas, pixels."""
CANVAS_GREY = 235
"""Grey level beside the photo."""
MAX_ROUNDING_PIXELS = 12
"""Up to this many changed pixels are the browser's rounding, not painting."""


class Painting(TypedDict):
    """Value of Gradio's image editor: what it shows, and what it returns."""

    background: UInt8[np.ndarray, "h w channels"] | None
    layers: list[UInt8[np.ndarray, "h w 4"]]
    composite: UInt8[np.ndarray, "h w channels"] | None


def full_photo_mask(subject: Subject, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Return a subject's mask in the frame of the whole photo that it was cropped from.

    Args:
        subject: the cropped observation.
        size: the photo's height and width, pixels.
    """
    height, width = subject.mask.shape
    # the whole photo's principal point is its centre
    left, top = (round(side / 2 - float(at)) for side, at in zip(size[::-1], subject.camera.K[:2, 2], strict=True))
    mask = np.zeros(size, dtype=bool)
    mask[top : top + height, left : left + width] = subject.mask.numpy() > 0.5
    return mask


def make_painting(image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h2 w2"]) -> Painting:
    """Return the photo with its mask as a layer; a square, since the editor centres layers on its own canvas."""
    size, window = _placement(image.shape[:2])
    background = np.full((CANVAS_SIDE, CANVAS_SIDE, 3), CANVAS_GREY, np.uint8)
    layer = np.zeros((CANVAS_SIDE, CANVAS_SIDE, 4), np.uint8)
    background[window] = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    layer[window][_resized(mask, size)] = (*TINT, LAYER_ALPHA)
    return {"background": background, "layers": [layer], "composite": None}


def edited_mask(mask: Bool[np.ndarray, "h w"], painting: Painting | None) -> UInt8[np.ndarray, "h w"] | None:
    """Return the mask as painted and erased, 255 for the person; None if nothing was changed.

    Args:
        mask: the mask before.
        painting: what the editor returned for `make_painting` of that mask; None if it was never opened.
    """
    if painting is None or not painting["layers"]:
        return None
    size, window = _placement(mask.shape)
    canvas = (CANVAS_SIDE, CANVAS_SIDE, 4)
    layers = [layer[window][..., 3] for layer in painting["layers"] if layer.shape == canvas]
    if not layers:
        return None
    layer = np.max(layers, axis=0) >= PAINTED_ALPHA
    changed = layer != _resized(mask, size)
    if changed.sum() <= MAX_ROUNDING_PIXELS:
        return None
    # unchanged parts keep the photo's own resolution; changed ones are widened so that no fringe remains
    changed = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return 255 * np.where(_resized(changed, mask.shape), _resized(layer, mask.shape), mask).astype(np.uint8)


def _placement(size: tuple[int, ...]) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Return an image's (height, width) on the editor's canvas and its window there: centred."""
    height, width = (max(1, round(CANVAS_SIDE * side / max(size))) for side in size)
    top, left = (CANVAS_SIDE - height) // 2, (CANVAS_SIDE - width) // 2
    return (height, width), (slice(top, top + height), slice(left, left + width))


def _resized(mask: Bool[np.ndarray, "h w"], size: tuple[int, ...]) -> Bool[np.ndarray, "h2 w2"]:
    return cv2.resize(mask.astype(np.uint8), size[1::-1], interpolation=cv2.INTER_NEAREST) > 0
