"""Knitted and napped families: ribs, cables, coloured yarns, cords and fleece."""

import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.colours import Colour, blend, luminance, palette, shade
from sherf.datasets.openpeople.fabric_drawing import SIZE, grid, overlay, solid_colour
from sherf.datasets.openpeople.fabric_tile import FabricDesign, Painter, Weave, jersey
from sherf.datasets.openpeople.noise import periodic_noise, smoothstep


def heather(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint heather (melange): lighter and darker fibres in short horizontal streaks."""
    cloth = palette(rng, 1, base)[0]
    streaks = periodic_noise(rng, 256, (110, 40), 2)
    light, dark = shade(cloth, 1.5), shade(cloth, 0.55)
    image = overlay(solid_colour(cloth, 256), light, smoothstep(streaks, 0.1, 0.9) * 0.75)
    return FabricDesign(overlay(image, dark, smoothstep(streaks, -0.15, -0.9) * 0.75), (0.16, 0.16))


def marled(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a marled knit: two twisted yarns that make broken lines of two colours."""
    first, second = palette(rng, 2, base, 0.25)
    size = 256
    rows_ = 48
    x, y = grid(size)
    wander = periodic_noise(rng, size, (rows_, 6), 2)
    twist = np.sin(2 * np.pi * (x * 10 + 3 * wander + np.floor(y * rows_) * 0.37))
    image = overlay(solid_colour(first, size), second, smoothstep(twist, -0.3, 0.3))
    return FabricDesign(image, (0.16, 0.16), _stocking(rng, 48, 0.16))


def corduroy(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint corduroy: vertical cords with dark gaps."""
    cloth = palette(rng, 1, base)[0]
    size, cords = 256, 16
    x, _ = grid(size)
    ridge = np.sqrt(np.abs(np.sin(np.pi * cords * x)))
    nap = periodic_noise(rng, size, (20, 64), 2) * 0.08 + periodic_noise(rng, size, (3, 3), 2) * 0.05
    relief = 0.5 + 0.58 * ridge + nap
    side = cords * rng.uniform(0.003, 0.0065)
    return FabricDesign(solid_colour(cloth, 16), (0.3, 0.3), Weave(relief.astype(np.float32), (side, side)))


def rib_knit(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a rib knit: raised columns of stitches with furrows between."""
    cloth = palette(rng, 1, base)[0]
    ribs = 12
    x, _ = grid(256)
    relief = _stitches(256, ribs, 2 * ribs) * (0.62 + 0.42 * np.sin(np.pi * ((x * ribs) % 1)) ** 0.7)
    side = ribs * rng.uniform(0.006, 0.011)
    return FabricDesign(solid_colour(cloth, 16), (0.3, 0.3), Weave(relief.astype(np.float32), (side, side)))


def cable_knit(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a cable knit: twisted ropes with furrows and moss stitch between."""
    cloth = palette(rng, 1, base)[0]
    if base is None and luminance(cloth) < 0.2:
        cloth = shade(cloth, 1.35)
    size = SIZE
    x, y = grid(size)
    relief = 0.74 + 0.1 * np.sin(2 * np.pi * 24 * x) * np.sin(2 * np.pi * 24 * y)
    strand = 0.062
    for centre in (0.25, 0.75):
        for turn in (0.0, 0.5):
            phase = y * 3 + turn
            across = (x - centre - 0.055 * np.sin(2 * np.pi * phase)) / strand
            on_top = np.cos(2 * np.pi * phase)
            yarn = 0.08 * np.sin(2 * np.pi * (y * 30 + across * (1.5 if turn else -1.5)))
            rope = np.sqrt(np.clip(1 - across**2, 0, 1)) * 0.55 + 0.55 + yarn
            covered = np.abs(across) < 1
            # Where strands cross, the upper one wins; elsewhere the brighter one.
            relief = np.where(covered & ((on_top > 0) | (relief < rope)), rope - 0.12 * (on_top < 0), relief)
        for side in (-1, 1):
            relief -= 0.35 * np.exp(-(((x - centre - side * 0.14) / 0.014) ** 2))
    relief += periodic_noise(rng, size, (90, 90), 1) * 0.05
    side_m = rng.uniform(0.11, 0.17)
    return FabricDesign(
        solid_colour(cloth, 16), (0.3, 0.3), Weave(np.clip(relief, 0.3, 1.15).astype(np.float32), (side_m, side_m))
    )


def fair_isle(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a Fair Isle knit: bands of small figures, one figure per band, in four yarns."""
    colours = palette(rng, 4, base, 0.25)
    stitches = 64
    chart = np.zeros((stitches, stitches), int)
    row = 0
    while row < stitches:
        kind = int(rng.integers(0, 4))
        height = min([3, 7, 9, 5][kind], stitches - row)
        yarn = int(rng.integers(1, 4))
        i, j = np.meshgrid(np.arange(stitches), np.arange(height))
        middle = np.abs(j - height // 2)
        match kind:
            case 0:
                on = (i + j) % 2 == 0
            case 1:
                on = np.abs(i % 8 - 4) + middle == 3
            case 2:
                on = (np.abs(i % 16 - 8) == middle) | ((i % 16 == 8) & (middle < 4)) | ((middle == 0) & (i % 16 > 3))
            case _:
                on = np.abs(i % 4 - 2) <= middle - 1
        chart[row : row + height][on] = yarn
        row += height + int(rng.integers(1, 4))
    image = np.repeat(np.repeat(np.stack(colours)[chart], SIZE // stitches, 0), SIZE // stitches, 1)
    side = rng.uniform(0.2, 0.32)
    return FabricDesign(image.astype(np.float32), (side, side), _stocking(rng, 64, side))


def fleece(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint fleece: soft curly pile."""
    cloth = palette(rng, 1, base)[0]
    curls = np.abs(periodic_noise(rng, 256, (22, 22), 3))
    relief = 0.8 + 0.34 * smoothstep(curls, 0.0, 0.5)
    return FabricDesign(solid_colour(cloth, 16), (0.3, 0.3), Weave(relief.astype(np.float32), (0.13, 0.13)))


def mesh(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint sports mesh: rows of small holes with a darker shade behind."""
    cloth = palette(rng, 1, base)[0]
    behind = shade(cloth, 0.35) if luminance(cloth) > 0.2 else blend(cloth, shade(cloth, 1.6), 0.6)
    x, y = grid(256)
    count = 16
    shifted = x * count + 0.5 * (np.floor(y * count) % 2)
    r = np.hypot(shifted % 1 - 0.5, (y * count) % 1 - 0.5)
    image = overlay(solid_colour(cloth, 256), behind, smoothstep(r, 0.27, 0.2))
    side = count * rng.uniform(0.003, 0.005)
    return FabricDesign(image, (side, side), jersey(rng, 0.03), 0.08, 14.0)


def _stitches(size: int, columns: int, rows: int) -> Float32[np.ndarray, "size size"]:
    """Return the relief of stocking stitch, columns of Vs, as a factor on the colour."""
    x, y = grid(size)
    across = np.abs((x * columns) % 1 - 0.5) * 2
    phase = (y * rows + 0.45 * across) % 1
    loop = 1 - 0.28 * smoothstep(np.abs(phase - 0.5), 0.3, 0.5)
    return loop * (1 - 0.2 * smoothstep(across, 0.8, 1.0) - 0.12 * smoothstep(across, 0.2, 0.0))


def _stocking(rng: np.random.Generator, stitches: int, side: float) -> Weave:
    """Return the relief of a knit with this many stitches per `side` metres."""
    size = 256
    fine = _stitches(size, 16, 16)
    uneven = periodic_noise(rng, size, (16, 16), 1) * 0.05
    return Weave((fine + uneven).astype(np.float32), (side * 16 / stitches, side * 16 / stitches))


KNITTED: dict[str, Painter] = {
    "heather": heather, "marled": marled, "corduroy": corduroy, "rib_knit": rib_knit, "cable_knit": cable_knit,
    "fair_isle": fair_isle, "fleece": fleece, "mesh": mesh,
}  # fmt: skip
