"""Drawing on periodic images: stripes, stamps that wrap around the edge, overlays, and outlines of motifs."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from sherf.datasets.openpeople.colours import Colour
from sherf.datasets.openpeople.noise import Number

SIZE = 512
"""Pixels across a tile of most families."""
_SHIFT = 5
"""Fractional bits of polygon corners, as `cv2.fillPoly` takes them."""

Outline = Float[np.ndarray, "corner 2"]
"""A closed polygon around the origin, x right and y down; roughly within the unit circle."""


def grid(size: int = SIZE) -> tuple[Float32[np.ndarray, "row column"], Float32[np.ndarray, "row column"]]:
    """Return the coordinates of pixel centres in [0, 1): x to the right, y down."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(steps, steps)
    return x, y


def solid_colour(colour: Colour, size: int = SIZE) -> Float32[np.ndarray, "row column 3"]:
    """Return an image of one colour."""
    return np.broadcast_to(colour.astype(np.float32), (size, size, 3)).copy()


def overlay(
    image: Float32[np.ndarray, "row column 3"],
    colour: Colour | Float32[np.ndarray, "row column 3"],
    share: Float[np.ndarray, "row column"],
) -> Float32[np.ndarray, "row column 3"]:
    """Blend a colour over an image with opacity `share`."""
    return image + (colour - image) * share[..., None].astype(np.float32)


def antialias(distance: Float[np.ndarray, "row column"], pixels: Number) -> Float[np.ndarray, "row column"]:
    """Return the coverage of a shape, 1 inside and 0 outside, with an edge one pixel wide.

    Args:
        distance: signed distance to the outline, negative inside.
        pixels: pixels per unit of distance.
    """
    return np.clip(0.5 - distance * pixels, 0, 1)


def stripes(bands: Sequence[tuple[Number, Colour]], size: int = SIZE) -> Float32[np.ndarray, "size 3"]:
    """Return one line of colours: bands of these relative widths, antialiased."""
    widths = np.array([width for width, _ in bands])
    ends = np.cumsum(widths) / widths.sum()
    at = (np.arange(size * 8) + 0.5) / (size * 8)
    colours = np.stack([colour for _, colour in bands])[np.minimum(np.searchsorted(ends, at), len(bands) - 1)]
    return colours.reshape(size, 8, 3).mean(axis=1).astype(np.float32)


def rows(line: Float32[np.ndarray, "size 3"]) -> Float32[np.ndarray, "size size 3"]:
    """Return horizontal stripes from one line of colours."""
    return np.repeat(line[:, None], len(line), axis=1)


def stamp(
    canvas: UInt8[np.ndarray, "size size 3"],
    shape: Outline,
    colour: Colour,
    at: tuple[Number, Number],
    scale: Number,
    turn: Number = 0.0,
) -> None:
    """Fill a polygon in place, wrapping around the edges.

    Args:
        canvas: the image.
        shape: the polygon.
        colour: sRGB in [0, 1].
        at: position of the polygon's origin, pixels.
        scale: pixels per unit of the outline.
        turn: clockwise rotation, radians.
    """
    size = len(canvas)
    c, s = np.cos(turn), np.sin(turn)
    corners = shape @ np.array([[c, s], [-s, c]]) * scale + np.array(at)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    paint = [float(v) for v in np.rint(colour * 255)]
    for dx in (d for d in (-size, 0, size) if left + d < size and right + d > 0):
        for dy in (d for d in (-size, 0, size) if top + d < size and bottom + d > 0):
            moved = np.rint((corners + np.array([dx, dy])) * 2**_SHIFT).astype(np.int32)
            cv2.fillPoly(canvas, [moved], paint, cv2.LINE_AA, _SHIFT)


def soften(image: Float32[np.ndarray, "size size 3"]) -> Float32[np.ndarray, "size size 3"]:
    """Blur by about a pixel, wrapping around the edges: antialiasing for shapes drawn with hard borders."""
    for axis in (0, 1):
        image = 0.5 * image + 0.25 * (np.roll(image, 1, axis) + np.roll(image, -1, axis))
    return image.astype(np.float32)


def scatter(rng: np.random.Generator, count: int, size: int = SIZE, jitter: float = 0.35) -> list[tuple[float, float]]:
    """Return about `count` jittered grid points on a periodic square, pixels, in random order."""
    side = max(round(count**0.5), 1)
    step = size / side
    places = [
        (float((i + 0.5 * (j % 2) * (side % 2 == 0) + dx) * step % size), float((j + dy) * step % size))
        for (i, j), (dx, dy) in zip(
            np.ndindex(side, side), rng.uniform(0.5 - jitter, 0.5 + jitter, (side * side, 2)), strict=True
        )
    ]
    return [places[k] for k in rng.permutation(len(places))]


def to_uint8(image: Float32[np.ndarray, "size size 3"]) -> UInt8[np.ndarray, "size size 3"]:
    """Convert an image in [0, 1] to 8 bits."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def to_float(canvas: UInt8[np.ndarray, "size size 3"]) -> Float32[np.ndarray, "size size 3"]:
    """Convert an 8-bit image to [0, 1]."""
    return canvas.astype(np.float32) / np.float32(255)


def circle(corners: int = 24) -> Outline:
    """Return the unit circle."""
    return polar(lambda t: np.ones_like(t), corners)


def polar(radius: Callable[[Float[np.ndarray, " corner"]], Float[np.ndarray, " corner"]], corners: int = 48) -> Outline:
    """Return the outline with this radius as a function of the angle (radians, clockwise from +x)."""
    t = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return radius(t)[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)


def star(points: int = 5, inner: float = 0.4, outer: float = 1.0) -> Outline:
    """Return a star with one point upwards; equal radii give a regular polygon of 2 * `points` corners."""
    t = np.arange(2 * points) * np.pi / points - np.pi / 2
    radius = np.where(np.arange(2 * points) % 2 == 0, outer, inner)
    return radius[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)


def heart(corners: int = 40) -> Outline:
    """Return a heart, point down."""
    t = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 17
    return np.stack([16 * np.sin(t) ** 3 / 17, y], axis=1)


def petals(count: int, depth: float = 0.4) -> Outline:
    """Return a flower with round petals."""
    return polar(lambda t: 1 - depth * (0.5 - 0.5 * np.cos(count * t)), 16 * count)


def leaf(width: float = 0.35) -> Outline:
    """Return a pointed leaf from (-1, 0) to (1, 0)."""
    t = np.linspace(0, np.pi, 14)
    upper = np.stack([-np.cos(t), width * np.sin(t) ** 1.2], axis=1)
    return np.concatenate([upper, upper[-2:0:-1] * [1, -1]])


def drop() -> Outline:
    """Return a paisley drop: round below, its tip curling to the right."""
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = 0.62 * np.sin(t) * np.sin(t / 2) ** 1.2, 0.9 * np.cos(t)
    bend = np.clip(-y - 0.1, 0, None)
    return np.stack([x + 0.7 * bend**2, y + 0.25 * bend**2], axis=1)


def square() -> Outline:
    """Return an axis-aligned square with corners on the unit circle."""
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / np.sqrt(2)
