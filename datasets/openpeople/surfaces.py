"""Procedural wall and floor textures: bricks, boards, tiles, concrete, wallpaper, grass, asphalt."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.colours import blend, colour, from_hsv, palette, shade
from sherf.datasets.openpeople.fabric_drawing import SIZE, grid, overlay, soften, solid_colour
from sherf.datasets.openpeople.noise import periodic_noise, smoothstep

Pixels = Float32[np.ndarray, "row column 3"]


@dataclass(frozen=True)
class Covering:
    """A tileable texture of a wall or a floor."""

    image: Pixels
    """sRGB in [0, 1]."""
    size: float
    """Side of one repeat, metres."""


def wall(rng: np.random.Generator) -> Covering:
    """Paint a random wall, indoors or outdoors."""
    return [_plaster, _plaster, _bricks, _tiles, _boards, _concrete, _wallpaper][int(rng.integers(0, 7))](rng)


def indoor_floor(rng: np.random.Generator) -> Covering:
    """Paint parquet, tiles, carpet or concrete."""
    return [_boards, _boards, _tiles, _carpet, _concrete][int(rng.integers(0, 5))](rng)


def outdoor_floor(rng: np.random.Generator) -> Covering:
    """Paint asphalt, paving or grass."""
    return [_asphalt, _paving, grass][int(rng.integers(0, 3))](rng)


def grass(rng: np.random.Generator) -> Covering:
    """Paint a lawn with dry patches."""
    blade = from_hsv(rng.uniform(0.2, 0.33), rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.55))
    fine, patches = periodic_noise(rng, SIZE, (128, 128), 2), periodic_noise(rng, SIZE, (4, 4), 3)
    image = overlay(solid_colour(blade), shade(blade, 0.5), smoothstep(fine, 0.0, 0.9))
    image = overlay(image, shade(blade, 1.4), smoothstep(fine, 0.0, -0.9) * 0.7)
    return Covering(overlay(image, colour(0.6, 0.55, 0.32), smoothstep(patches, 0.1, 0.9) * 0.25), 1.6)


def _plaster(rng: np.random.Generator) -> Covering:
    """Paint plaster of one slightly uneven colour."""
    paint = from_hsv(rng.random(), rng.uniform(0.0, 0.28), rng.uniform(0.45, 0.93))
    uneven = 0.03 * periodic_noise(rng, SIZE, (3, 3), 4) + 0.012 * periodic_noise(rng, SIZE, (90, 90), 1)
    return Covering(solid_colour(paint) * (1 + uneven[..., None]), 2.4)


def _bricks(rng: np.random.Generator) -> Covering:
    """Paint bricks in running bond, each of its own tone."""
    clay = from_hsv(rng.choice([0.02, 0.03, 0.09, 0.6]), rng.uniform(0.05, 0.6), rng.uniform(0.4, 0.85))
    x, y = grid()
    across, down = 6, 18
    row = np.floor(y * down).astype(int)
    shifted = x * across + 0.5 * (row % 2)
    column = np.floor(shifted).astype(int) % across
    tone = rng.uniform(0.72, 1.18, (down, across))[row, column]
    a, b = shifted % 1, (y * down) % 1
    # A brick is 215 by 65 mm, its joint 10 mm.
    joint = np.minimum(np.minimum(a, 1 - a) * 0.225, np.minimum(b, 1 - b) * 0.075)
    image = solid_colour(clay) * (tone * (1 + 0.1 * periodic_noise(rng, SIZE, (40, 40), 3)))[..., None].astype(
        np.float32
    )
    mortar = shade(colour(0.62, 0.6, 0.56), rng.uniform(0.6, 1.3))
    return Covering(overlay(image, mortar, smoothstep(joint, 0.007, 0.003)), 1.35)


def _tiles(rng: np.random.Generator) -> Covering:
    """Paint square tiles with joints, in one colour or chequered."""
    first, second = palette(rng, 2)
    second = second if rng.random() < 0.35 else first
    count = 4
    x, y = grid()
    i, j = np.floor(x * count).astype(int), np.floor(y * count).astype(int)
    tone = rng.uniform(0.92, 1.06, (count, count))[j, i]
    image = np.where(((i + j) % 2 == 0)[..., None], first, second) * tone[..., None].astype(np.float32)
    a, b = (x * count) % 1, (y * count) % 1
    joint = np.minimum(np.minimum(a, 1 - a), np.minimum(b, 1 - b))
    veins = smoothstep(np.abs(periodic_noise(rng, SIZE, (4, 4), 4)), 0.08, 0.0) * rng.uniform(0, 0.3)
    image = overlay(image.astype(np.float32), shade(first, 0.6), veins)
    return Covering(overlay(image, shade(first, 0.45), smoothstep(joint, 0.022, 0.01)), count * rng.uniform(0.15, 0.5))


def _boards(rng: np.random.Generator) -> Covering:
    """Paint wooden boards with grain and staggered joints, each of its own tone."""
    wood = from_hsv(rng.uniform(0.04, 0.11), rng.uniform(0.15, 0.6), rng.uniform(0.25, 0.8))
    count = 8
    x, y = grid()
    i = np.floor(x * count).astype(int)
    start = rng.uniform(0, 1, count)[i]
    along = (y + start) % 1
    tone = rng.uniform(0.82, 1.12, (count, 2))[i, (along > 0.5).astype(int)]
    grain = periodic_noise(rng, SIZE, (4, 90), 3) * 0.12
    a = (x * count) % 1
    gap = np.minimum(np.minimum(a, 1 - a) / count, np.minimum(along % 0.5, 0.5 - along % 0.5))
    image = solid_colour(wood) * (tone * (1 + grain))[..., None].astype(np.float32)
    return Covering(overlay(image, shade(wood, 0.35), smoothstep(gap, 0.005, 0.002)), count * rng.uniform(0.09, 0.18))


def _concrete(rng: np.random.Generator) -> Covering:
    """Paint concrete: cloudy grey with pores."""
    grey = colour(*(rng.uniform(0.4, 0.75) * np.array([1.0, 0.99, 0.96])))
    clouds = 0.1 * periodic_noise(rng, SIZE, (3, 3), 5)
    pores = smoothstep(periodic_noise(rng, SIZE, (70, 70), 1), 0.7, 0.9)
    return Covering(overlay(solid_colour(grey) * (1 + clouds[..., None]), shade(grey, 0.6), pores * 0.6), 2.0)


def _wallpaper(rng: np.random.Generator) -> Covering:
    """Paint wallpaper: stripes or a damask in two similar tones."""
    paper = from_hsv(rng.random(), rng.uniform(0.05, 0.35), rng.uniform(0.5, 0.9))
    figure = shade(paper, rng.choice([0.85, 1.35]))
    x, y = grid()
    if rng.random() < 0.5:
        on = smoothstep(np.abs((x * 8) % 2 - 1), 0.48, 0.52)
    else:
        a, b = (x * 8) % 1 - 0.5, (y * 8 + 0.5 * (np.floor(x * 8) % 2)) % 1 - 0.5
        r, t = np.hypot(a, b), np.arctan2(b, a)
        on = smoothstep(r - 0.3 * (0.7 + 0.3 * np.cos(4 * t)), 0.02, -0.02)
    return Covering(overlay(solid_colour(paper), figure, on), 1.2)


def _carpet(rng: np.random.Generator) -> Covering:
    """Paint a short-pile carpet."""
    wool = palette(rng, 1)[0]
    pile = 0.12 * periodic_noise(rng, SIZE, (150, 150), 1) + 0.05 * periodic_noise(rng, SIZE, (5, 5), 3)
    return Covering(solid_colour(wool) * (1 + pile[..., None]), 1.2)


def _asphalt(rng: np.random.Generator) -> Covering:
    """Paint asphalt: dark and gritty."""
    tar = colour(*[rng.uniform(0.22, 0.42)] * 3)
    grit = periodic_noise(rng, SIZE, (200, 200), 1)
    image = overlay(solid_colour(tar), blend(tar, colour(0.8, 0.8, 0.78), 0.5), smoothstep(grit, 0.5, 0.9))
    return Covering(image * (1 + 0.08 * periodic_noise(rng, SIZE, (4, 4), 3)[..., None]), 1.5)


def _paving(rng: np.random.Generator) -> Covering:
    """Paint paving slabs in shifted rows."""
    stone = from_hsv(rng.uniform(0.05, 0.15), rng.uniform(0.02, 0.2), rng.uniform(0.45, 0.75))
    x, y = grid()
    row = np.floor(y * 4).astype(int)
    shifted = x * 4 + 0.5 * (row % 2)
    tone = rng.uniform(0.85, 1.1, (4, 4))[row, np.floor(shifted).astype(int) % 4]
    a, b = shifted % 1, (y * 4) % 1
    joint = np.minimum(np.minimum(a, 1 - a), np.minimum(b, 1 - b))
    image = solid_colour(stone) * (tone * (1 + 0.08 * periodic_noise(rng, SIZE, (60, 60), 2)))[..., None].astype(
        np.float32
    )
    return Covering(soften(overlay(image, shade(stone, 0.5), smoothstep(joint, 0.025, 0.012))), 1.8)
