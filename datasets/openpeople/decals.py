"""Prints: pictures with transparency that are put onto clothes, and makers of letters, numbers and emblems."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

from sherf.datasets.openpeople.details import Sheet, Triple
from sherf.datasets.openpeople.fabric_tile import Levels, pyramid
from sherf.datasets.openpeople.part import SurfaceSamples

Print = UInt8[np.ndarray, "_ _ 4"]
LETTER_PX = 160
"""Height of drawn letters, pixels."""
_ROW_LENGTH = 1024
WORDS = (
    "HELLO", "OCEAN", "WILD", "SUNDAY", "RIVER", "NORTH", "COAST", "PEAK", "LUCKY", "SMILE", "OSLO", "LIMA", "KYOTO",
    "FOREST", "ROCK", "DREAM", "COFFEE", "LOVE", "PIXEL", "TIGER", "MOON", "SPORT", "TEAM", "CLUB", "SURF", "JAZZ",
    "GOOD DAY", "NO RUSH", "STAY WARM", "EST 1987", "ROUTE 12", "open sea", "slow down", "be kind", "hi there",
)  # fmt: skip


@dataclass(frozen=True)
class Decal:
    """A picture projected straight onto one side of a garment."""

    picture: Print
    """sRGB and opacity, as an onlooker reads it."""
    sheet: Sheet
    width: float
    height: float
    """Metres."""
    opacity: float = 1.0

    @cached_property
    def _levels(self) -> Levels:
        """Premultiplied, with a clear rim, halved again and again."""
        image = self.picture.astype(np.float32) / 255
        image[..., :3] *= image[..., 3:]
        return pyramid(image)

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Print the picture over the colour."""
        index, place = self.sheet.find(samples.rest, self.width, self.height)
        if not len(index):
            return colour
        texel = self.width / self.picture.shape[1]
        level = int(np.clip(np.ceil(np.log2(samples.footprint / texel) - 0.5), 0, len(self._levels) - 1))
        image = self._levels[level]
        size = np.array([image.shape[1], image.shape[0]], np.float32)
        where = np.full((-(-len(index) // _ROW_LENGTH) * _ROW_LENGTH, 2), -9, np.float32)
        where[: len(index)] = (place / np.array([self.width, self.height], np.float32) + 0.5) * size - 0.5
        found = cv2.remap(image, where.reshape(-1, _ROW_LENGTH, 2), None, cv2.INTER_LINEAR)
        found = found.reshape(-1, 4)[: len(index)] * np.float32(self.opacity)
        colour[index] = colour[index] * (1 - found[:, 3:]) + found[:, :3]
        return colour


def text_print(text: str, ink: Triple, edge: Triple | None = None, slant: float = 0.0) -> Print:
    """Bold letters, cropped to themselves; several lines if the text has line breaks.

    Args:
        edge: colour of an outline about the letters.
        slant: how far letters lean, as a share of their height.
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
        image = _over(image, cv2.dilate(mask, round_), edge)
    image = _over(image, mask, ink)
    return _leaning(image, slant) if slant else image


def emblem_print(rng: np.random.Generator, inks: list[Triple], size: int = 320) -> Print:
    """A sign (star, mountain, sun, wave, bolt, heart, leaf, rings, arrow) on a disc, a shield, a lozenge or nothing."""
    image = np.zeros((size, size, 4), np.uint8)
    badge = rng.choice(["disc", "shield", "lozenge", "hexagon", "none"])
    if badge != "none":
        outline = _badge(badge)
        image = _over(image, _filled([outline], size), inks[0])
        rim = rng.uniform(0.82, 0.95)
        image = _over(image, _filled([outline * rim], size), inks[1 % len(inks)])
        image = _over(image, _filled([outline * rim * rng.uniform(0.88, 0.96)], size), inks[0])
    ink = inks[1 % len(inks)] if badge != "none" else inks[0]
    scale = rng.uniform(0.48, 0.6) if badge != "none" else rng.uniform(0.85, 1.0)
    sign = rng.choice(sorted(SIGNS))
    for number, shape in enumerate(SIGNS[sign]()):
        colour = ink if number == 0 or len(inks) < 3 else inks[2]
        image = _over(image, _filled([shape * scale], size), colour)
    return image


def random_print(rng: np.random.Generator, inks: list[Triple]) -> Print:
    """A print as T-shirts have it: a word, a number, an emblem, an emblem over a word, stripes, or a picture."""
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
            return stacked([emblem_print(rng, inks), text_print(str(rng.choice(WORDS)), inks[0], edge, slant)])
        case "stripes":
            return stripes_print(rng, inks)
        case _:
            return scene_print(rng, inks)


def stripes_print(rng: np.random.Generator, inks: list[Triple]) -> Print:
    """Bars across the chest, two to four, of a random breadth."""
    count, breadth = int(rng.integers(2, 5)), rng.uniform(0.45, 0.85)
    image = np.zeros((56 * count + 12, 512, 4), np.uint8)
    for number in range(count):
        bar = np.zeros(image.shape[:2], np.uint8)
        top = 6 + 56 * number
        bar[top : top + round(56 * breadth)] = 255
        image = _over(image, bar, inks[number % len(inks)])
    return image


def scene_print(rng: np.random.Generator, inks: list[Triple], size: int = 320) -> Print:
    """A framed landscape: sky in bands, a sun, and ranges of hills before each other."""
    y, x = np.mgrid[:size, :size] / size
    sky, land = np.asarray(inks[0], float), np.asarray(inks[1 % len(inks)], float)
    picture = sky + (0.9 - sky) * np.floor(y * 6)[..., None] / 6
    sun = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.25, 0.45)) < rng.uniform(0.1, 0.18)
    picture[sun] = np.asarray(inks[2 % len(inks)], float)
    for row in range(3):
        waves = rng.uniform(0, 6.28, 3)
        ridge = 0.5 + 0.14 * row + sum(0.07 / (k + 1) * np.sin((4 + 5 * k) * x + waves[k]) for k in range(3))
        picture[y > ridge] = land * (1.25 - 0.35 * row)
    return np.dstack([np.clip(picture, 0, 1) * 255, np.full((size, size), 255.0)]).astype(np.uint8)


def stacked(prints: list[Print]) -> Print:
    """Prints one below the other, made equally wide, with a gap."""
    width = max(p.shape[1] for p in prints)
    rows: list[Print] = []
    for p in prints:
        height = max(round(p.shape[0] * width / p.shape[1]), 1)
        wide = p if p.shape[1] == width else cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA)
        rows += [wide, np.zeros((width // 24, width, 4), np.uint8)]
    return np.concatenate(rows[:-1])


def _over(image: Print, mask: UInt8[np.ndarray, "row column"], ink: Triple) -> Print:
    """Ink laid over a print."""
    share = mask[..., None] / 255.0
    alpha = image[..., 3:] / 255.0
    out = share + alpha * (1 - share)
    colour = (np.asarray(ink, float) * 255 * share + image[..., :3] * alpha * (1 - share)) / np.maximum(out, 1e-6)
    return np.rint(np.concatenate([colour, out * 255], axis=-1)).clip(0, 255).astype(np.uint8)


def _filled(outlines: list[Float[np.ndarray, "corner 2"]], size: int) -> UInt8[np.ndarray, "row column"]:
    """Polygons in [-1, 1] (x right, y down) with smooth edges."""
    mask = np.zeros((size, size), np.uint8)
    corners = [np.rint((o * 0.96 + 1) / 2 * size * 256).astype(np.int32) for o in outlines]
    return cv2.fillPoly(mask, corners, 255, cv2.LINE_AA, 8)


def _leaning(image: Print, slant: float) -> Print:
    """Upper rows pushed to the right."""
    height, width = image.shape[:2]
    push = int(slant * height)
    matrix = np.array([[1, -slant, push], [0, 1, 0]], np.float32)
    return cv2.warpAffine(image, matrix, (width + push, height), flags=cv2.INTER_LINEAR)


def _ray(count: int, outer: float, inner: float, turn: float = -np.pi / 2) -> Float[np.ndarray, "corner 2"]:
    """A star's outline; `inner` = `outer` gives a regular polygon of 2 count corners."""
    angle = turn + np.arange(2 * count) * np.pi / count
    radius = np.where(np.arange(2 * count) % 2 == 0, outer, inner)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _badge(kind: str) -> Float[np.ndarray, "corner 2"]:
    """Outline of what an emblem stands on."""
    match kind:
        case "shield":
            t = np.linspace(0, np.pi, 24)
            low = np.stack([0.85 * np.cos(t), 0.05 + 0.9 * np.sin(t) ** 0.8], axis=1)
            return np.concatenate([[[0.85, -0.9]], low, [[-0.85, -0.9]]])
        case "lozenge":
            return _ray(2, 0.95, 0.95)
        case "hexagon":
            return _ray(3, 0.95, 0.95)
        case _:
            return _ray(32, 0.95, 0.95)


def _heart() -> Float[np.ndarray, "corner 2"]:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 17
    return np.stack([16 * np.sin(t) ** 3 / 17, y], axis=1)


def _leaf() -> list[Float[np.ndarray, "corner 2"]]:
    t = np.linspace(0, np.pi, 24)
    edge = np.stack([0.55 * np.sin(t) ** 1.3, -np.cos(t)], axis=1)
    vein = np.array([[-0.03, -0.8], [0.03, -0.8], [0.03, 0.98], [-0.03, 0.98]])
    return [np.concatenate([edge, edge[::-1] * [-1, 1]]), vein]


def _wave() -> list[Float[np.ndarray, "corner 2"]]:
    x = np.linspace(-0.95, 0.95, 40)
    rows = []
    for level in (-0.5, 0.0, 0.5):
        y = level + 0.14 * np.sin(x * 7)
        rows.append(np.concatenate([np.stack([x, y - 0.1], 1), np.stack([x, y + 0.1], 1)[::-1]]))
    return rows


SIGNS = {
    "star": lambda: [_ray(5, 0.95, 0.4)],
    "mountain": lambda: [
        np.array([[-0.95, 0.7], [-0.25, -0.75], [0.1, -0.1], [0.35, -0.45], [0.95, 0.7]]),
        np.array([[-0.25, -0.75], [-0.03, -0.32], [-0.2, -0.2], [-0.3, -0.35], [-0.47, -0.28]]),
    ],
    "sun": lambda: [_ray(12, 0.95, 0.68), _ray(24, 0.5, 0.5)],
    "wave": _wave,
    "bolt": lambda: [
        np.array([[0.1, -0.95], [-0.55, 0.15], [-0.05, 0.15], [-0.2, 0.95], [0.55, -0.25], [0.05, -0.25]])
    ],
    "heart": lambda: [_heart() * 0.9],
    "leaf": _leaf,
    "rings": lambda: [_ray(32, 0.9, 0.9), _ray(32, 0.6, 0.6) * 1.0],
    "arrow": lambda: [
        np.array([[0, -0.9], [0.8, -0.1], [0.3, -0.1], [0.3, 0.9], [-0.3, 0.9], [-0.3, -0.1], [-0.8, -0.1]])
    ],
}
