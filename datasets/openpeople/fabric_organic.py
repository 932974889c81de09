"""Organic families, without drawn shapes: camouflage, fur, tie-dye, gradients, marble, splatter, galaxies."""

import cv2
import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.colours import Colour, colour, from_hsv, palette, shade
from sherf.datasets.openpeople.fabric_drawing import (
    SIZE,
    circle,
    grid,
    overlay,
    polar,
    scatter,
    solid_colour,
    stamp,
    to_float,
    to_uint8,
)
from sherf.datasets.openpeople.fabric_tile import FabricDesign, Painter, Weave
from sherf.datasets.openpeople.noise import periodic_noise, smoothstep
from sherf.datasets.openpeople.panels import BACK_PIECE_M


def camouflage(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint camouflage: woodland, desert, snow or other colours in overlapping blotches, sometimes pixelated."""
    if base is None:
        hue, saturation, value = [(0.22, 0.42, 0.4), (0.1, 0.35, 0.62), (0.6, 0.12, 0.6), (rng.random(), 0.4, 0.5)][
            int(rng.choice(4, p=[0.45, 0.25, 0.15, 0.15]))
        ]
        base = from_hsv(hue, saturation, value)
    colours = [base, shade(base, 0.55), base * colour(1.25, 1.0, 0.75), shade(base, 0.22), shade(base, 1.5)]
    pixels = int(rng.choice([SIZE, SIZE, 64]))
    image = solid_colour(colours[0], pixels)
    for dye, level in zip(colours[1:], (0.1, 0.16, 0.3, 0.42), strict=True):
        blot = periodic_noise(rng, pixels, (5, 4), 3)
        image = overlay(image, dye, smoothstep(blot, level - 0.01, level + 0.01))
    image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
    side = rng.uniform(0.28, 0.55)
    return FabricDesign(image, (side, side))


def leopard(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint leopard rosettes: broken dark rings around brown on sand, or in other colours."""
    natural = base is None and rng.random() < 0.75
    ground = colour(0.82, 0.64, 0.4) if natural else palette(rng, 1, base)[0]
    ring, middle = (colour(0.13, 0.08, 0.06), colour(0.6, 0.38, 0.18)) if natural else palette(rng, 3, ground, 0.3)[1:]
    canvas = to_uint8(solid_colour(ground))
    for at in scatter(rng, 100, jitter=0.42):
        a, b = rng.uniform(0, 6.28, 2)
        spot = polar(lambda t: 1 + 0.16 * np.sin(2 * t + a) + 0.12 * np.sin(3 * t + b), 32)  # noqa: B023
        scale = rng.uniform(15, 24)
        stamp(canvas, spot, ring, at, scale)
        if scale > 17:
            stamp(canvas, spot * 0.62, middle, at, scale)
            for gap in rng.uniform(0, 6.28, 2):
                where = (at[0] + scale * 0.8 * np.cos(gap), at[1] + scale * 0.8 * np.sin(gap))
                stamp(canvas, circle(8), ground, where, scale * 0.24)
    shading = periodic_noise(rng, SIZE, (4, 4), 2)
    side = rng.uniform(0.22, 0.4)
    return FabricDesign(to_float(canvas) * (1 + 0.08 * shading[..., None]), (side, side))


def zebra(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint zebra stripes that waver, fork and end."""
    ground, dark = palette(rng, 2, base if base is not None else colour(0.92, 0.9, 0.86), 0.45)
    if base is None and rng.random() < 0.75:
        dark = colour(0.07, 0.06, 0.06)
    x, y = grid()
    warp = periodic_noise(rng, SIZE, (3, 3), 2)
    phase = y * 9 + 1.3 * warp + 0.6 * np.sin(2 * np.pi * x)
    width = 0.1 + 0.45 * periodic_noise(rng, SIZE, (4, 6), 2)
    on = smoothstep(np.sin(2 * np.pi * phase) + width, -0.06, 0.06)
    side = rng.uniform(0.25, 0.45)
    return FabricDesign(overlay(solid_colour(ground), dark, on), (side, side))


def snake(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint snakeskin: scales in diagonal rows, with darker saddles."""
    ground = (
        base if base is not None else from_hsv(rng.uniform(0.07, 0.3), rng.uniform(0.12, 0.45), rng.uniform(0.55, 0.8))
    )
    x, y = grid()
    count = 24
    a, b = (x + y) * count % 1, (x - y) * count % 1
    rim = np.minimum(np.minimum(a, 1 - a), np.minimum(b, 1 - b))
    saddle = periodic_noise(rng, SIZE, (3, 4), 2)
    image = overlay(solid_colour(ground), shade(ground, 0.3), smoothstep(saddle, 0.15, 0.25))
    image = overlay(image, shade(ground, 1.5), smoothstep(np.abs(saddle - 0.2), 0.1, 0.04) * 0.7)
    side = rng.uniform(0.2, 0.32)
    relief = Weave((0.62 + 0.42 * smoothstep(rim, 0.0, 0.16)).astype(np.float32), (side, side))
    return FabricDesign(image, (side, side), relief, 0.1, 20.0)


def tie_dye(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint tie-dye: a spiral or rings around the chest, with white creases and bleeding edges."""
    colours = _colour_cycle(palette(rng, int(rng.integers(3, 6)), base, 0.22))
    x, y = grid()
    # Centred on the middle of the front (u = 0); the back lies one whole repeat further.
    dx, dy = np.sin(np.pi * x), np.sin(np.pi * (y - 0.4))
    r, t = 0.5 * np.hypot(dx, dy), np.arctan2(dy * np.cos(np.pi * (y - 0.4)), dx * np.cos(np.pi * x)) / (2 * np.pi)
    bleed = periodic_noise(rng, SIZE, (10, 10), 4)
    if rng.random() < 0.55:
        phase = t * int(rng.integers(1, 3)) + r * rng.uniform(1.5, 3.0) + 0.07 * bleed
    else:
        phase = r * rng.uniform(2.0, 3.5) + 0.1 * bleed + 0.05 * np.sin(2 * np.pi * 9 * t)
    image = colours[(phase % 1 * len(colours)).astype(np.int32) % len(colours)]
    creases = smoothstep(np.abs(periodic_noise(rng, SIZE, (7, 16), 3)), 0.12, 0.0)
    image = overlay(image, colour(0.93, 0.92, 0.9), 0.5 * creases)
    return FabricDesign(image, (BACK_PIECE_M, 0.8))


def gradient(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a dip-dye gradient from shoulders to hem through two or three colours."""
    colours = palette(rng, int(rng.integers(2, 4)), base, 0.3)
    y = np.linspace(0, 1, 256)
    stops = np.linspace(rng.uniform(0.05, 0.15), rng.uniform(0.5, 0.75), len(colours))
    line = np.stack([np.interp(y, stops, [c[k] for c in colours]) for k in range(3)], axis=1)
    image = np.repeat(line[:, None], 16, axis=1)
    return FabricDesign(image.astype(np.float32), (0.2, 0.9), repeats_along=False)


def marble(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint marbling: swirls of several colours."""
    colours = _colour_cycle(palette(rng, 4, base, 0.2))
    warp = periodic_noise(rng, SIZE, (3, 3), 4)
    x, _ = grid()
    phase = (2 * x + 0.9 * warp + 0.05 * periodic_noise(rng, SIZE, (24, 24), 2)) % 1
    side = rng.uniform(0.3, 0.6)
    return FabricDesign(colours[(phase * len(colours)).astype(np.int32) % len(colours)], (side, side))


def splatter(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint drops and splashes of paint, few of them large."""
    ground, *inks = palette(rng, 4, base, 0.3)
    canvas = to_uint8(solid_colour(ground))
    for at in scatter(rng, 196, jitter=0.9):
        scale = 2 + 26 * rng.random() ** 5
        a, b = rng.uniform(0, 6.28, 2)
        blot = polar(lambda t: 1 + 0.2 * np.sin(3 * t + a) + 0.18 * np.sin(7 * t + b), 40)  # noqa: B023
        dye = inks[int(rng.integers(0, 3))]
        stamp(canvas, blot, dye, at, scale)
        if scale > 8:
            for _ in range(6):
                away, far = rng.uniform(0, 6.28), scale * rng.uniform(1.2, 2.2)
                where = (at[0] + far * np.cos(away), at[1] + far * np.sin(away))
                stamp(canvas, circle(10), dye, where, scale * rng.uniform(0.06, 0.22))
    side = rng.uniform(0.3, 0.5)
    return FabricDesign(to_float(canvas), (side, side))


def galaxy(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint glowing clouds and stars on near black."""
    night = shade(base, 0.25) if base is not None else from_hsv(rng.uniform(0.6, 0.78), 0.6, 0.12)
    hue = rng.uniform(0.5, 0.95)
    image = solid_colour(night)
    for step in range(3):
        cloud = smoothstep(periodic_noise(rng, SIZE, (3, 3), 4), 0.0, 1.0)
        image = overlay(image, from_hsv(hue + 0.12 * step, 0.65, 0.85), 0.85 * cloud)
    canvas = to_uint8(image)
    for at in scatter(rng, 324, jitter=0.9):
        stamp(canvas, circle(8), colour(0.95, 0.94, 0.9), at, 0.7 + 2.6 * rng.random() ** 6)
    side = rng.uniform(0.4, 0.6)
    return FabricDesign(to_float(canvas), (side, side))


def ikat(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint ikat: diamonds whose edges run in fine vertical streaks."""
    ground, first, second, third = palette(rng, 4, base, 0.25)
    x, y = grid()
    streaks = periodic_noise(rng, SIZE, (2, 200), 1) * 0.035
    r = np.abs((x * 2) % 1 - 0.5) * 1.6 + np.abs((y * 2 + streaks * 2 + 0.5 * (np.floor(x * 2) % 2)) % 1 - 0.5)
    image = solid_colour(ground)
    for dye, reach in ((first, 0.56), (ground, 0.44), (second, 0.36), (third, 0.2), (ground, 0.08)):
        image = overlay(image, dye, smoothstep(r, reach + 0.006, reach - 0.006))
    width = rng.uniform(0.16, 0.28)
    return FabricDesign(image, (width, width * 1.5))


def brushed(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint broad horizontal watercolour strokes that run into each other."""
    colours = _colour_cycle(palette(rng, 4, base, 0.22), 48)
    _, y = grid()
    drift = periodic_noise(rng, SIZE, (3, 3), 3)
    bristles = periodic_noise(rng, SIZE, (160, 5), 2)
    phase = (y + 0.12 * drift + 0.035 * bristles) % 1
    image = colours[(phase * len(colours)).astype(np.int32) % len(colours)] * (1 + 0.06 * bristles[..., None])
    side = rng.uniform(0.3, 0.6)
    return FabricDesign(image.astype(np.float32), (side, side))


def _colour_cycle(colours: list[Colour], softness: int = 24) -> Float32[np.ndarray, "step 3"]:
    """Return a closed cycle of colours with soft transitions, in 256 steps."""
    steps = np.repeat(np.stack(colours), -(-256 // len(colours)), axis=0)[:256].astype(np.float32)
    kernel = np.hanning(softness + 2)[1:-1]
    padded = np.concatenate([steps[-softness:], steps, steps[:softness]])
    soft = np.stack([np.convolve(padded[:, k], kernel / kernel.sum(), "same") for k in range(3)], axis=1)
    return soft[softness:-softness].astype(np.float32)


ORGANIC: dict[str, Painter] = {
    "camouflage": camouflage, "leopard": leopard, "zebra": zebra, "snake": snake, "tie_dye": tie_dye,
    "gradient": gradient, "marble": marble, "splatter": splatter, "galaxy": galaxy, "ikat": ikat, "brushed": brushed,
}  # fmt: skip
