"""Periodic textures of cloth with mipmaps."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.colours import BRIGHTEST, DARKEST, Colour
from sherf.datasets.openpeople.noise import periodic_noise
from sherf.datasets.openpeople.remap import sample_points

Levels = tuple[Float32[np.ndarray, "_ _ channel"], ...]
"""An image pyramid (mipmaps): finest first, each half as wide as the one before."""
_COARSEST = 8
"""Pixels across the last level of a pyramid."""


@dataclass(frozen=True)
class Tile:
    """A texture that repeats, with mipmaps."""

    levels: Levels
    size: tuple[float, float]
    """Width and height of one repeat, metres."""
    repeats_along: bool = True
    """Whether it repeats down the garment too; otherwise the first and last rows are extended."""

    def sample(self, uv: Float[np.ndarray, "sample 2"], footprint: float) -> Float32[np.ndarray, "sample channel"]:
        """Sample the texture bilinearly at the finest level whose texels are no smaller than the footprint.

        Args:
            uv: fabric coordinates, metres.
            footprint: size of a pixel on the surface, metres.

        Returns:
            The interpolated channels of each sample.
        """
        texel = min(self.size[0] / self.levels[0].shape[1], self.size[1] / self.levels[0].shape[0])
        level = int(np.clip(np.ceil(np.log2(max(footprint, 1e-9) / texel) - 0.25), 0, len(self.levels) - 1))
        image = self.levels[level]
        rows, columns = image.shape[:2]
        repeats = uv.astype(np.float32) / np.array(self.size, np.float32)
        if self.repeats_along:
            repeats -= np.floor(repeats)
        else:
            repeats[:, 0] -= np.floor(repeats[:, 0])
            # BORDER_WRAP wraps in both directions: keep half a pixel away from the edge.
            repeats[:, 1] = np.clip(repeats[:, 1], 0.5 / rows, 1 - 0.5 / rows)
        pixels = repeats * np.array([columns, rows], np.float32) - 0.5
        return sample_points(image, pixels, cv2.BORDER_WRAP)


@dataclass(frozen=True)
class Fabric:
    """A fabric: a colour pattern, and the weave that shades it."""

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
        """Return the sRGB colour in [0, 1] at fabric coordinates (metres) for pixels of `footprint` metres."""
        found = self.pattern.sample(uv, footprint) * self.weave.sample(uv, footprint)
        return np.clip(found, 0, 1, out=found)

    @property
    def mean(self) -> Colour:
        """The fabric's mean sRGB colour."""
        return self.pattern.levels[-1].reshape(-1, 3).mean(axis=0)


@dataclass(frozen=True)
class FabricDesign:
    """A fabric as painted by a family, before mipmaps are built."""

    image: Float32[np.ndarray, "row column 3"]
    """Tileable; sRGB in [0, 1]."""
    size: tuple[float, float]
    """Width and height of one repeat, metres."""
    weave: "Weave | None" = None
    """None for jersey."""
    gloss: float = 0.02
    sharpness: float = 10.0
    repeats_along: bool = True
    """As in `Tile`."""


@dataclass(frozen=True)
class Weave:
    """A small tileable relief, as a factor on the colour."""

    image: Float32[np.ndarray, "row column"]
    size: tuple[float, float]
    """Width and height of one repeat, metres."""


Painter = Callable[[np.random.Generator, Float32[np.ndarray, "3"] | None], FabricDesign]
"""Paints a random fabric of a family, on a given ground colour (sRGB) or on one of its own choice (None)."""


def build_pyramid(
    image: Float32[np.ndarray, "_ _ *more"],
) -> Levels:
    """Build the mipmaps of an image by area averaging."""
    levels = [np.ascontiguousarray(image.reshape(*image.shape[:2], -1))]
    while min(levels[-1].shape[:2]) > _COARSEST:
        rows, columns, channels = levels[-1].shape
        halved = cv2.resize(levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        levels.append(halved.reshape(rows // 2, columns // 2, channels))
    return tuple(levels)


def build_fabric(family: str, cut: FabricDesign, rng: np.random.Generator) -> Fabric:
    """Build the mipmaps of a painted design."""
    weave = cut.weave if cut.weave is not None else jersey(rng)
    image = np.clip(cut.image, DARKEST, BRIGHTEST).astype(np.float32)
    return Fabric(
        family,
        Tile(build_pyramid(image), cut.size, cut.repeats_along),
        Tile(build_pyramid(weave.image.astype(np.float32)), weave.size),
        cut.gloss,
        cut.sharpness,
    )


def jersey(rng: np.random.Generator, strength: float = 0.05, thread: float = 0.0012) -> Weave:
    """Return fine, slightly uneven loops, as in T-shirts; `thread` is the width of a loop, metres."""
    size, loops = 128, 32
    grains = periodic_noise(rng, size, (loops, loops), 1) * strength
    uneven = periodic_noise(rng, size, (3, 3), 2) * 0.015
    return Weave(1 + grains + uneven, (thread * loops, thread * loops))


def twill(rng: np.random.Generator, strength: float = 0.1, thread: float = 0.0016) -> Weave:
    """Return uneven diagonal lines, as in denim, chinos and suits; `thread` is the distance between lines, metres."""
    size, lines = 128, 16
    y, x = np.mgrid[:size, :size] / size
    diagonal = np.sin(2 * np.pi * lines * (x + y))
    image = 1 + strength * (0.6 * diagonal + 0.7 * periodic_noise(rng, size, (8, 40), 2))
    return Weave(image.astype(np.float32), (thread * lines, thread * lines))


def smooth(rng: np.random.Generator) -> Weave:
    """Return an almost even surface, as in satin and coated cloth."""
    return Weave(1 + 0.02 * periodic_noise(rng, 64, (4, 4), 2), (0.1, 0.1))
