"""Light: a sky, a ground, and a few lamps, as photographers find or set them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.noise import Number

CREASE_LIGHT = 0.25
"""Share of the ambient light that reaches where no sky is seen: it bounces."""
SHOULDER = 0.75
"""Linear brightness from which highlights are pressed together rather than cut off."""
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """Light that comes from one direction."""

    direction: Triple
    """Where it comes from, world space (y up); any length."""
    colour: Triple
    """Linear RGB strength: 1 on a white surface facing it gives white."""
    softness: float = 0.2
    """Sine of the angle at which the lamp's rim stands off its middle: the sun 0.02, a window 0.3."""
    casts_shadow: bool = False


@dataclass(frozen=True)
class Lighting:
    """All the light on one person. The default is a bright studio: a large key light, a fill and a rim."""

    sky: Triple = (0.42, 0.43, 0.45)
    """Linear RGB light from above on surfaces that nothing shades."""
    ground: Triple = (0.25, 0.24, 0.23)
    """The same from below."""
    lamps: tuple[Lamp, ...] = (
        Lamp((0.5, 0.75, 0.9), (0.62, 0.60, 0.57), 0.3, True),
        Lamp((-0.9, 0.25, 0.6), (0.18, 0.19, 0.21), 0.4),
        Lamp((-0.3, 0.6, -0.9), (0.22, 0.22, 0.24), 0.3),
    )
    exposure: float = 1.0
    """Factor on all light."""


def random_lighting(rng: np.random.Generator) -> Lighting:
    """Light as photos of people have it: studio, overcast sky, sun, indoors, evening or a flash; mild on the whole.

    The person faces any way, so the key light may come from anywhere; it stands mostly on the +z half.
    """
    azimuth, fill_side = rng.normal(0.0, 0.9), rng.choice([-1.0, 1.0])
    warmth = white(rng.uniform(4300, 8000), 0.5)
    match rng.choice(
        ["studio", "overcast", "sun", "indoors", "evening", "flash"], p=[0.3, 0.2, 0.18, 0.16, 0.08, 0.08]
    ):
        case "studio":
            key = Lamp(_from(azimuth, rng.uniform(0.35, 0.95)), _scaled(warmth, rng.uniform(0.5, 0.8)), 0.3, True)
            fill = Lamp(_from(azimuth + 1.5 * fill_side, 0.3), _scaled(warmth, rng.uniform(0.12, 0.3)), 0.4)
            rim = Lamp(_from(azimuth + 3.1, 0.6), _scaled(warmth, rng.uniform(0.0, 0.35)), 0.3)
            sky, ground, lamps = (0.4, 0.4, 0.41), (0.26, 0.25, 0.24), (key, fill, rim)
        case "overcast":
            key = Lamp(_from(azimuth, 1.1), _scaled(white(7000, 0.5), rng.uniform(0.15, 0.35)), 0.7, True)
            sky, ground, lamps = (0.80, 0.84, 0.90), (0.30, 0.30, 0.28), (key,)
        case "sun":
            key = Lamp(
                _from(azimuth, rng.uniform(0.5, 1.1)), _scaled(white(5300, 0.6), rng.uniform(0.7, 1.0)), 0.04, True
            )
            bounce = Lamp(_from(azimuth + 3.1, -0.1), _scaled(white(4800, 0.5), 0.14), 0.5)
            sky, ground, lamps = (0.40, 0.45, 0.54), (0.28, 0.26, 0.22), (key, bounce)
        case "indoors":
            window = Lamp(
                _from(azimuth + 0.9 * fill_side, 0.25), _scaled(white(7500, 0.5), rng.uniform(0.35, 0.6)), 0.4, True
            )
            ceiling = Lamp(_from(azimuth, 1.35), _scaled(white(3400, 0.5), rng.uniform(0.2, 0.4)), 0.4)
            sky, ground, lamps = (0.45, 0.42, 0.38), (0.24, 0.21, 0.18), (window, ceiling)
        case "evening":
            key = Lamp(_from(azimuth, 0.2), _scaled(white(3200, 0.6), rng.uniform(0.6, 0.85)), 0.06, True)
            sky, ground, lamps = (0.36, 0.39, 0.48), (0.22, 0.21, 0.22), (key,)
        case _:
            key = Lamp(_from(0.2 * rng.normal(), 0.15), _scaled(warmth, 0.7), 0.15, True)
            sky, ground, lamps = (0.32, 0.31, 0.3), (0.24, 0.23, 0.22), (key,)
    light = Lighting(sky, ground, lamps)
    # A camera meters: half way to the same brightness of what faces it, whatever the light.
    metered = (0.85 / _brightness(light)) ** 0.6
    return replace(light, exposure=float(metered * np.exp(rng.normal(0.0, 0.1))))


def white(kelvin: Number, strength: float = 1.0) -> Triple:
    """Linear RGB of a lamp of this colour temperature, by Planck's law at 610, 540 and 460 nm; mean 1.

    Args:
        kelvin: 6500 is white, less is warmer.
        strength: 1 as it is, 0 as a camera's white balance would make it: white.
    """
    metres = np.array([610e-9, 540e-9, 460e-9])
    radiance = 1 / np.expm1(0.014388 / (metres * kelvin))
    daylight = 1 / np.expm1(0.014388 / (metres * 6500.0))
    rgb = (radiance / daylight) ** strength
    return _triple(rgb / rgb.mean())


def _from(azimuth: float, elevation: float) -> Triple:
    """The direction at an angle about +y from +z, and an angle above the horizon, radians."""
    level = np.cos(elevation)
    return _triple([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)])


def _brightness(light: Lighting) -> float:
    """Mean linear light on white surfaces that face +z and half to the sides of it."""
    normals = np.array([_from(azimuth, 0.1) for azimuth in (-0.8, 0.0, 0.8)])
    total = np.full(3, (np.mean(light.sky) + np.mean(light.ground)) / 2)
    for lamp in light.lamps:
        total += np.maximum(normals @ np.array(lamp.direction), 0) * np.mean(lamp.colour)
    return float(total.mean())


def _scaled(colour: Triple, factor: float) -> Triple:
    """A colour, brighter or darker."""
    return _triple([c * factor for c in colour])


def _triple(values: Sequence[float] | np.ndarray) -> Triple:
    """Three plain numbers."""
    return float(values[0]), float(values[1]), float(values[2])


def shine(
    lighting: Lighting,
    albedo: Float32[np.ndarray, "sample 3"],
    normals: Float32[np.ndarray, "sample 3"],
    towards: Float32[np.ndarray, "sample 3"],
    daylight: Float32[np.ndarray, " sample"],
    lit: Float32[np.ndarray, " sample"],
    gloss: Float32[np.ndarray, " sample"],
    sharpness: Float32[np.ndarray, " sample"],
) -> Float32[np.ndarray, "sample 3"]:
    """Reflected light as sRGB: hemisphere ambient, Lambert and Blinn-Phong lamps, exposure, a soft shoulder.

    Light is added in linear values; sRGB's curve is taken as a square root.

    Args:
        albedo: sRGB in [0, 1].
        normals: unit length, turned towards the eye.
        towards: unit directions to the eye.
        daylight: share of the sky that each point sees.
        lit: share of the shadow-casting lamps that each point sees.
    """
    sky, ground = np.array(lighting.sky, np.float32), np.array(lighting.ground, np.float32)
    up = (normals[:, 1:2] + 1) / 2
    light = (ground + (sky - ground) * up) * (CREASE_LIGHT + (1 - CREASE_LIGHT) * daylight)[:, None]
    highlight = np.zeros_like(light)
    glossy = np.flatnonzero(gloss > 0.005)
    for lamp in lighting.lamps:
        direction, colour = np.array(lamp.direction, np.float32), np.array(lamp.colour, np.float32)
        direction /= np.linalg.norm(direction)
        cosine = np.maximum(normals @ direction, 0)
        # A lamp without shadows of its own is a large one: it reaches into creases as the sky does.
        open_ = lit if lamp.casts_shadow else CREASE_LIGHT + (1 - CREASE_LIGHT) * daylight
        light += (cosine * open_)[:, None] * colour
        half = towards[glossy] + direction
        half /= np.maximum(np.sqrt(np.einsum("ij,ij->i", half, half)), 1e-6)[:, None]
        mirror = np.maximum(np.einsum("ij,ij->i", normals[glossy], half), 1e-6)
        strength = gloss[glossy] * mirror ** sharpness[glossy] * open_[glossy] * (cosine[glossy] > 0)
        highlight[glossy] += strength[:, None] * colour
    linear = (albedo * albedo * light + highlight) * np.float32(lighting.exposure)
    over = np.maximum(linear - SHOULDER, 0)
    linear = np.minimum(linear, SHOULDER) + (1 - SHOULDER) * (1 - np.exp(-over / (1 - SHOULDER)))
    return np.sqrt(linear)
