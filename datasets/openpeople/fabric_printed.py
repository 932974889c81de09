"""Printed families of drawn shapes: dots, checks, zigzags, polygons, stars, letters, flowers."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sherf.datasets.openpeople.colours import Colour, colour, from_hsv, palette, shade
from sherf.datasets.openpeople.fabric_drawing import (
    SIZE,
    antialias,
    circle,
    drop,
    grid,
    heart,
    leaf,
    overlay,
    petals,
    rows,
    scatter,
    soften,
    solid_colour,
    square,
    stamp,
    star,
    stripes,
    to_float,
    to_uint8,
)
from sherf.datasets.openpeople.fabric_tile import FabricDesign, Painter
from sherf.datasets.openpeople.panels import BACK_PIECE_M


def dots(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint polka dots, every second row shifted by half."""
    ground, dot = palette(rng, 2, base, 0.3)
    x, y = (a * 8 for a in grid())
    radius = rng.uniform(0.18, 0.33)
    shifted = x + 0.5 * (np.floor(y) % 2)
    r = np.hypot(shifted % 1 - 0.5, y % 1 - 0.5)
    side = 8 * rng.uniform(0.014, 0.05)
    return FabricDesign(overlay(solid_colour(ground), dot, antialias(r - radius, SIZE / 8)), (side, side))


def confetti(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint scattered discs, squares and triangles of several sizes and colours."""
    ground, *inks = palette(rng, 5, base, 0.25)
    canvas = to_uint8(solid_colour(ground))
    for at in scatter(rng, 100, jitter=0.6):
        shape = [circle(16), square(), star(3, 0.5)][int(rng.integers(0, 3))]
        scale = 6 + 16 * rng.random() ** 2
        stamp(canvas, shape, inks[int(rng.integers(0, 4))], at, scale, rng.uniform(0, 6.28))
    side = rng.uniform(0.2, 0.4)
    return FabricDesign(to_float(canvas), (side, side))


def argyle(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint argyle: diamonds in two colours, crossed by thin lines."""
    ground, first, second, line = palette(rng, 4, base, 0.22)
    x, y = grid()
    image = solid_colour(ground)
    for shift, dye in ((0.0, first), (0.5, second)):
        d = np.abs((x * 2 + shift) % 1 - 0.5) + np.abs((y * 2 + shift) % 1 - 0.5) - 0.42
        image = overlay(image, dye, antialias(d, SIZE / 2 / 1.4))
    for diagonal in (x + y, x - y):
        d = np.abs((diagonal * 2 + 0.5) % 1 - 0.5) - 0.014
        image = overlay(image, line, antialias(d, SIZE / 2 / 1.4))
    width = rng.uniform(0.09, 0.17)
    return FabricDesign(image, (width, width * rng.uniform(1.25, 1.7)))


def checkerboard(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a checkerboard in two colours."""
    ground, second = palette(rng, 2, base, 0.4)
    wave = np.minimum(np.abs(np.arange(SIZE) / 64 % 2 - 1), 1)
    sign = np.clip((wave - 0.5) * 64, -0.5, 0.5) + 0.5
    on = sign[:, None] * sign[None] + (1 - sign[:, None]) * (1 - sign[None])
    side = 8 * rng.uniform(0.018, 0.06)
    return FabricDesign(overlay(solid_colour(ground), second, on), (side, side))


def chevron(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint horizontal zigzag stripes."""
    colours = palette(rng, int(rng.integers(2, 5)), base, 0.28)
    line = stripes([(1.0, c) for c in colours] * 2)
    x, y = grid()
    depth = rng.uniform(0.03, 0.09)
    row = ((y + depth * np.abs((x * 8) % 2 - 1)) * SIZE).astype(np.int32) % SIZE
    period = 2 * len(colours) * rng.uniform(0.014, 0.04)
    return FabricDesign(line[row], (period, period))


def triangles(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a mosaic of triangles in random colours."""
    colours = np.stack(palette(rng, 5, base, 0.2))
    count = 8
    x, y = (a * count for a in grid())
    i, j = np.floor(x).astype(int) % count, np.floor(y).astype(int) % count
    u, v = x % 1, y % 1
    flips = rng.integers(0, 2, (count, count))[j, i] == 1
    upper = np.where(flips, u + v < 1, u > v)
    choice = rng.choice(5, (count, count, 2), p=[0.3, 0.2, 0.2, 0.15, 0.15])
    image = colours[np.where(upper, choice[j, i, 0], choice[j, i, 1])]
    side = count * rng.uniform(0.025, 0.06)
    return FabricDesign(soften(image), (side, side))


def hexagons(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a honeycomb with cells in a few colours, some with rings."""
    ground, *inks = palette(rng, 4, base, 0.25)
    canvas = to_uint8(solid_colour(ground))
    cell = np.stack([np.cos(np.arange(6) * np.pi / 3 + np.pi / 6), np.sin(np.arange(6) * np.pi / 3 + np.pi / 6)], 1)
    across, down = 8, 8
    step = SIZE / across
    for row in range(down):
        for column in range(across):
            at = ((column + 0.5 * (row % 2)) * step, row * SIZE / down)
            dye = inks[int(rng.choice(3, p=[0.6, 0.25, 0.15]))]
            stamp(canvas, cell, dye, at, step * 0.53)
            if rng.random() < 0.4:
                stamp(canvas, cell, ground, at, step * 0.32)
    # Rows of a honeycomb are closer together than its columns.
    side = across * rng.uniform(0.02, 0.045)
    return FabricDesign(to_float(canvas), (side, side * 0.866))


def stars(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint large and small stars."""
    return _motifs(rng, base, [star(5, 0.4), star(5, 0.4) * 0.5], 36, (0.15, 0.35))


def hearts(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint upright hearts."""
    return _motifs(rng, base, [heart()], 36, (0.15, 0.35), turning=0.15)


def letters(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint rows of letters and digits in two inks."""
    ground, *inks = palette(rng, 3, base, 0.35)
    count = int(rng.choice([4, 6, 8]))
    step = SIZE / count
    font = ImageFont.load_default(0.9 * step)
    image = Image.fromarray(to_uint8(solid_colour(ground)))
    draw = ImageDraw.Draw(image)
    word = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVWXYZ0123456789&?"), 8))
    for row, column in np.ndindex(count, count):
        sign = word[(column + 3 * row) % len(word)]
        dye = tuple(int(v) for v in np.rint(inks[int(rng.random() < 0.25)] * 255))
        at = ((column + 0.5) * step, (row + 0.5) * step)
        draw.text(at, sign, dye, font, anchor="mm", stroke_width=max(round(step / 24), 1))
    side = count * rng.uniform(0.03, 0.06)
    return FabricDesign(np.asarray(image).astype(np.float32) / 255, (side, side))


def floral_small(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint many small flowers and leaves."""
    ground, *inks = palette(rng, 4, base, 0.25)
    green = from_hsv(rng.uniform(0.25, 0.42), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.6))
    canvas = to_uint8(solid_colour(ground))
    for at in scatter(rng, 81, jitter=0.5):
        stamp(canvas, leaf(), green, at, rng.uniform(10, 15), rng.uniform(0, 6.28))
    for at in scatter(rng, 64, jitter=0.42):
        dye, scale, turn = inks[int(rng.integers(0, 3))], rng.uniform(13, 21), rng.uniform(0, 6.28)
        stamp(canvas, petals(5, 0.5), dye, at, scale, turn)
        stamp(canvas, circle(12), colour(0.93, 0.78, 0.25), at, scale * 0.3)
    side = rng.uniform(0.16, 0.3)
    return FabricDesign(to_float(canvas), (side, side))


def floral_large(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint large blossoms in layers of petals, with leaves around them."""
    ground, *inks = palette(rng, 4, base, 0.25)
    canvas = to_uint8(solid_colour(ground))
    greens = [from_hsv(rng.uniform(0.26, 0.45), rng.uniform(0.35, 0.7), v) for v in (0.28, 0.5)]
    for at in scatter(rng, 9, jitter=0.28):
        dye, scale, turn = inks[int(rng.integers(0, 3))], rng.uniform(58, 92), rng.uniform(0, 6.28)
        for k in range(4):
            away = turn + k * 1.6
            spot = (at[0] + 1.05 * scale * np.cos(away), at[1] + 1.05 * scale * np.sin(away))
            stamp(canvas, leaf(0.4), greens[k % 2], spot, scale * 0.55, away)
            stamp(canvas, leaf(0.05), shade(greens[k % 2], 1.3), spot, scale * 0.45, away)
        count = int(rng.integers(5, 8))
        for layer, (size, tone) in enumerate([(1.0, 0.78), (0.93, 1.0), (0.62, 1.25), (0.5, 0.88)]):
            stamp(canvas, petals(count, 0.34), shade(dye, tone), at, scale * size, turn + 0.5 * (layer // 2))
        stamp(canvas, circle(20), colour(0.92, 0.74, 0.24), at, scale * 0.18)
        for k in range(9):
            spot = (at[0] + 0.24 * scale * np.cos(k * 0.7), at[1] + 0.24 * scale * np.sin(k * 0.7))
            stamp(canvas, circle(8), colour(0.5, 0.3, 0.1), spot, scale * 0.035)
    side = rng.uniform(0.3, 0.5)
    return FabricDesign(to_float(canvas), (side, side))


def tropical(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint overlapping palm fronds and broad leaves."""
    ground = (
        base
        if base is not None
        else [colour(0.93, 0.9, 0.82), colour(0.08, 0.1, 0.14), palette(rng, 1)[0]][rng.integers(3)]
    )
    canvas = to_uint8(solid_colour(ground))
    hue = rng.uniform(0.25, 0.5)
    accent = palette(rng, 2, ground, 0.3)[1]
    for at in scatter(rng, 25, jitter=0.5):
        dye = from_hsv(hue + rng.uniform(-0.06, 0.06), rng.uniform(0.35, 0.8), rng.uniform(0.2, 0.65))
        turn, scale = rng.uniform(0, 6.28), rng.uniform(60, 105)
        if rng.random() < 0.5:
            for k in range(9):
                for sign in (-1, 1):
                    t = k / 8
                    spot = (
                        at[0] + scale * (t - 0.5) * 1.6 * np.cos(turn),
                        at[1] + scale * (t - 0.5) * 1.6 * np.sin(turn),
                    )
                    away = turn + sign * (1.1 - 0.6 * t)
                    reach = scale * (0.55 - 0.3 * t)
                    tip = (spot[0] + reach * 0.8 * np.cos(away), spot[1] + reach * 0.8 * np.sin(away))
                    stamp(canvas, leaf(0.16), dye, tip, reach, away)
        else:
            stamp(canvas, leaf(0.42), dye, at, scale * 0.8, turn)
            stamp(canvas, leaf(0.03), shade(dye, 1.4), at, scale * 0.75, turn)
        if rng.random() < 0.25:
            stamp(canvas, petals(5, 0.45), accent, at, scale * 0.35, turn)
            stamp(canvas, circle(12), shade(accent, 0.6), at, scale * 0.1)
    side = rng.uniform(0.35, 0.55)
    return FabricDesign(to_float(canvas), (side, side))


def paisley(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint paisley: curled drops filled with rings and dots, with sprigs between."""
    ground, first, second, third = palette(rng, 4, base, 0.28)
    canvas = to_uint8(solid_colour(ground))
    for at in scatter(rng, 16, jitter=0.3):
        turn, scale = float(rng.choice([0.0, np.pi])) + rng.uniform(-0.7, 0.7), rng.uniform(46, 60)
        for size, dye in ((1.12, third), (1.0, first), (0.8, ground), (0.68, second), (0.4, first)):
            stamp(canvas, drop(), dye, at, scale * size, turn)
        for k in range(16):
            spot = (at[0] + 1.28 * scale * np.cos(k * 0.393) * 0.72, at[1] + 1.22 * scale * np.sin(k * 0.393))
            stamp(canvas, circle(8), third, spot, scale * 0.06)
    for at in scatter(rng, 49, jitter=0.3):
        stamp(canvas, petals(4, 0.6), first, at, 8)
    side = rng.uniform(0.22, 0.4)
    return FabricDesign(to_float(canvas), (side, side))


def tribal(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint geometric bands as on woven blankets: triangles, diamonds, steps, lines and zigzags."""
    colours = palette(rng, 5, base, 0.22)
    image = solid_colour(colours[0])
    x, y = grid()
    top = 0.0
    while top < 0.97:
        height = min(float(rng.uniform(0.05, 0.16)), 1 - top)
        t = (y - top) / height
        inside = (t >= 0) & (t < 1)
        ground, figure = (colours[int(k)] for k in rng.choice(5, 2, replace=False))
        count = int(rng.choice([8, 12, 16]))
        across = np.abs((x * count) % 1 - 0.5) * 2
        match rng.choice(["triangles", "lozenges", "steps", "line", "zigzag"]):
            case "triangles":
                on = across < t
            case "lozenges":
                on = across + np.abs(2 * t - 1) < 0.85
            case "steps":
                on = np.floor(across * 4) / 4 < np.abs(np.floor(t * 6) / 3 - 0.9)
            case "zigzag":
                on = np.abs(across * 0.6 + 0.2 - t) < 0.16
            case _:
                on = np.abs(t - 0.5) < 0.25
        image[inside] = ground
        image[inside & on] = figure
        top += height
    side = rng.uniform(0.24, 0.4)
    return FabricDesign(soften(image), (side, side))


def _motifs(
    rng: np.random.Generator,
    base: Colour | None,
    shapes: list[np.ndarray],
    count: int,
    side: tuple[float, float],
    turning: float = 0.5,
) -> FabricDesign:
    """Paint shapes scattered over a ground, in up to three inks."""
    ground, *inks = palette(rng, 4, base, 0.32)
    inks = inks[: int(rng.integers(1, 4))]
    canvas = to_uint8(solid_colour(ground))
    scale = SIZE / count**0.5 * rng.uniform(0.24, 0.36)
    for number, at in enumerate(scatter(rng, count, jitter=0.15)):
        turn = rng.uniform(-turning, turning)
        stamp(canvas, shapes[number % len(shapes)], inks[number % len(inks)], at, scale * rng.uniform(0.8, 1.15), turn)
    size = rng.uniform(*side)
    return FabricDesign(to_float(canvas), (size, size))


def dashes(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint short strokes in all directions."""
    ground, *inks = palette(rng, 3, base, 0.32)
    canvas = to_uint8(solid_colour(ground))
    stroke = np.array([[-1, -0.13], [1, -0.13], [1.1, 0], [1, 0.13], [-1, 0.13], [-1.1, 0]])
    for number, at in enumerate(scatter(rng, 121, jitter=0.25)):
        stamp(canvas, stroke, inks[number % 2], at, 16, rng.uniform(0, 3.14))
    side = rng.uniform(0.2, 0.4)
    return FabricDesign(to_float(canvas), (side, side))


def colour_block(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint broad colour fields: halves, quarters, a chest panel or a slanted yoke."""
    colours = palette(rng, 3, base, 0.3)
    x, y = grid()
    image = solid_colour(colours[0])
    match rng.choice(["halves", "quarters", "chest", "slant"]):
        case "halves":
            image = overlay(image, colours[1], (x < 0.5).astype(np.float32))
        case "quarters":
            image = overlay(image, colours[1], ((x < 0.5) ^ (y > 0.3)).astype(np.float32))
        case "chest":
            low = rng.uniform(0.22, 0.34)
            image = rows(stripes([(low, colours[0]), (0.015, colours[2]), (1 - low, colours[1])]))
        case _:
            slope = rng.uniform(0.2, 0.5)
            image = overlay(image, colours[1], antialias(y - 0.3 - slope * (np.abs(x - 0.5) - 0.25), SIZE))
    # Fields meet in the middle of the front (u = 0) and of the back.
    return FabricDesign(image, (2 * BACK_PIECE_M, 1.0), repeats_along=False)


PRINTED: dict[str, Painter] = {
    "dots": dots, "confetti": confetti, "argyle": argyle, "checkerboard": checkerboard, "chevron": chevron,
    "triangles": triangles, "hexagons": hexagons, "stars": stars, "hearts": hearts, "letters": letters,
    "floral_small": floral_small, "floral_large": floral_large, "tropical": tropical, "paisley": paisley,
    "tribal": tribal, "dashes": dashes, "colour_block": colour_block,
}  # fmt: skip
