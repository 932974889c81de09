"""Procedural backgrounds for photos: walls, rooms, streets, parks, clutter and out-of-focus lights."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from sherf.datasets.openpeople.colours import Colour, colour, from_hsv, random_colour, shade
from sherf.datasets.openpeople.noise import periodic_noise, smoothstep
from sherf.datasets.openpeople.stage import RenderedView
from sherf.datasets.openpeople.surfaces import Covering, grass, indoor_floor, outdoor_floor, wall

Pixels = Float32[np.ndarray, "row column 3"]
KINDS = ("plain", "studio", "room", "room", "wall", "street", "park", "lights", "clutter", "clouds")
"""Kinds of background, drawn with equal probability; rooms count twice."""


def make_background(rng: np.random.Generator, size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """Paint a random background with camera effects: blur, vignette, noise, exposure.

    Args:
        rng: random numbers.
        size: (height, width) in pixels.

    Returns:
        An sRGB image.

    Raises:
        ValueError: the size is below 8 pixels.
    """
    if min(size) < 8:
        raise ValueError(
            f"a background must be at least 8 pixels high and wide, got {size[1]} x {size[0]} (width x height)"
        )
    view = _View(size, rng.uniform(0.3, 0.62), rng.uniform(0.36, 0.6))
    match rng.choice(KINDS):
        case "plain":
            image, blur = _plain(rng, view), 0.0
        case "studio":
            image, blur = _studio(rng, view), 0.0
        case "room":
            image, blur = _room(rng, view), float(rng.choice([0.0, 0.002, 0.005, 0.012]))
        case "wall":
            image, blur = _render_wall(wall(rng), view, rng), float(rng.choice([0.0, 0.002, 0.006]))
        case "street":
            image, blur = _street(rng, view), rng.uniform(0.001, 0.014)
        case "park":
            image, blur = _park(rng, view), rng.uniform(0.003, 0.016)
        case "lights":
            image, blur = _lights(rng, view), 0.002
        case "clutter":
            image, blur = _clutter(rng, view), rng.uniform(0.002, 0.02)
        case _:
            image, blur = _clouds(rng, view), 0.0
    return _simulate_camera(rng, image, blur)


def compose(rendered: RenderedView, background: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Composite a rendered person over a background.

    Args:
        rendered: the person, premultiplied.
        background: an sRGB image of the same size.

    Returns:
        The sRGB image.

    Raises:
        ValueError: the sizes differ.
    """
    if rendered.image.shape != background.shape:
        found = " and ".join("{1} x {0}".format(*x.shape[:2]) for x in (rendered.image, background))
        raise ValueError(f"person and background must have the same size, got {found} pixels (width x height)")
    composite = rendered.image + (1 - rendered.mask[..., None]) * background
    return np.rint(np.clip(composite, 0, 255)).astype(np.uint8)


@dataclass(frozen=True)
class _View:
    """A camera with a horizontal optical axis, in units of the image."""

    size: tuple[int, int]
    """(height, width) in pixels."""
    horizon: float
    """Position of the horizon, as a share of the height from the top."""
    tall: float
    """Share of the height that 1 m spans at the wall behind the person."""

    def grid(self) -> tuple[Float32[np.ndarray, "row column"], Float32[np.ndarray, "row column"]]:
        """Return pixel centres in units of the height: x from the middle, y from the top."""
        h, w = self.size
        x, y = np.meshgrid((np.arange(w) + 0.5 - w / 2) / h, (np.arange(h) + 0.5) / h)
        return x.astype(np.float32), y.astype(np.float32)


def _sample_covering(
    covering: Covering, x: Float[np.ndarray, "row column"], y: Float[np.ndarray, "row column"], step: np.ndarray
) -> Pixels:
    """Sample a covering at positions in metres with mipmaps; `step` is the size of a pixel there, metres."""
    pixels = len(covering.image)
    finest = [((a / covering.size) % 1 * pixels - 0.5).astype(np.float32) for a in (x, y)]
    level = np.clip(np.log2(np.maximum(step, 1e-6) * pixels / covering.size), 0, 5)
    out = np.zeros((*x.shape, 3), np.float32)
    for number in range(6):
        weight = np.clip(1 - np.abs(level - number), 0, 1).astype(np.float32)
        if weight.any():
            small = cv2.resize(covering.image, (pixels >> number,) * 2, interpolation=cv2.INTER_AREA)
            texels = [((a + 0.5) / 2**number - 0.5).astype(np.float32) for a in finest]
            out += weight[..., None] * cv2.remap(
                small, texels[0], texels[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
            )
    return out


def _render_floor(covering: Covering, view: _View, turn: float = 0.0) -> Pixels:
    """Render a covering on the ground in perspective; values above the horizon are meaningless."""
    x, y = view.grid()
    eye = 1.4
    down = np.maximum(y - view.horizon, 0.004)
    depth = eye / down
    across, along = x * depth, depth
    c, s = np.cos(turn), np.sin(turn)
    step = depth**2 / (eye * view.size[0])
    return _sample_covering(
        covering, c * across - s * along, s * across + c * along, np.sqrt(step * depth / view.size[0])
    )


def _render_wall(covering: Covering, view: _View, rng: np.random.Generator) -> Pixels:
    """Render a covering on a wall, frontal or slightly slanted, with uneven light."""
    x, y = view.grid()
    slant = rng.uniform(-0.5, 0.5) * (rng.random() < 0.5)
    away = 1 / np.clip(1 + slant * x, 0.4, 3)
    image = _sample_covering(
        covering, x * away / view.tall, (y - view.horizon) * away / view.tall, away / view.tall / view.size[0]
    )
    return image * _light_falloff(rng, view)


def _light_falloff(
    rng: np.random.Generator, view: _View, strength: float = 0.35
) -> Float32[np.ndarray, "row column 1"]:
    """Return the falloff of light from a random point."""
    x, y = view.grid()
    centre = rng.uniform(-0.6, 0.6), rng.uniform(-0.3, 0.8)
    far = np.hypot(x - centre[0], y - centre[1])
    return (1.1 - rng.uniform(0.1, strength) * far * 1.4)[..., None].astype(np.float32)


def _plain(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a plain background with uneven light."""
    paint = random_colour(rng) if rng.random() < 0.5 else colour(*[rng.uniform(0.3, 0.95)] * 3)
    return np.broadcast_to(paint, (*view.size, 3)) * _light_falloff(rng, view, 0.3)


def _studio(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a studio backdrop: a seamless paper roll with a spot of light."""
    paper = random_colour(rng) if rng.random() < 0.6 else colour(*[rng.uniform(0.25, 0.9)] * 3)
    x, y = view.grid()
    bend = rng.uniform(0.72, 0.88)
    floor = smoothstep(y, bend - 0.08, bend + 0.1)
    spot = np.exp(-((x - rng.uniform(-0.3, 0.3)) ** 2 + (y - rng.uniform(0.1, 0.6)) ** 2) / rng.uniform(0.1, 0.5))
    light = 0.72 + 0.4 * spot + floor * rng.uniform(-0.15, 0.2) - 0.14 * np.exp(-(((y - bend) / 0.05) ** 2))
    return (paper * light[..., None]).astype(np.float32)


def _room(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a room: a wall, a floor in perspective, a skirting board, and furniture."""
    _, y = view.grid()
    foot = rng.uniform(max(view.horizon + 0.12, 0.62), 0.9)
    image = _render_wall(wall(rng), view, rng)
    for _ in range(int(rng.integers(0, 4))):
        _place_furniture(rng, image, view, foot)
    skirting = random_colour(rng) if rng.random() < 0.3 else colour(0.9, 0.9, 0.88)
    image[(y > foot - 0.035) & (y <= foot)] = skirting
    floor = _render_floor(indoor_floor(rng), view, float(rng.choice([0.0, np.pi / 2, rng.uniform(-0.8, 0.8)])))
    shaded = floor * (0.72 + 0.33 * smoothstep(y, foot, foot + 0.12))[..., None].astype(np.float32)
    return np.where((y > foot)[..., None], shaded, image) * _light_falloff(rng, view, 0.25)


def _place_furniture(rng: np.random.Generator, image: Pixels, view: _View, foot: float) -> None:
    """Paint a framed picture, a window, a door, a shelf or a cupboard, in place."""
    h, w = view.size
    middle, wide = rng.uniform(0, w), rng.uniform(0.12, 0.4) * h
    paint = random_colour(rng)
    match rng.choice(["frame", "window", "door", "cupboard", "shelf"]):
        case "frame":
            top, tall = rng.uniform(0.08, 0.35) * h, rng.uniform(0.1, 0.3) * h
            _fill_box(image, middle, top, wide, tall, paint)
            _fill_box(image, middle, top + 0.012 * h, wide - 0.024 * h, tall - 0.024 * h, random_colour(rng))
            _fill_box(image, middle, top + tall * 0.4, wide * 0.5, tall * 0.4, random_colour(rng))
        case "window":
            top, tall = rng.uniform(0.02, 0.15) * h, rng.uniform(0.3, 0.45) * h
            _fill_box(image, middle, top, wide, tall, colour(0.92, 0.92, 0.9))
            for side in (-0.25, 0.25):
                _fill_box(
                    image,
                    middle + side * wide * 0.94,
                    top + 0.015 * h,
                    wide * 0.43,
                    tall - 0.03 * h,
                    colour(0.8, 0.9, 0.95),
                )
        case "door":
            top = 0.12 * h
            _fill_box(image, middle, top, 0.34 * h, foot * h - top, shade(paint, 0.6))
            _fill_box(image, middle, top + 0.015 * h, 0.31 * h, foot * h - top, paint)
            _fill_box(image, middle + 0.12 * h, 0.55 * foot * h, 0.03 * h, 0.015 * h, colour(0.7, 0.65, 0.5))
        case "cupboard":
            tall = rng.uniform(0.2, 0.45) * h
            _fill_box(image, middle, foot * h - tall, wide * 1.3, tall, paint)
            _fill_box(image, middle, foot * h - tall, 0.004 * h, tall, shade(paint, 0.5))
            _fill_box(image, middle, foot * h - tall, wide * 1.3, 0.012 * h, shade(paint, 1.3))
        case _:
            top = rng.uniform(0.15, 0.5) * h
            _fill_box(image, middle, top, wide * 1.4, 0.015 * h, shade(paint, 0.7))
            for _ in range(int(rng.integers(2, 8))):
                tall = rng.uniform(0.03, 0.1) * h
                _fill_box(image, middle + rng.uniform(-0.6, 0.6) * wide, top - tall, 0.03 * h, tall, random_colour(rng))


def _fill_box(image: Pixels, middle: float, top: float, wide: float, tall: float, paint: Colour) -> None:
    """Fill an axis-aligned rectangle (pixels; horizontal centre, top, width, height), in place."""
    h, w = image.shape[:2]
    rows = slice(int(np.clip(top, 0, h)), int(np.clip(top + tall, 0, h)))
    image[rows, int(np.clip(middle - wide / 2, 0, w)) : int(np.clip(middle + wide / 2, 0, w))] = paint


def _sky(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a blue, hazy or grey sky with clouds."""
    _, y = view.grid()
    zenith = from_hsv(rng.uniform(0.54, 0.62), rng.uniform(0.05, 0.55), rng.uniform(0.65, 0.92))
    haze = colour(0.92, 0.92, 0.92)
    t = np.clip(y / max(view.horizon, 0.1), 0, 1)[..., None] ** 1.5
    clouds = smoothstep(_stretched_noise(rng, view.size, (5, 3)), 0.05, 0.7)[..., None] * rng.uniform(0, 0.9)
    sky = zenith + (haze - zenith) * t
    return (sky + (0.96 - sky) * clouds).astype(np.float32)


def _stretched_noise(
    rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """Return fractal noise stretched over the whole image."""
    return cv2.resize(periodic_noise(rng, 256, cells, 5), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _street(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a street: houses with rows of windows, cars and a pavement."""
    _, y = view.grid()
    h, w = view.size
    image = _sky(rng, view)
    foot = min(view.horizon + rng.uniform(0.05, 0.14), 0.9)
    left = -rng.uniform(0, 0.3) * h
    while left < w:
        wide = rng.uniform(0.25, 0.6) * h
        top = rng.uniform(-0.2, 0.7) * view.horizon * h
        front = wall(rng)
        tone = front.image.mean(axis=(0, 1))
        _fill_box(image, left + wide / 2, top, wide, foot * h - top, tone.astype(np.float32))
        pane = shade(colour(0.35, 0.42, 0.5), rng.uniform(0.4, 1.5))
        step = rng.uniform(0.07, 0.12) * h
        for i in np.arange(left + step * 0.7, left + wide - step * 0.4, step):
            for j in np.arange(top + step * 0.8, foot * h - step * 1.3, step * 1.35):
                _fill_box(image, i, j, step * 0.62, step * 0.86, shade(tone.astype(np.float32), 1.3))
                _fill_box(image, i, j + step * 0.06, step * 0.5, step * 0.72, shade(pane, rng.uniform(0.7, 1.5)))
        _fill_box(image, left + wide * 0.5, (foot - 0.1) * h, 0.06 * h, 0.1 * h, random_colour(rng))
        left += wide
    for _ in range(int(rng.integers(0, 4))):
        _fill_box(image, rng.uniform(0, w), (foot - 0.06) * h, 0.2 * h, 0.055 * h, random_colour(rng))
    ground = _render_floor(outdoor_floor(rng), view)
    return np.where((y > foot)[..., None], ground, image) * _light_falloff(rng, view, 0.2)


def _park(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a park: lawn or path, bushes, trees and sky."""
    x, y = view.grid()
    image = _sky(rng, view)
    green = rng.uniform(0.2, 0.4)
    for layer in range(3):
        leaves = from_hsv(green + rng.uniform(-0.05, 0.05), rng.uniform(0.25, 0.6), 0.55 - 0.14 * layer)
        edge = view.horizon - rng.uniform(0.0, 0.32) + 0.1 * layer + 0.22 * _stretched_noise(rng, view.size, (1, 5))[:1]
        mottled = _stretched_noise(rng, view.size, (30, 30))
        crown = leaves * (1 + 0.45 * mottled[..., None])
        gaps = smoothstep(mottled + 0.3 * _stretched_noise(rng, view.size, (6, 6)), -0.75, -0.6)
        inside = smoothstep(y, edge, edge + 0.02) * np.maximum(gaps, layer > 0)
        image += (np.clip(crown, 0, 1) - image) * inside[..., None].astype(np.float32)
    for _ in range(int(rng.integers(0, 4))):
        at, wide = rng.uniform(-0.6, 0.6), rng.uniform(0.01, 0.03)
        trunk = (np.abs(x - at) < wide * (1 + 0.5 * y)) & (y < view.horizon + 0.06)
        image[trunk] = from_hsv(rng.uniform(0.05, 0.1), 0.35, rng.uniform(0.15, 0.35))
    covering = grass(rng) if rng.random() < 0.7 else outdoor_floor(rng)
    ground = _render_floor(covering, view)
    return np.where((y > view.horizon + 0.05)[..., None], ground, image)


def _lights(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint out-of-focus lights: soft discs on a dark ground."""
    h, w = view.size
    image = np.broadcast_to(shade(random_colour(rng), rng.uniform(0.2, 0.6)), (h, w, 3)) * _light_falloff(rng, view)
    image = np.ascontiguousarray(image, dtype=np.float32)
    for _ in range(int(rng.integers(20, 70))):
        disc = np.zeros((h, w), np.float32)
        at = (int(rng.uniform(0, w) * 16), int(rng.beta(1.5, 2) * h * 16))
        radius = int(rng.uniform(0.01, 0.06) * h * 16)
        cv2.circle(disc, at, radius, 1.0, -1, cv2.LINE_AA, 4)
        glow = from_hsv(rng.choice([0.08, 0.11, 0.13, 0.55, 0.95, rng.random()]), rng.uniform(0.1, 0.7), 0.95)
        image += (glow - image) * (disc * rng.uniform(0.15, 0.6))[..., None]
    return image


def _clutter(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint unrecognisable objects of many colours."""
    h, w = view.size
    image = np.ascontiguousarray(np.broadcast_to(random_colour(rng), (h, w, 3)), dtype=np.float32)
    for _ in range(int(rng.integers(12, 45))):
        centre, angle = rng.uniform(0, 1, 2) * (w, h), rng.uniform(0, np.pi)
        half = rng.uniform(0.02, 0.3, 2) * h
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        c, s = np.cos(angle), np.sin(angle)
        corners = corners @ np.array([[c, s], [-s, c]]) + centre
        cv2.fillPoly(image, [np.rint(corners).astype(np.int32)], random_colour(rng).tolist())
    return image * _light_falloff(rng, view)


def _clouds(rng: np.random.Generator, view: _View) -> Pixels:
    """Paint a cloudy backdrop in two tones."""
    first = random_colour(rng)
    second = shade(first, rng.choice([0.5, 1.5]))
    t = smoothstep(_stretched_noise(rng, view.size, (3, 3)), -0.7, 0.7)[..., None]
    return (first + (second - first) * t) * _light_falloff(rng, view)


def _simulate_camera(rng: np.random.Generator, image: Pixels, blur: float) -> UInt8[np.ndarray, "h w 3"]:
    """Apply camera effects: blur (standard deviation as a share of the height), vignette, exposure and noise."""
    h, w = image.shape[:2]
    image = np.ascontiguousarray(image, dtype=np.float32)
    if blur * h > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), blur * h)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    far = np.hypot(x / w - 0.5, y / h - 0.5)
    image *= (1 - rng.uniform(0, 0.35) * far**2 * 2)[..., None]
    image *= rng.uniform(0.85, 1.15) * (1 + rng.uniform(-0.04, 0.04, 3))
    image += rng.normal(0, rng.uniform(0.0, 0.02), (h, w, 1)) + rng.normal(0, 0.004, (h, w, 3))
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
