"""The mask as it is painted on the page: a tinted layer over a small picture of the photo."""

from typing import TypedDict

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sherf.scene import Subject

TINT = (20, 184, 166)
SEE_THROUGH = 150
"""How opaque the layer is, of 255."""
PAINTED = 40
"""A layer of this opacity or more is the person."""
SIDE = 640
"""Of the picture that is painted on, pixels."""
BESIDE = 235
"""The grey beside the photo."""
SLIPS = 12
"""Pixels that may change without anybody having painted: the browser's rounding."""


class Painting(TypedDict):
    """What the editor shows, and what it hands back."""

    background: UInt8[np.ndarray, "h w channels"] | None
    layers: list[UInt8[np.ndarray, "h w 4"]]
    composite: UInt8[np.ndarray, "h w channels"] | None


def whole_mask(subject: Subject, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The mask in the whole photo; a subject is cut out of it.

    Args:
        size: the photo's height and width, pixels.
    """
    height, width = subject.mask.shape
    # the whole photo's principal point is its middle
    left, top = (round(side / 2 - float(at)) for side, at in zip(size[::-1], subject.camera.K[:2, 2], strict=True))
    mask = np.zeros(size, dtype=bool)
    mask[top : top + height, left : left + width] = subject.mask.numpy() > 0.5
    return mask


def painting(picture: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h2 w2"]) -> Painting:
    """The photo with its mask, to be painted on: a square, as the editor lays layers around its own middle."""
    size, window = _fitted(picture.shape[:2])
    background, layer = np.full((SIDE, SIDE, 3), BESIDE, np.uint8), np.zeros((SIDE, SIDE, 4), np.uint8)
    background[window] = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    layer[window][_resized(mask, size)] = (*TINT, SEE_THROUGH)
    return {"background": background, "layers": [layer], "composite": None}


def repainted(mask: Bool[np.ndarray, "h w"], edited: Painting | None) -> UInt8[np.ndarray, "h w"] | None:
    """The mask with what was painted and erased; None where it is as it was. White is the person."""
    if edited is None or not edited["layers"]:
        return None
    size, window = _fitted(mask.shape)
    layers = [layer[window][..., 3] for layer in edited["layers"] if layer.shape == (SIDE, SIDE, 4)]
    if not layers:
        return None
    layer = np.max(layers, axis=0) >= PAINTED
    other = layer != _resized(mask, size)
    if other.sum() <= SLIPS:
        return None
    # where nothing was painted the mask keeps the photo's own resolution; what was keeps no fringe
    other = cv2.dilate(other.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return 255 * np.where(_resized(other, mask.shape), _resized(layer, mask.shape), mask).astype(np.uint8)


def _fitted(size: tuple[int, ...]) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """How large a picture is in the editor's square, and where: in its middle."""
    height, width = (max(1, round(SIDE * side / max(size))) for side in size)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    return (height, width), (slice(top, top + height), slice(left, left + width))


def _resized(mask: Bool[np.ndarray, "h w"], size: tuple[int, ...]) -> Bool[np.ndarray, "h2 w2"]:
    return cv2.resize(mask.astype(np.uint8), size[1::-1], interpolation=cv2.INTER_NEAREST) > 0
