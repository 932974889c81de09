"""The outline of a mask, and the two-sided distance between it and a body's silhouette."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.image import sample_image
from sherf.photo.affine_warp import warp_affine

POINTS = 320  # most points of an outline
SIDE = 256  # px: side of the distance map around the person
OUTSIDE, UNCOVERED = 8000.0, 8000.0  # weights of the two directions of the comparison


@dataclass(frozen=True)
class Outline:
    """A mask prepared for comparison with projected points."""

    distance: Float[Tensor, "1 h w"]
    """Distance to the mask from outside it, in person heights; 0 inside."""
    points: Float[Tensor, "point 2"]
    """The mask's outline, px."""
    corner: Float[Tensor, " 2"]
    """Top-left corner of the square that the distance map covers, px of the photo."""
    zoom: float
    """Pixels of the distance map per pixel of the photo."""
    height: float
    """Height of the person, px of the photo."""


def extract_outline(mask: Float[Tensor, "h w"], box: tuple[float, float, float, float], height: float) -> Outline:
    """Return the outline of a mask, with a distance map of the surroundings of the person's box.

    Args:
        mask: the person's mask; above 0.5 is the person.
        box: x0, y0, x1, y1 of the person, px.
        height: height of the person, px, in which distances are measured.
    """
    x0, y0, x1, y1 = box
    side = 1.5 * max(x1 - x0, y1 - y0)
    corner = np.array([x0 + x1 - side, y0 + y1 - side]) / 2
    zoom = SIDE / side
    matrix = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]])
    square = (SIDE, SIDE)
    inside = (warp_affine(mask.numpy(), matrix, square) > 0.5).astype(np.uint8)
    # What lies outside the photo is unknown, so points there cost nothing.
    framed = warp_affine(np.ones(mask.shape, np.float32), matrix, square) > 0.5
    distance = framed * cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) / (zoom * height)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)[:, 0] + 0.5 if contours else np.zeros((0, 2))
    pixels = contour / zoom + corner
    # Where the photo's border cuts the person there is no outline of the body.
    edge = 2.0 / zoom
    pixels = pixels[((pixels > edge) & (pixels < np.array(mask.shape[::-1]) - edge)).all(1)]
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), POINTS)).astype(int)
    return Outline(
        distance=torch.from_numpy(distance).float()[None],
        points=torch.from_numpy(pixels[chosen]).float(),
        corner=torch.from_numpy(corner).float(),
        zoom=zoom,
        height=height,
    )


def outline_energy(pixels: Float[Tensor, "vertex 2"], outline: Outline) -> Float[Tensor, ""]:
    """Return the cost of body points outside the mask and of outline points that are far from any body point.

    Clothes lie outside the body, so far outline points saturate (`robust`), body points outside the mask do not.

    Args:
        pixels: the projected points of the body, px of the photo.
        outline: the mask's outline.
    """
    outside = sample_image(outline.distance, (pixels - outline.corner) * outline.zoom)
    cost = OUTSIDE * outside.square().mean()
    if len(outline.points):
        nearest = torch.cdist(outline.points, pixels).min(dim=1).values / outline.height
        cost = cost + UNCOVERED * robust(nearest.square(), 0.05).mean()
    return cost


def robust(squared: Float[Tensor, "*any"], scale: float) -> Float[Tensor, "*any"]:
    """Return the Geman-McClure penalty: quadratic well below `scale`, approaching scale^2 far beyond it."""
    return squared * scale**2 / (squared + scale**2)
