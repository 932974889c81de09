"""Periodic pictures of cloth, read at the fineness that a pixel asks for."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.colours import BRIGHTEST, DARKEST, Colour
from sherf.datasets.openpeople.noise import periodic_noise

_ROW_LENGTH = 1024
"""cv2.remap refuses pictures longer than 32,767: points are sent in rows of this length."""
Levels = tuple[Float32[np.ndarray, "_ _ channel"], ...]
"""A picture, finest first, each half as wide as the one before."""
_COARSEST = 8
"""Pixels across the last level of a pyramid."""


@dataclass(frozen=True)
class Tile:
    """A square picture that repeats, with ever coarser copies of itself."""

    levels: Levels
    size: tuple[float, float]
    """Width and height of one repeat, metres."""
    repeats_along: bool = True
    """Whether it repeats down the garment too; otherwise its first and last row go on for ever."""

    def sample(self, uv: Float[np.ndarray, "sample 2"], footprint: float) -> Float32[np.ndarray, "sample channel"]:
        """Look the tile up at fabric metres, at the finest level whose pixels are no smaller than the footprint."""
        texel = min(self.size[0] / self.levels[0].shape[1], self.size[1] / self.levels[0].shape[0])
        level = int(np.clip(np.ceil(np.log2(max(footprint, 1e-9) / texel) - 0.25), 0, len(self.levels) - 1))
        picture = self.levels[level]
        rows, columns, channels = picture.shape
        place = np.zeros((-(-len(uv) // _ROW_LENGTH) * _ROW_LENGTH, 2), np.float32)
        turns = uv.astype(np.float32) / np.array(self.size, np.float32)
        if self.repeats_along:
            turns -= np.floor(turns)
        else:
            turns[:, 0] -= np.floor(turns[:, 0])
            # BORDER_WRAP goes round both ways: keep half a pixel away from the edge.
            turns[:, 1] = np.clip(turns[:, 1], 0.5 / rows, 1 - 0.5 / rows)
        place[: len(uv)] = turns * np.array([columns, rows], np.float32) - 0.5
        found = cv2.remap(
            picture, place.reshape(-1, _ROW_LENGTH, 2), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        return found.reshape(-1, channels)[: len(uv)]


@dataclass(frozen=True)
class Fabric:
    """Cloth off the bolt: a pattern, and the weave that shades it."""

    family: str
    pattern: Tile
    """sRGB in [0, 1]."""
    weave: Tile
    """Factor on the colour, about 1."""
    gloss: float = 0.02
    """Strength of the highlight, 0 matt to 1."""
    sharpness: float = 10.0
    """Exponent of the highlight."""

    def colour(self, uv: Float[np.ndarray, "sample 2"], footprint: float) -> Float32[np.ndarray, "sample 3"]:
        """sRGB colour in [0, 1] at fabric coordinates (metres) for pixels of `footprint` metres."""
        found = self.pattern.sample(uv, footprint) * self.weave.sample(uv, footprint)
        return np.clip(found, 0, 1, out=found)

    @property
    def mean(self) -> Colour:
        """The colour it has from afar."""
        return self.pattern.levels[-1].reshape(-1, 3).mean(axis=0)


@dataclass(frozen=True)
class Cut:
    """What a family's painter hands over."""

    picture: Float32[np.ndarray, "row column 3"]
    """Tiles without a seam; sRGB in [0, 1]."""
    size: tuple[float, float]
    """Width and height of one repeat, metres."""
    weave: "Weave | None" = None
    """None: jersey."""
    gloss: float = 0.02
    sharpness: float = 10.0
    repeats_along: bool = True


@dataclass(frozen=True)
class Weave:
    """A small periodic relief, as a factor on the colour."""

    picture: Float32[np.ndarray, "row column"]
    size: tuple[float, float]


Painter = Callable[[np.random.Generator, Float32[np.ndarray, "3"] | None], Cut]


def pyramid(
    picture: Float32[np.ndarray, "_ _ *more"],
) -> Levels:
    """The picture and its halves, quarters and so on, averaged: what far-off pixels see."""
    levels = [np.ascontiguousarray(picture.reshape(*picture.shape[:2], -1))]
    while min(levels[-1].shape[:2]) > _COARSEST:
        rows, columns, channels = levels[-1].shape
        halved = cv2.resize(levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        levels.append(halved.reshape(rows // 2, columns // 2, channels))
    return tuple(levels)


def finish(family: str, cut: Cut, rng: np.random.Generator) -> Fabric:
    """Make the pyramids of a painted cut."""
    weave = cut.weave if cut.weave is not None else jersey(rng)
    picture = np.clip(cut.picture, DARKEST, BRIGHTEST).astype(np.float32)
    return Fabric(
        family,
        Tile(pyramid(picture), cut.size, cut.repeats_along),
        Tile(pyramid(weave.picture.astype(np.float32)), weave.size),
        cut.gloss,
        cut.sharpness,
    )


def jersey(rng: np.random.Generator, strength: float = 0.05, thread: float = 0.0012) -> Weave:
    """Fine loops and a little unevenness: T-shirts. `thread` is the width of a loop, metres."""
    size, loops = 128, 32
    grains = periodic_noise(rng, size, (loops, loops), 1) * strength
    uneven = periodic_noise(rng, size, (3, 3), 2) * 0.015
    return Weave(1 + grains + uneven, (thread * loops, thread * loops))


def twill(rng: np.random.Generator, strength: float = 0.1, thread: float = 0.0016) -> Weave:
    """Diagonal lines, uneven along their length: denim, chinos, suits."""
    size, lines = 128, 16
    y, x = np.mgrid[:size, :size] / size
    diagonal = np.sin(2 * np.pi * lines * (x + y))
    picture = 1 + strength * (0.6 * diagonal + 0.7 * periodic_noise(rng, size, (8, 40), 2))
    return Weave(picture.astype(np.float32), (thread * lines, thread * lines))


def smooth(rng: np.random.Generator) -> Weave:
    """Hardly anything: satin, coated cloth."""
    return Weave(1 + 0.02 * periodic_noise(rng, 64, (4, 4), 2), (0.1, 0.1))
