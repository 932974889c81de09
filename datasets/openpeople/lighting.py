"""Lighting: hemisphere ambient light and a few directional lamps, drawn as in photographs; and the shading model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.noise import Number

MIN_AMBIENT = 0.25
"""Share of the ambient light that reaches fully occluded points: a stand-in for interreflection."""
TONE_SHOULDER = 0.75
"""Linear brightness above which highlights are compressed rather than clipped."""
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """A distant light."""

    direction: Triple
    """Direction towards the lamp, world space (y up); any length."""
    colour: Triple
    """Linear RGB intensity: 1 on a white surface facing the lamp gives white."""
    softness: float = 0.2
    """Sine of the lamp's angular radius: about 0.02 for a hazy sun, 0.3 for a window."""
    casts_shadow: bool = False
    """Whether shadow rays are cast towards it; large fill lights need none."""


@dataclass(frozen=True)
class Lighting:
    """All light on one person. The default is a bright studio: a large key light, a fill light and a rim light."""

    sky: Triple = (0.42, 0.43, 0.45)
    """Linear RGB irradiance from above on unoccluded surfaces."""
    ground: Triple = (0.25, 0.24, 0.23)
    """Linear RGB irradiance from below."""
    lamps: tuple[Lamp, ...] = (
        Lamp((0.5, 0.75, 0.9), (0.62, 0.60, 0.57), 0.3, True),
        Lamp((-0.9, 0.25, 0.6), (0.18, 0.19, 0.21), 0.4),
        Lamp((-0.3, 0.6, -0.9), (0.22, 0.22, 0.24), 0.3),
    )
    exposure: float = 1.0
    """Factor on all reflected light."""


def random_lighting(rng: np.random.Generator) -> Lighting:
    """Draw lighting as in photos of people: studio, overcast sky, sun, indoors, evening or flash.

    The key light comes mostly from the +z side, which people face.

    Returns:
        The lighting, with its exposure partly corrected towards equal brightness.
    """
    light = _draw_setup(rng)
    # Auto-exposure: part of the way to equal brightness of surfaces that face the camera.
    metered = (0.85 / _brightness(light)) ** 0.6
    return replace(light, exposure=float(metered * np.exp(rng.normal(0.0, 0.1))))


def _draw_setup(rng: np.random.Generator) -> Lighting:
    """Draw a kind of lighting, its lamps and its ambient light, at exposure 1."""
    azimuth, fill_side = rng.normal(0.0, 0.9), rng.choice([-1.0, 1.0])
    warmth = blackbody_colour(rng.uniform(4300, 8000), 0.5)
    lamps: tuple[Lamp, ...]
    match rng.choice(
        ["studio", "overcast", "sun", "indoors", "evening", "flash"], p=[0.3, 0.2, 0.18, 0.16, 0.08, 0.08]
    ):
        case "studio":
            key = Lamp(_direction(azimuth, rng.uniform(0.35, 0.95)), _scaled(warmth, rng.uniform(0.5, 0.8)), 0.3, True)
            fill = Lamp(_direction(azimuth + 1.5 * fill_side, 0.3), _scaled(warmth, rng.uniform(0.12, 0.3)), 0.4)
            rim = Lamp(_direction(azimuth + 3.1, 0.6), _scaled(warmth, rng.uniform(0.0, 0.35)), 0.3)
            sky, ground, lamps = (0.4, 0.4, 0.41), (0.26, 0.25, 0.24), (key, fill, rim)
        case "overcast":
            key = Lamp(
                _direction(azimuth, 1.1), _scaled(blackbody_colour(7000, 0.5), rng.uniform(0.15, 0.35)), 0.7, True
            )
            sky, ground, lamps = (0.80, 0.84, 0.90), (0.30, 0.30, 0.28), (key,)
        case "sun":
            key = Lamp(
                _direction(azimuth, rng.uniform(0.5, 1.1)),
                _scaled(blackbody_colour(5300, 0.6), rng.uniform(0.7, 1.0)),
                0.04,
                True,
            )
            bounce = Lamp(_direction(azimuth + 3.1, -0.1), _scaled(blackbody_colour(4800, 0.5), 0.14), 0.5)
            sky, ground, lamps = (0.40, 0.45, 0.54), (0.28, 0.26, 0.22), (key, bounce)
        case "indoors":
            window = Lamp(
                _direction(azimuth + 0.9 * fill_side, 0.25),
                _scaled(blackbody_colour(7500, 0.5), rng.uniform(0.35, 0.6)),
                0.4,
                True,
            )
            ceiling = Lamp(_direction(azimuth, 1.35), _scaled(blackbody_colour(3400, 0.5), rng.uniform(0.2, 0.4)), 0.4)
            sky, ground, lamps = (0.45, 0.42, 0.38), (0.24, 0.21, 0.18), (window, ceiling)
        case "evening":
            key = Lamp(
                _direction(azimuth, 0.2), _scaled(blackbody_colour(3200, 0.6), rng.uniform(0.6, 0.85)), 0.06, True
            )
            sky, ground, lamps = (0.36, 0.39, 0.48), (0.22, 0.21, 0.22), (key,)
        case _:
            key = Lamp(_direction(0.2 * rng.normal(), 0.15), _scaled(warmth, 0.7), 0.15, True)
            sky, ground, lamps = (0.32, 0.31, 0.3), (0.24, 0.23, 0.22), (key,)
    return Lighting(sky, ground, lamps)


def blackbody_colour(kelvin: Number, strength: float = 1.0) -> Triple:
    """Return the linear RGB colour of a black body, by Planck's law at 610, 540 and 460 nm; mean 1.

    Args:
        kelvin: colour temperature; 6500 is white, lower is warmer.
        strength: 1 for the full tint, 0 for perfect white balance.
    """
    metres = np.array([610e-9, 540e-9, 460e-9])
    radiance = 1 / np.expm1(0.014388 / (metres * kelvin))
    daylight = 1 / np.expm1(0.014388 / (metres * 6500.0))
    rgb = (radiance / daylight) ** strength
    return _triple(rgb / rgb.mean())


def _direction(azimuth: float, elevation: float) -> Triple:
    """Return the unit direction at an azimuth about +y from +z and an elevation above the horizon, radians."""
    level = np.cos(elevation)
    return _triple([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)])


def _brightness(light: Lighting) -> float:
    """Return the mean linear brightness of white surfaces that face +z and 0.8 radians to its sides."""
    normals = np.array([_direction(azimuth, 0.1) for azimuth in (-0.8, 0.0, 0.8)])
    total = np.full(3, (np.mean(light.sky) + np.mean(light.ground)) / 2)
    for lamp in light.lamps:
        total += np.maximum(normals @ np.array(lamp.direction), 0) * np.mean(lamp.colour)
    return float(total.mean())


def _scaled(colour: Triple, factor: float) -> Triple:
    """Multiply a colour by a factor."""
    return _triple([c * factor for c in colour])


def _triple(values: Sequence[float] | np.ndarray) -> Triple:
    """Convert three numbers to plain floats."""
    return float(values[0]), float(values[1]), float(values[2])


def shade_samples(
    lighting: Lighting,
    albedo: Float32[np.ndarray, "sample 3"],
    normals: Float32[np.ndarray, "sample 3"],
    towards: Float32[np.ndarray, "sample 3"],
    sky_visibility: Float32[np.ndarray, " sample"],
    lamp_visibility: Float32[np.ndarray, " sample"],
    gloss: Float32[np.ndarray, " sample"],
    sharpness: Float32[np.ndarray, " sample"],
) -> Float32[np.ndarray, "sample 3"]:
    """Shade surface samples: hemisphere ambient, Lambert diffuse, Blinn-Phong highlights, exposure and tone shoulder.

    Light adds up in linear space; sRGB's transfer curve is approximated by a square root.

    Args:
        lighting: the light.
        albedo: diffuse sRGB colour in [0, 1].
        normals: unit length, world space, facing the camera.
        towards: unit directions to the camera, world space.
        sky_visibility: ambient occlusion: share of the sky that each point sees, in [0, 1].
        lamp_visibility: share of the shadow-casting lamps that each point sees, in [0, 1].
        gloss: strength of the highlight, 0 matt to 1.
        sharpness: Blinn-Phong exponent.

    Returns:
        sRGB colour in [0, 1].
    """
    sky, ground = np.array(lighting.sky, np.float32), np.array(lighting.ground, np.float32)
    up = (normals[:, 1:2] + 1) / 2
    light = (ground + (sky - ground) * up) * (MIN_AMBIENT + (1 - MIN_AMBIENT) * sky_visibility)[:, None]
    highlight = np.zeros_like(light)
    glossy = np.flatnonzero(gloss > 0.005)
    for lamp in lighting.lamps:
        direction, colour = np.array(lamp.direction, np.float32), np.array(lamp.colour, np.float32)
        direction /= np.linalg.norm(direction)
        cosine = np.maximum(normals @ direction, 0)
        # A lamp without shadow rays is a large one: it is occluded as the sky is.
        visibility = lamp_visibility if lamp.casts_shadow else MIN_AMBIENT + (1 - MIN_AMBIENT) * sky_visibility
        light += (cosine * visibility)[:, None] * colour
        half = towards[glossy] + direction
        half /= np.maximum(np.sqrt(np.einsum("ij,ij->i", half, half)), 1e-6)[:, None]
        mirror = np.maximum(np.einsum("ij,ij->i", normals[glossy], half), 1e-6)
        strength = gloss[glossy] * mirror ** sharpness[glossy] * visibility[glossy] * (cosine[glossy] > 0)
        highlight[glossy] += strength[:, None] * colour
    linear = (albedo * albedo * light + highlight) * np.float32(lighting.exposure)
    over = np.maximum(linear - TONE_SHOULDER, 0)
    linear = np.minimum(linear, TONE_SHOULDER) + (1 - TONE_SHOULDER) * (1 - np.exp(-over / (1 - TONE_SHOULDER)))
    return np.sqrt(linear)
