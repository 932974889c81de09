"""Made-up details: buttons, pockets, patches, zips, buckles, belt loops, laces."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.details import THREAD_M, Sheet, Side, Triple, box_distance, cover, lay, stitched, strip
from sherf.datasets.openpeople.part import SurfaceSamples


@dataclass(frozen=True)
class Buttons:
    """A row of round buttons, first and last at its ends."""

    start: Triple
    end: Triple
    """Rest space, metres."""
    count: int
    colour: Triple
    radius: float = 0.0065
    holes: int = 4
    side: Side = "front"

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint each button: a shadow, a disc with a raised rim, and the holes."""
        start, end = np.asarray(self.start, float), np.asarray(self.end, float)
        paint = np.asarray(self.colour, np.float32)
        for number in range(self.count):
            centre = start + (end - start) * (number / max(self.count - 1, 1))
            index, place = Sheet(centre, self.side).find(samples.rest, 4 * self.radius, 4 * self.radius)
            if not len(index):
                continue
            r = np.hypot(*place.T)
            shadow = np.hypot(place[:, 0], place[:, 1] - self.radius * 0.22)
            lay(colour, index, paint * 0.1, 0.55 * cover(shadow - self.radius * 1.12, max(samples.footprint, 0.002)))
            light = 1 - 0.18 * place[:, 1] / self.radius + 0.1 * cover(np.abs(r / self.radius - 0.85) - 0.15, 0.1)
            lay(colour, index, np.clip(paint * light[:, None], 0, 1), cover(r - self.radius, samples.footprint))
            for hole in range(self.holes):
                turn = 2 * np.pi * (hole + 0.5) / self.holes
                at = self.radius * 0.33 * np.array([np.cos(turn), np.sin(turn)], np.float32)
                inside = cover(np.hypot(*(place - at).T) - self.radius * 0.14, samples.footprint)
                lay(colour, index, paint * 0.25, inside)
        return colour


@dataclass(frozen=True)
class Patch:
    """A flat piece with an outline: plackets, labels, knee and elbow patches, yokes."""

    sheet: Sheet
    width: float
    height: float
    """Metres."""
    colour: Triple
    strength: float = 1.0
    """Share of the colour that replaces the fabric's."""
    corner: float = 0.0
    """Radius of its corners, metres."""
    thread: Triple | None = None
    """Colour of the stitches along its edge."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the piece, the fine shadow about it, and its stitches."""
        margin = 2 * samples.footprint + 0.004
        index, place = self.sheet.find(samples.rest, self.width + margin, self.height + margin)
        d = box_distance(place, self.width, self.height, self.corner)
        _outline(colour, samples, index, d)
        lay(colour, index, self.colour, self.strength * cover(d, samples.footprint))
        if self.thread is not None:
            _topstitch(colour, samples, index, place, d, self.thread)
        return colour


@dataclass(frozen=True)
class Pocket:
    """A pocket: a patch sewn on, with or without a flap, or a slit with a welt."""

    sheet: Sheet
    width: float
    height: float
    """Metres."""
    thread: Triple
    """Colour of the stitches."""
    shape: Literal["square", "round", "pointed", "flap", "slit"] = "pointed"
    shade: float = 0.95
    """Factor on the fabric's colour within."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the pocket."""
        margin = 2 * samples.footprint + 0.006
        index, place = self.sheet.find(samples.rest, self.width + margin, self.height + margin)
        if not len(index):
            return colour
        d = self._distance(place)
        if self.shape == "slit":
            lay(colour, index, colour[index] * 0.3, 0.9 * cover(d, samples.footprint))
            _topstitch(colour, samples, index, place, d - 0.007, self.thread)
            return colour
        _outline(colour, samples, index, d)
        lay(colour, index, np.clip(colour[index] * self.shade, 0, 1), cover(d, samples.footprint))
        _topstitch(colour, samples, index, place, d, self.thread)
        # The opening: its shadow, and a hem below it.
        brim = self.height * (0.3 if self.shape == "flap" else 0.14)
        below = place[:, 1] + self.height / 2 - brim
        inside = cover(d, samples.footprint)
        lay(colour, index, colour[index] * 0.45, inside * _thin(below, 0.0018, samples.footprint))
        lay(colour, index, self.thread, 0.8 * inside * _thin(below + 0.0035, THREAD_M, samples.footprint))
        return colour

    def _distance(self, place: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, " point"]:
        """Signed distance to the outline."""
        match self.shape:
            case "round":
                lower = place * [1, 1] - [0, self.height * 0.0]
                d = box_distance(lower.astype(np.float32), self.width, self.height, 0.3 * self.width)
                square = box_distance(place, self.width, self.height)
                return np.where(place[:, 1] < 0, square, d)
            case "pointed":
                d = box_distance(place, self.width, self.height)
                slope = 0.35
                tip = (place[:, 1] - self.height / 2 + slope * np.abs(place[:, 0])) / np.hypot(1, slope)
                return np.maximum(d, tip)
            case "square" | "flap" | "slit":
                return box_distance(place, self.width, self.height, 0.002)


@dataclass(frozen=True)
class Zip:
    """A zip between two points: tape, teeth, and a puller at the end it is drawn to."""

    start: Triple
    end: Triple
    """Rest space, metres; the puller hangs at the start."""
    tape: Triple
    teeth: Triple
    side: Side = "front"
    width: float = 0.022
    reach: float = 0.09

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the zip; it runs up or down."""
        start, end = np.asarray(self.start, float), np.asarray(self.end, float)
        length = float(np.linalg.norm(end - start))
        sheet = Sheet((start + end) / 2, self.side, 0.0, self.reach)
        index, place = sheet.find(samples.rest, self.width + 0.01, length + 0.05)
        x, y, f = place[:, 0], place[:, 1], samples.footprint
        d = box_distance(place, self.width, length)
        _outline(colour, samples, index, d)
        lay(colour, index, self.tape, cover(d, f))
        pitch = 0.005
        tooth = cover(np.abs((y / pitch + np.where(x > 0, 0.5, 0.0)) % 1 - 0.5) * pitch - 0.0016, f)
        tooth = tooth + (0.6 - tooth) * min(max(f / pitch - 0.3, 0.0) * 2, 1.0)
        lay(colour, index, self.teeth, tooth * cover(box_distance(place, 0.007, length), f))
        for offset, size, share in ((0.006, (0.010, 0.013), 0.8), (0.024, (0.006, 0.024), 1.0)):
            at = place - np.array([0, offset - length / 2], np.float32)
            lay(colour, index, np.asarray(self.teeth, np.float32) * share, cover(box_distance(at, *size, 0.002), f))
        return colour


@dataclass(frozen=True)
class Buckle:
    """A belt's buckle: a frame with a prong."""

    centre: Triple
    colour: Triple
    width: float = 0.045
    height: float = 0.038
    side: Side = "front"

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the frame, shaded so that it looks round, and the prong."""
        f = samples.footprint
        index, place = Sheet(self.centre, self.side).find(samples.rest, self.width * 1.3, self.height * 1.4)
        d = box_distance(place, self.width, self.height, 0.006)
        paint = np.asarray(self.colour, np.float32)
        metal = np.clip(paint * (1.05 - 0.35 * place[:, 1:] / self.height + 0.2 * (d[:, None] + 0.003) / 0.003), 0, 1)
        lay(colour, index, paint * 0.1, 0.5 * cover(np.abs(d + 0.003) - 0.005, max(f, 0.002)))
        lay(colour, index, metal, cover(np.abs(d + 0.003) - 0.003, f))
        at = place - np.array([self.width * 0.1, 0], np.float32)
        lay(colour, index, metal, cover(box_distance(at, self.width * 0.75, 0.004, 0.001), f))
        return colour


@dataclass(frozen=True)
class Laces:
    """Crossed laces over a tongue, seen from above a shoe."""

    sheet: Sheet
    """Its centre is the middle of the laces; `side` "above"."""
    width: float
    length: float
    """Metres."""
    colour: Triple
    count: int = 4
    tongue: Triple | None = None

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint tongue, eyelets and crosses."""
        f = samples.footprint
        index, place = self.sheet.find(samples.rest, self.width * 1.5, self.length * 1.3)
        if not len(index):
            return colour
        if self.tongue is not None:
            d = box_distance(place, self.width * 0.75, self.length * 1.2, 0.006)
            _outline(colour, samples, index, d)
            lay(colour, index, self.tongue, cover(d, f))
        step = self.length / max(self.count - 1, 1)
        for row in range(self.count):
            y = -self.length / 2 + row * step
            for side in (-1, 1):
                eyelet = place - np.array([side * self.width / 2, y], np.float32)
                lay(colour, index, np.asarray(self.colour, np.float32) * 0.3, cover(np.hypot(*eyelet.T) - 0.003, f))
                if row + 1 < self.count:
                    a = np.array([side * self.width / 2, y], np.float32)
                    b = np.array([-side * self.width / 2, y + step], np.float32)
                    d = _segment(place, a, b)
                    lay(colour, index, np.asarray(self.colour, np.float32) * 0.35, 0.6 * cover(d - 0.0036, f))
                    lay(colour, index, self.colour, cover(d - 0.0024, f))
        return colour


def _segment(
    place: Float32[np.ndarray, "point 2"], a: Float32[np.ndarray, "2"], b: Float32[np.ndarray, "2"]
) -> Float[np.ndarray, " point"]:
    """Distance to the stretch between two places."""
    t = np.clip((place - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.hypot(*(place - a - t[:, None] * (b - a)).T)


def _thin(distance: Float[np.ndarray, " point"], width: float, footprint: float) -> Float[np.ndarray, " point"]:
    """Share of a pixel that a fine line covers, from the distance to its middle."""
    return strip(distance, -width / 2, width / 2, footprint)


def _outline(
    colour: Float32[np.ndarray, "sample 3"],
    samples: SurfaceSamples,
    index: np.ndarray,
    distance: Float[np.ndarray, " near"],
) -> None:
    """Darken the fine gap about a piece that lies on the cloth."""
    lay(colour, index, colour[index] * 0.45, 0.8 * _thin(distance, 0.0016, samples.footprint))


def _topstitch(
    colour: Float32[np.ndarray, "sample 3"],
    samples: SurfaceSamples,
    index: np.ndarray,
    place: Float32[np.ndarray, "near 2"],
    distance: Float[np.ndarray, " near"],
    thread: Triple,
) -> None:
    """Stitches a few millimetres inside a piece's edge."""
    on = _thin(distance + 0.004, THREAD_M, samples.footprint)
    lay(colour, index, thread, 0.9 * on * stitched(place[:, 0] + place[:, 1], samples.footprint))
