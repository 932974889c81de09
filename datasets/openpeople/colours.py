"""Random colours and matching palettes as in clothes; sRGB in [0, 1]."""

import colorsys

import numpy as np
from jaxtyping import Float32

Colour = Float32[np.ndarray, "3"]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
DARKEST, BRIGHTEST = 0.035, 0.955
"""Range of every channel: cloth is never quite black or white."""


def colour(red: float, green: float, blue: float) -> Colour:
    """Return a colour from its sRGB channels, clipped to the range of cloth."""
    return np.clip(np.array([red, green, blue], np.float32), DARKEST, BRIGHTEST)


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Convert hue, saturation and value in [0, 1] (the hue wraps around) to sRGB."""
    return colour(*colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)))


def random_colour(rng: np.random.Generator) -> Colour:
    """Draw a garment's colour: vivid, dark, pastel, neutral or earthy."""
    kind = rng.choice(["vivid", "dark", "pastel", "neutral", "earth"], p=[0.3, 0.2, 0.16, 0.22, 0.12])
    match kind:
        case "vivid":
            return from_hsv(_hue(rng), rng.uniform(0.55, 0.92), rng.uniform(0.45, 0.92))
        case "dark":
            return from_hsv(
                rng.choice([_hue(rng), 0.62 + 0.04 * rng.normal()]), rng.uniform(0.2, 0.7), rng.uniform(0.12, 0.32)
            )
        case "pastel":
            return from_hsv(_hue(rng), rng.uniform(0.14, 0.4), rng.uniform(0.8, 0.96))
        case "neutral":
            warm = rng.uniform(-0.03, 0.03)
            grey = rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.3, 0.65), rng.uniform(0.85, 0.95)])
            return colour(grey * (1 + warm), grey, grey * (1 - warm))
        case _:
            return from_hsv(rng.uniform(0.05, 0.14), rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.72))


def luminance(c: Colour) -> float:
    """Return the Rec. 601 luma of a colour."""
    return float(c @ LUMA)


def contrast(a: Colour, b: Colour) -> float:
    """Return a measure of how distinct two colours are: 0 for equal ones, about 1 for black and white."""
    return abs(luminance(a) - luminance(b)) * 0.75 + float(np.abs(a - b).max()) * 0.35


def palette(rng: np.random.Generator, count: int, base: Colour | None = None, least: float = 0.22) -> list[Colour]:
    """Draw matching colours for one fabric.

    Args:
        rng: random numbers.
        count: number of colours, the ground included.
        base: the ground; None draws one.
        least: minimum contrast between the ground and each ink; inks differ from each other by half of it.

    Returns:
        The ground, followed by inks that contrast with it.
    """
    ground = random_colour(rng) if base is None else np.clip(base, DARKEST, BRIGHTEST).astype(np.float32)
    hue, saturation, _ = colorsys.rgb_to_hsv(*(float(x) for x in ground))
    hue = hue if saturation > 0.12 else _hue(rng)
    harmony = rng.choice([0.0, 1 / 12, 1 / 3, 5 / 12, 1 / 2], p=[0.25, 0.25, 0.15, 0.15, 0.2])
    chosen = [ground]
    for number in range(1, count):
        side = 1 if number % 2 else -1
        chosen.append(_ink(rng, hue + side * harmony, chosen, least))
    return chosen


def shade(c: Colour, factor: float) -> Colour:
    """Darken (factor < 1) or lighten (factor > 1, towards white) a colour."""
    towards = c * factor if factor <= 1 else c + (1 - c) * (factor - 1)
    return np.clip(towards, DARKEST, BRIGHTEST).astype(np.float32)


def to_floats(c: Colour) -> tuple[float, float, float]:
    """Return the channels of a colour as plain floats."""
    return float(c[0]), float(c[1]), float(c[2])


def blend(
    a: Float32[np.ndarray, "*any 3"], b: Float32[np.ndarray, "*any 3"], share: float
) -> Float32[np.ndarray, "*any 3"]:
    """Mix two colours: share 0 is `a`, 1 is `b`."""
    return (a + (b - a) * np.float32(share)).astype(np.float32)


def _hue(rng: np.random.Generator) -> float:
    """Draw a hue; blues, reds and greens are more frequent than lime and magenta."""
    if rng.random() < 0.5:
        return float(rng.uniform(0, 1))
    return float(rng.choice([0.0, 0.07, 0.36, 0.55, 0.6, 0.66, 0.95]) + 0.03 * rng.normal())


def _ink(rng: np.random.Generator, hue: float, taken: list[Colour], least: float) -> Colour:
    """Draw colours until the contrast suffices; fall back to near black or near white, whichever contrasts more."""
    for _ in range(24):
        if rng.random() < 0.35:
            candidate = random_colour(rng)
        else:
            candidate = from_hsv(hue + 0.04 * rng.normal(), rng.uniform(0.1, 0.85), rng.uniform(0.12, 0.97))
        if contrast(candidate, taken[0]) >= least and all(contrast(candidate, c) >= least / 2 for c in taken[1:]):
            return candidate
    return max((colour(0.05, 0.05, 0.06), colour(0.94, 0.94, 0.92)), key=lambda c: contrast(c, taken[0]))
