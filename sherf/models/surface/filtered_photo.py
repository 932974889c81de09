"""The photo reduced to the resolution of a frame: each of its pixels is the mean of what a frame's pixel covers."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.camera.image import in_frame
from sherf.camera.pinhole import MIN_DEPTH
from sherf.models.layers.interpolate import linear_corners, rows_of_image, weighted_rows
from sherf.models.surface.observed import premultiply, unpremultiply
from sherf.scene import Camera, Subject

SOLID_MASK = 0.95
"""Mask values from here on count as full coverage: matter is not translucent where a mask is nearly 1."""
CARVE_REACH_M = 0.05
"""Matter is cut off at the mask's outline up to this distance outside it; beyond, something else may hide the person,
metres."""
LENIENT_M, LENIENT_MASK = 0.006, (0.04, 0.25)
"""From other directions than the photo's own, matter is cut off where the mask, blurred by this (standard deviation,
metres), falls from the second to the first value."""
MIN_SIDE = 8
"""Smallest side to which a photo is reduced, pixels."""


@dataclass(frozen=True)
class FilteredPhoto:
    """Colour and mask of a photo at one resolution."""

    rows: Float[Tensor, "row 6"]
    """For each pixel: colour times mask, mask, and the greatest opacity that matter may have there, seen in the photo's
    own direction and from any other."""
    size: tuple[int, int]
    """Height and width, pixels."""
    photo_size: tuple[int, int]
    """Height and width of the photo, pixels."""

    def colour(self, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point 3"]:
        """Return the person's colour at pixel coordinates of the photo, sRGB in [0, 1]; the border is repeated."""
        return unpremultiply(self._sample(pixels)[:, :4])

    def coverage(
        self, pixels: Float[Tensor, "point 2"], own: Float[Tensor, " point"] | None = None
    ) -> Float[Tensor, " point"]:
        """Return the greatest opacity of matter at pixel coordinates of the photo; 1 outside of the photo.

        Args:
            pixels: (x, y).
            own: 1 for points seen in the photo's own direction, 0 for those seen from elsewhere; None for elsewhere.
        """
        known = in_frame(pixels, self.photo_size, margin=0.5)
        exact, lenient = self._sample(pixels)[:, 4:].clamp(0, 1).unbind(dim=1)
        coverage = lenient if own is None else torch.lerp(lenient, exact, own)
        return torch.where(known, coverage, 1.0)

    def _sample(self, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point 6"]:
        (h, w), (photo_h, photo_w) = self.size, self.photo_size
        x, y = pixels.unbind(dim=-1)
        rows, columns = (y * (h / photo_h) - 0.5).clamp(0, h - 1), (x * (w / photo_w) - 0.5).clamp(0, w - 1)
        return weighted_rows(self.rows, *linear_corners(torch.stack([rows, columns], dim=1), self.size))


def photo_layers(subject: Subject, depth_m: float) -> Float[Tensor, "6 h w"]:
    """Return the layers that `FilteredPhoto` reduces.

    Args:
        subject: the observation.
        depth_m: distance of the person from the camera along its axis, metres.
    """
    mask = subject.mask
    pixels_per_metre = float(subject.camera.K[0, 0]) / depth_m
    reach = CARVE_REACH_M * pixels_per_metre
    outside = torch.from_numpy(
        cv2.distanceTransform((mask < 0.5).cpu().numpy().astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ).to(mask)
    unknown = (outside / reach - 1).clamp(0, 1)
    exact = torch.maximum((mask / SOLID_MASK).clamp_max(1), unknown)
    sigma = max(LENIENT_M * pixels_per_metre, 0.3)
    # blurred, and 1 up to the outline: a mask's jags are not carved into surfaces along the line of sight
    blurred = torch.from_numpy(cv2.GaussianBlur(mask.cpu().numpy(), (0, 0), sigma)).to(mask)
    lenient = torch.maximum(((blurred - LENIENT_MASK[0]) / (LENIENT_MASK[1] - LENIENT_MASK[0])).clamp(0, 1), unknown)
    return torch.cat([premultiply(subject), exact[None], lenient[None]])


def filter_photo(layers: Float[Tensor, "6 h w"], ratio: float) -> FilteredPhoto:
    """Return the photo with each pixel the mean over `ratio` pixels along both axes; unchanged for ratios below 1.

    Args:
        layers: as `photo_layers` returns them.
        ratio: pixels of the photo per pixel of the frame.
    """
    photo_size = (layers.shape[1], layers.shape[2])
    size = photo_size
    if ratio > 1:
        h, w = (max(round(n / ratio), min(n, MIN_SIDE)) for n in photo_size)
        size = (h, w)
        layers = F.interpolate(layers[None], size, mode="area")[0]
    return FilteredPhoto(rows_of_image(layers), size, photo_size)


def pixel_ratio(photo: Camera, photo_depth_m: float, camera: Camera, depth_m: Float[Tensor, ""]) -> float:
    """Return how many pixels of the photo a pixel of another camera covers, on a surface that faces both.

    Args:
        photo: the photo's camera.
        photo_depth_m: distance of the person from it, metres.
        camera: the other camera.
        depth_m: distance of the person from it, metres.
    """
    return float(photo.K[0, 0] * depth_m.clamp_min(MIN_DEPTH) / camera.K[0, 0]) / photo_depth_m
