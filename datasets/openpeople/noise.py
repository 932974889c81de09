"""Procedural noise: value noise in space, fractal sums of it, and periodic noise images.

Value noise is read from one fixed periodic lattice; a seed selects an offset in it. All functions are pure.
"""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.remap import sample_points

Number = float | int | np.floating
CELLS = 32
"""Period of the noise along each axis, units."""
_SLICES_PER_ROW = 8


def value_noise(points: Float[np.ndarray, "point 3"], seed: int) -> Float32[np.ndarray, " point"]:
    """Return value noise: random in [-1, 1] at integer coordinates, smoothly interpolated in between.

    Scale the points to set the feature size: `value_noise(rest / 0.01, seed)` varies over a centimetre.
    """
    q = points.astype(np.float32) + _shift(seed)
    cell = np.floor(q)
    t = q - cell
    t *= t * (3 - 2 * t)
    cell -= np.floor(cell / CELLS) * CELLS
    slice_ = cell[:, 2].astype(np.int32)
    pixels = cell[:, :2] + t[:, :2]
    pixels[:, 0] += (slice_ % _SLICES_PER_ROW) * (CELLS + 1)
    pixels[:, 1] += (slice_ // _SLICES_PER_ROW) * (CELLS + 1)
    between = sample_points(_atlas(), pixels)
    return between[:, 0] + (between[:, 1] - between[:, 0]) * t[:, 2]


def fbm(points: Float[np.ndarray, "point 3"], seed: int, octaves: int = 3) -> Float32[np.ndarray, " point"]:
    """Return fractal noise: each octave has half the size and strength of the previous one; mostly in [-1, 1]."""
    total = value_noise(points, seed)
    for octave in range(1, octaves):
        total += value_noise(points * np.float32(2**octave), seed + 101 * octave) * np.float32(0.5**octave)
    return total


def ridges(points: Float[np.ndarray, "point 3"], seed: int, octaves: int = 3) -> Float32[np.ndarray, " point"]:
    """Return ridged fractal noise: 1 along thin crests and falling off to both sides."""
    return 1 - np.abs(fbm(points, seed, octaves))


def periodic_noise(
    rng: np.random.Generator, size: int, cells: tuple[int, int], octaves: int = 3
) -> Float32[np.ndarray, "size size"]:
    """Return a square image of fractal noise that tiles, roughly in [-1, 1] with mean 0.

    Args:
        rng: random numbers.
        size: side of the image, pixels.
        cells: (rows, columns) of features in the first octave.
        octaves: number of octaves.
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
    """Return 0 below `low`, 1 above `high`, smooth in between; with `low` > `high` the step falls."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _stretch(grid: Float32[np.ndarray, "row column"], size: int) -> Float32[np.ndarray, "size size"]:
    """Interpolate a periodic grid smoothly to a square image; the grid's first node lies on the first pixel."""
    rows, columns = grid.shape
    x = np.arange(size, dtype=np.float32) * np.float32(columns / size)
    y = np.arange(size, dtype=np.float32) * np.float32(rows / size)
    warped = [np.floor(a) + smoothstep(a - np.floor(a), 0, 1) for a in (x, y)]
    map_x, map_y = np.meshgrid(warped[0].astype(np.float32), warped[1].astype(np.float32))
    return cv2.remap(grid, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _shift(seed: int) -> Float32[np.ndarray, "3"]:
    """Return a seed's offset in the lattice: multiples of three irrational steps, modulo the period."""
    steps = np.array([0.7548776662466927, 0.5698402909980532, 0.8191725133961645])
    return ((seed * steps) % 1 * CELLS).astype(np.float32)


@cache
def _atlas() -> Float32[np.ndarray, "row column 4"]:
    """Return the lattice's slices in one image, each padded by a cell so that it wraps.

    Channel 0 is the slice itself, channel 1 the next slice, the others are empty: with two channels `cv2.remap` rounds
    coordinates to 1/32 pixel, with four it does not.
    """
    lattice = np.random.default_rng(20240229).uniform(-1, 1, (CELLS, CELLS, CELLS)).astype(np.float32)
    empty = np.zeros_like(lattice)
    pairs = np.stack([lattice, np.roll(lattice, -1, axis=0), empty, empty], axis=-1)
    pairs = np.pad(pairs, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="wrap")
    rows = CELLS // _SLICES_PER_ROW
    side = CELLS + 1
    tiles = pairs.reshape(rows, _SLICES_PER_ROW, side, side, 4).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles.reshape(rows * side, _SLICES_PER_ROW * side, 4))
