"""Smooth random fields in space: value noise and sums of its octaves, fast enough to paint every pixel with.

The noise is read from one fixed periodic lattice; a seed picks where in it. Everything is a pure function.
"""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Float32

Number = float | int | np.floating
CELLS = 32
"""The noise repeats after so many units along each axis."""
_SLICES_PER_ROW = 8
_ROW_LENGTH = 1024
"""cv2.remap refuses pictures longer than 32,767: points are sent in rows of this length."""


def value_noise(points: Float[np.ndarray, "point 3"], seed: int) -> Float32[np.ndarray, " point"]:
    """Values in [-1, 1] that vary over one unit of space: random at whole numbers, smooth in between.

    Scale the points first: `value_noise(rest / 0.01, seed)` has grains of a centimetre.
    """
    q = points.astype(np.float32) + _shift(seed)
    cell = np.floor(q)
    t = q - cell
    t *= t * (3 - 2 * t)
    cell -= np.floor(cell / CELLS) * CELLS
    slice_ = cell[:, 2].astype(np.int32)
    place = np.empty((-(-len(q) // _ROW_LENGTH) * _ROW_LENGTH, 2), np.float32)
    place[len(q) :] = 0
    place[: len(q)] = cell[:, :2] + t[:, :2]
    place[: len(q), 0] += (slice_ % _SLICES_PER_ROW) * (CELLS + 1)
    place[: len(q), 1] += (slice_ // _SLICES_PER_ROW) * (CELLS + 1)
    between = cv2.remap(_atlas(), place.reshape(-1, _ROW_LENGTH, 2), None, cv2.INTER_LINEAR).reshape(-1, 4)[: len(q)]
    return between[:, 0] + (between[:, 1] - between[:, 0]) * t[:, 2]


def fbm(points: Float[np.ndarray, "point 3"], seed: int, octaves: int = 3) -> Float32[np.ndarray, " point"]:
    """Fractal noise: octaves of half the size and half the strength each. Values mostly in [-1, 1]."""
    total = value_noise(points, seed)
    for octave in range(1, octaves):
        total += value_noise(points * np.float32(2**octave), seed + 101 * octave) * np.float32(0.5**octave)
    return total


def ridges(points: Float[np.ndarray, "point 3"], seed: int, octaves: int = 3) -> Float32[np.ndarray, " point"]:
    """Folded fractal noise, 1 along thin crests and falling off to both sides: creases, veins, strands."""
    return 1 - np.abs(fbm(points, seed, octaves))


def periodic_noise(
    rng: np.random.Generator, size: int, cells: tuple[int, int], octaves: int = 3
) -> Float32[np.ndarray, "size size"]:
    """Make a square picture of fractal noise that tiles: `cells` (rows, columns) grains of the first octave.

    Values roughly in [-1, 1], mean 0.
    """
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        rows, columns = (min(c * 2**octave, size) for c in cells)
        grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        total += _stretch(grid, size) * np.float32(0.5**octave)
    return total - total.mean()


def smoothstep(
    x: Float[np.ndarray, "*any"], low: Number | Float[np.ndarray, "..."], high: Number | Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*any"]:
    """0 below `low`, 1 above `high`, smooth in between; `low` > `high` runs the other way."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _stretch(grid: Float32[np.ndarray, "row column"], size: int) -> Float32[np.ndarray, "size size"]:
    """Interpolate a periodic grid smoothly to a square picture; the grid's first node lies on the first pixel."""
    rows, columns = grid.shape
    x = np.arange(size, dtype=np.float32) * np.float32(columns / size)
    y = np.arange(size, dtype=np.float32) * np.float32(rows / size)
    where = [np.floor(a) + smoothstep(a - np.floor(a), 0, 1) for a in (x, y)]
    map_x, map_y = np.meshgrid(where[0].astype(np.float32), where[1].astype(np.float32))
    return cv2.remap(grid, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _shift(seed: int) -> Float32[np.ndarray, "3"]:
    """Where in the lattice a seed begins: whole and broken cells, spread by three irrational steps."""
    steps = np.array([0.7548776662466927, 0.5698402909980532, 0.8191725133961645])
    return ((seed * steps) % 1 * CELLS).astype(np.float32)


@cache
def _atlas() -> Float32[np.ndarray, "row column 4"]:
    """The lattice's slices side by side, each one cell wider so that it wraps.

    Channel 0 is the slice itself, channel 1 the one above it, the others are empty: of pictures with two channels
    cv2.remap rounds the places to 1/32 pixel, of those with four it does not.
    """
    lattice = np.random.default_rng(20240229).uniform(-1, 1, (CELLS, CELLS, CELLS)).astype(np.float32)
    empty = np.zeros_like(lattice)
    pairs = np.stack([lattice, np.roll(lattice, -1, axis=0), empty, empty], axis=-1)
    pairs = np.pad(pairs, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="wrap")
    rows = CELLS // _SLICES_PER_ROW
    side = CELLS + 1
    tiles = pairs.reshape(rows, _SLICES_PER_ROW, side, side, 4).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles.reshape(rows * side, _SLICES_PER_ROW * side, 4))
