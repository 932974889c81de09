"""Prints: RGBA images projected onto clothes, and generators of letters, numbers, emblems and scenes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

from sherf.datasets.openpeople.details import Sheet, Triple
from sherf.datasets.openpeople.fabric_drawing import Outline, heart, star
from sherf.datasets.openpeople.fabric_tile import Levels, build_pyramid
from sherf.datasets.openpeople.part import SurfaceSamples
from sherf.datasets.openpeople.remap import sample_points

Print = UInt8[np.ndarray, "_ _ 4"]
LETTER_PX = 160
"""Font size of letters, pixels."""
WORDS = (
    "HELLO", "OCEAN", "WILD", "SUNDAY", "RIVER", "NORTH", "COAST", "PEAK", "LUCKY", "SMILE", "OSLO", "LIMA", "KYOTO",
    "FOREST", "ROCK", "DREAM", "COFFEE", "LOVE", "PIXEL", "TIGER", "MOON", "SPORT", "TEAM", "CLUB", "SURF", "JAZZ",
    "GOOD DAY", "NO RUSH", "STAY WARM", "EST 1987", "ROUTE 12", "open sea", "slow down", "be kind", "hi there",
)  # fmt: skip


@dataclass(frozen=True)
class Decal:
    """An image projected orthographically onto one side of a garment."""

    image: Print
    """sRGB and opacity, oriented as a viewer reads it."""
    sheet: Sheet
    """The plane it is projected from."""
    width: float
    """Metres."""
    height: float
    """Metres."""
    opacity: float = 1.0

    @cached_property
    def _levels(self) -> Levels:
        """Mipmaps of the premultiplied image."""
        image = self.image.astype(np.float32) / 255
        image[..., :3] *= image[..., 3:]
        return build_pyramid(image)

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Return the colour with the print over it; writes into `colour`."""
        index, place = self.sheet.find(samples.rest, self.width, self.height)
        if not len(index):
            return colour
        texel = self.width / self.image.shape[1]
        level = int(np.clip(np.ceil(np.log2(samples.footprint / texel) - 0.5), 0, len(self._levels) - 1))
        image = self._levels[level]
        size = np.array([image.shape[1], image.shape[0]], np.float32)
        pixels = (place / np.array([self.width, self.height], np.float32) + 0.5) * size - 0.5
        found = sample_points(image, pixels, padding=-9.0) * np.float32(self.opacity)
        colour[index] = colour[index] * (1 - found[:, 3:]) + found[:, :3]
        return colour


def text_print(text: str, ink: Triple, edge: Triple | None = None, slant: float = 0.0) -> Print:
    """Draw bold letters, cropped to their bounding box.

    Args:
        text: one or more lines.
        ink: sRGB colour of the letters, in [0, 1].
        edge: sRGB colour of an outline around the letters; None for no outline.
        slant: horizontal shear of the letters, as a share of their height.

    Returns:
        The print.
    """
    font = ImageFont.load_default(LETTER_PX)
    weight, rim = LETTER_PX // 22, LETTER_PX // 16 if edge is not None else 0
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = probe.multiline_textbbox((0, 0), text, font=font, stroke_width=weight, align="center")
    margin = rim + 4
    letters = Image.new("L", (int(box[2] - box[0]) + 2 * margin, int(box[3] - box[1]) + 2 * margin))
    at = (margin - box[0], margin - box[1])
    ImageDraw.Draw(letters).multiline_text(at, text, 255, font, stroke_width=weight, align="center")
    mask = np.asarray(letters)
    image = np.zeros((*mask.shape, 4), np.uint8)
    if edge is not None:
        round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
        image = _overlay(image, cv2.dilate(mask, round_), edge)
    image = _overlay(image, mask, ink)
    return _shear(image, slant) if slant else image


def emblem_print(rng: np.random.Generator, inks: list[Triple], size: int = 320) -> Print:
    """Draw a random sign of `SIGNS`, on a disc, shield, lozenge or hexagon or without a badge."""
    image = np.zeros((size, size, 4), np.uint8)
    badge = rng.choice(["disc", "shield", "lozenge", "hexagon", "none"])
    if badge != "none":
        outline = _badge(badge)
        image = _overlay(image, _fill_polygons([outline], size), inks[0])
        rim = rng.uniform(0.82, 0.95)
        image = _overlay(image, _fill_polygons([outline * rim], size), inks[1 % len(inks)])
        image = _overlay(image, _fill_polygons([outline * rim * rng.uniform(0.88, 0.96)], size), inks[0])
    ink = inks[1 % len(inks)] if badge != "none" else inks[0]
    scale = rng.uniform(0.48, 0.6) if badge != "none" else rng.uniform(0.85, 1.0)
    sign = rng.choice(sorted(SIGNS))
    for number, shape in enumerate(SIGNS[sign]()):
        colour = ink if number == 0 or len(inks) < 3 else inks[2]
        image = _overlay(image, _fill_polygons([shape * scale], size), colour)
    return image


def random_print(rng: np.random.Generator, inks: list[Triple]) -> Print:
    """Draw a T-shirt print: a word, a number, an emblem, an emblem over a word, stripes, or a landscape."""
    edge = inks[1] if len(inks) > 1 and rng.random() < 0.4 else None
    slant = float(rng.choice([0.0, 0.0, 0.22]))
    match rng.choice(["word", "number", "emblem", "both", "stripes", "scene"], p=[0.24, 0.16, 0.2, 0.2, 0.08, 0.12]):
        case "word":
            return text_print(str(rng.choice(WORDS)).replace(" ", "\n"), inks[0], edge, slant)
        case "number":
            return text_print(str(rng.integers(0, 100)), inks[0], edge, slant)
        case "emblem":
            return emblem_print(rng, inks)
        case "both":
            return stack_prints([emblem_print(rng, inks), text_print(str(rng.choice(WORDS)), inks[0], edge, slant)])
        case "stripes":
            return stripes_print(rng, inks)
        case _:
            return scene_print(rng, inks)


def stripes_print(rng: np.random.Generator, inks: list[Triple]) -> Print:
    """Draw two to four horizontal bars of a random breadth."""
    count, breadth = int(rng.integers(2, 5)), rng.uniform(0.45, 0.85)
    image = np.zeros((56 * count + 12, 512, 4), np.uint8)
    for number in range(count):
        bar = np.zeros(image.shape[:2], np.uint8)
        top = 6 + 56 * number
        bar[top : top + round(56 * breadth)] = 255
        image = _overlay(image, bar, inks[number % len(inks)])
    return image


def scene_print(rng: np.random.Generator, inks: list[Triple], size: int = 320) -> Print:
    """Draw a landscape: sky in bands, a sun, and ranges of hills."""
    y, x = np.mgrid[:size, :size] / size
    sky, land = np.asarray(inks[0], float), np.asarray(inks[1 % len(inks)], float)
    image = sky + (0.9 - sky) * np.floor(y * 6)[..., None] / 6
    sun = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.25, 0.45)) < rng.uniform(0.1, 0.18)
    image[sun] = np.asarray(inks[2 % len(inks)], float)
    for row in range(3):
        waves = rng.uniform(0, 6.28, 3)
        ridge = 0.5 + 0.14 * row + sum(0.07 / (k + 1) * np.sin((4 + 5 * k) * x + waves[k]) for k in range(3))
        image[y > ridge] = land * (1.25 - 0.35 * row)
    return np.dstack([np.clip(image, 0, 1) * 255, np.full((size, size), 255.0)]).astype(np.uint8)


def stack_prints(prints: list[Print]) -> Print:
    """Stack prints vertically, scaled to equal width, with gaps."""
    width = max(p.shape[1] for p in prints)
    rows: list[Print] = []
    for p in prints:
        height = max(round(p.shape[0] * width / p.shape[1]), 1)
        wide = p if p.shape[1] == width else cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA)
        rows += [wide, np.zeros((width // 24, width, 4), np.uint8)]
    return np.concatenate(rows[:-1])


def _overlay(image: Print, mask: UInt8[np.ndarray, "row column"], ink: Triple) -> Print:
    """Composite ink over a print where the mask is set."""
    share = mask[..., None] / 255.0
    alpha = image[..., 3:] / 255.0
    out = share + alpha * (1 - share)
    colour = (np.asarray(ink, float) * 255 * share + image[..., :3] * alpha * (1 - share)) / np.maximum(out, 1e-6)
    return np.rint(np.concatenate([colour, out * 255], axis=-1)).clip(0, 255).astype(np.uint8)


def _fill_polygons(outlines: list[Outline], size: int) -> UInt8[np.ndarray, "row column"]:
    """Return an antialiased mask of polygons in [-1, 1] (x right, y down)."""
    mask = np.zeros((size, size), np.uint8)
    corners = [np.rint((o * 0.96 + 1) / 2 * size * 256).astype(np.int32) for o in outlines]
    return cv2.fillPoly(mask, corners, 255, cv2.LINE_AA, 8)


def _shear(image: Print, slant: float) -> Print:
    """Shear an image so that its upper rows move right."""
    height, width = image.shape[:2]
    push = int(slant * height)
    matrix = np.array([[1, -slant, push], [0, 1, 0]], np.float32)
    return cv2.warpAffine(image, matrix, (width + push, height), flags=cv2.INTER_LINEAR)


def _badge(kind: str) -> Outline:
    """Return the outline of an emblem's badge."""
    match kind:
        case "shield":
            t = np.linspace(0, np.pi, 24)
            low = np.stack([0.85 * np.cos(t), 0.05 + 0.9 * np.sin(t) ** 0.8], axis=1)
            return np.concatenate([[[0.85, -0.9]], low, [[-0.85, -0.9]]])
        case "lozenge":
            return star(2, 0.95, 0.95)
        case "hexagon":
            return star(3, 0.95, 0.95)
        case _:
            return star(32, 0.95, 0.95)


def _leaf() -> list[Outline]:
    """Return the outlines of a leaf and its vein."""
    t = np.linspace(0, np.pi, 24)
    edge = np.stack([0.55 * np.sin(t) ** 1.3, -np.cos(t)], axis=1)
    vein = np.array([[-0.03, -0.8], [0.03, -0.8], [0.03, 0.98], [-0.03, 0.98]])
    return [np.concatenate([edge, edge[::-1] * [-1, 1]]), vein]


def _wave() -> list[Outline]:
    """Return the outlines of three waves."""
    x = np.linspace(-0.95, 0.95, 40)
    rows = []
    for level in (-0.5, 0.0, 0.5):
        y = level + 0.14 * np.sin(x * 7)
        rows.append(np.concatenate([np.stack([x, y - 0.1], 1), np.stack([x, y + 0.1], 1)[::-1]]))
    return rows


SIGNS: dict[str, Callable[[], list[Outline]]] = {
    "star": lambda: [star(5, 0.4, 0.95)],
    "mountain": lambda: [
        np.array([[-0.95, 0.7], [-0.25, -0.75], [0.1, -0.1], [0.35, -0.45], [0.95, 0.7]]),
        np.array([[-0.25, -0.75], [-0.03, -0.32], [-0.2, -0.2], [-0.3, -0.35], [-0.47, -0.28]]),
    ],
    "sun": lambda: [star(12, 0.68, 0.95), star(24, 0.5, 0.5)],
    "wave": _wave,
    "bolt": lambda: [
        np.array([[0.1, -0.95], [-0.55, 0.15], [-0.05, 0.15], [-0.2, 0.95], [0.55, -0.25], [0.05, -0.25]])
    ],
    "heart": lambda: [heart(64) * 0.9],
    "leaf": _leaf,
    "rings": lambda: [star(32, 0.9, 0.9), star(32, 0.6, 0.6)],
    "arrow": lambda: [
        np.array([[0, -0.9], [0.8, -0.1], [0.3, -0.1], [0.3, 0.9], [-0.3, 0.9], [-0.3, -0.1], [-0.8, -0.1]])
    ],
}
"""Outlines of each emblem's sign, in [-1, 1]; the first is the main shape."""
