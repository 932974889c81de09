"""Sewn details of clothes: buttons, pockets, patches, zips, buckles, laces."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.details import (
    THREAD_M,
    Sheet,
    Side,
    Triple,
    blend_paint,
    box_distance,
    coverage,
    stitch_coverage,
    strip_coverage,
)
from sherf.datasets.openpeople.part import SurfaceSamples


@dataclass(frozen=True)
class Buttons:
    """A row of round buttons, the first and last at its ends."""

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
            blend_paint(
                colour, index, paint * 0.1, 0.55 * coverage(shadow - self.radius * 1.12, max(samples.footprint, 0.002))
            )
            light = 1 - 0.18 * place[:, 1] / self.radius + 0.1 * coverage(np.abs(r / self.radius - 0.85) - 0.15, 0.1)
            blend_paint(
                colour, index, np.clip(paint * light[:, None], 0, 1), coverage(r - self.radius, samples.footprint)
            )
            for hole in range(self.holes):
                turn = 2 * np.pi * (hole + 0.5) / self.holes
                at = self.radius * 0.33 * np.array([np.cos(turn), np.sin(turn)], np.float32)
                inside = coverage(np.hypot(*(place - at).T) - self.radius * 0.14, samples.footprint)
                blend_paint(colour, index, paint * 0.25, inside)
        return colour


@dataclass(frozen=True)
class Patch:
    """A flat piece of cloth: plackets, elbow patches, holes."""

    sheet: Sheet
    width: float
    height: float
    """Metres."""
    colour: Triple
    strength: float = 1.0
    """Opacity, in [0, 1]."""
    corner: float = 0.0
    """Radius of its corners, metres."""
    thread: Triple | None = None
    """Colour of the stitches along its edge; None for none."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the piece, the fine shadow around it, and its stitches."""
        margin = 2 * samples.footprint + 0.004
        index, place = self.sheet.find(samples.rest, self.width + margin, self.height + margin)
        d = box_distance(place, self.width, self.height, self.corner)
        _outline(colour, samples, index, d)
        blend_paint(colour, index, self.colour, self.strength * coverage(d, samples.footprint))
        if self.thread is not None:
            _topstitch(colour, samples, index, place, d, self.thread)
        return colour


@dataclass(frozen=True)
class Pocket:
    """A patch pocket, with or without a flap, or a slit with a welt."""

    sheet: Sheet
    width: float
    height: float
    """Metres."""
    thread: Triple
    """Colour of the stitches."""
    shape: Literal["square", "round", "pointed", "flap", "slit"] = "pointed"
    shade: float = 0.95
    """Factor on the fabric's colour inside."""

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
            blend_paint(colour, index, colour[index] * 0.3, 0.9 * coverage(d, samples.footprint))
            _topstitch(colour, samples, index, place, d - 0.007, self.thread)
            return colour
        _outline(colour, samples, index, d)
        blend_paint(colour, index, np.clip(colour[index] * self.shade, 0, 1), coverage(d, samples.footprint))
        _topstitch(colour, samples, index, place, d, self.thread)
        # The opening: its shadow, and a hem below it.
        brim = self.height * (0.3 if self.shape == "flap" else 0.14)
        below = place[:, 1] + self.height / 2 - brim
        inside = coverage(d, samples.footprint)
        blend_paint(colour, index, colour[index] * 0.45, inside * _thin(below, 0.0018, samples.footprint))
        blend_paint(colour, index, self.thread, 0.8 * inside * _thin(below + 0.0035, THREAD_M, samples.footprint))
        return colour

    def _distance(self, place: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, " point"]:
        """Signed distance to the outline."""
        match self.shape:
            case "round":
                d = box_distance(place, self.width, self.height, 0.3 * self.width)
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
    """A vertical zip: tape, teeth, and a puller at the start."""

    start: Triple
    end: Triple
    """Rest space, metres."""
    tape: Triple
    teeth: Triple
    side: Side = "front"
    width: float = 0.022
    reach: float = 0.09

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the zip."""
        start, end = np.asarray(self.start, float), np.asarray(self.end, float)
        length = float(np.linalg.norm(end - start))
        sheet = Sheet((start + end) / 2, self.side, 0.0, self.reach)
        index, place = sheet.find(samples.rest, self.width + 0.01, length + 0.05)
        x, y, f = place[:, 0], place[:, 1], samples.footprint
        d = box_distance(place, self.width, length)
        _outline(colour, samples, index, d)
        blend_paint(colour, index, self.tape, coverage(d, f))
        pitch = 0.005
        tooth = coverage(np.abs((y / pitch + np.where(x > 0, 0.5, 0.0)) % 1 - 0.5) * pitch - 0.0016, f)
        tooth = tooth + (0.6 - tooth) * min(max(f / pitch - 0.3, 0.0) * 2, 1.0)
        blend_paint(colour, index, self.teeth, tooth * coverage(box_distance(place, 0.007, length), f))
        for offset, size, share in ((0.006, (0.010, 0.013), 0.8), (0.024, (0.006, 0.024), 1.0)):
            at = place - np.array([0, offset - length / 2], np.float32)
            blend_paint(
                colour, index, np.asarray(self.teeth, np.float32) * share, coverage(box_distance(at, *size, 0.002), f)
            )
        return colour


@dataclass(frozen=True)
class Buckle:
    """A belt buckle: a frame with a prong."""

    centre: Triple
    colour: Triple
    width: float = 0.045
    height: float = 0.038
    side: Side = "front"

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the frame, shaded to look round, and the prong."""
        f = samples.footprint
        index, place = Sheet(self.centre, self.side).find(samples.rest, self.width * 1.3, self.height * 1.4)
        d = box_distance(place, self.width, self.height, 0.006)
        paint = np.asarray(self.colour, np.float32)
        metal = np.clip(paint * (1.05 - 0.35 * place[:, 1:] / self.height + 0.2 * (d[:, None] + 0.003) / 0.003), 0, 1)
        blend_paint(colour, index, paint * 0.1, 0.5 * coverage(np.abs(d + 0.003) - 0.005, max(f, 0.002)))
        blend_paint(colour, index, metal, coverage(np.abs(d + 0.003) - 0.003, f))
        at = place - np.array([self.width * 0.1, 0], np.float32)
        blend_paint(colour, index, metal, coverage(box_distance(at, self.width * 0.75, 0.004, 0.001), f))
        return colour


@dataclass(frozen=True)
class Laces:
    """Crossed shoe laces over a tongue, seen from above."""

    sheet: Sheet
    """Its centre is the middle of the laces; its `side` is "above"."""
    width: float
    length: float
    """Metres."""
    colour: Triple
    count: int = 4
    tongue: Triple | None = None

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint tongue, eyelets and laces."""
        f = samples.footprint
        index, place = self.sheet.find(samples.rest, self.width * 1.5, self.length * 1.3)
        if not len(index):
            return colour
        if self.tongue is not None:
            d = box_distance(place, self.width * 0.75, self.length * 1.2, 0.006)
            _outline(colour, samples, index, d)
            blend_paint(colour, index, self.tongue, coverage(d, f))
        step = self.length / max(self.count - 1, 1)
        for row in range(self.count):
            y = -self.length / 2 + row * step
            for side in (-1, 1):
                eyelet = place - np.array([side * self.width / 2, y], np.float32)
                blend_paint(
                    colour, index, np.asarray(self.colour, np.float32) * 0.3, coverage(np.hypot(*eyelet.T) - 0.003, f)
                )
                if row + 1 < self.count:
                    a = np.array([side * self.width / 2, y], np.float32)
                    b = np.array([-side * self.width / 2, y + step], np.float32)
                    d = _segment(place, a, b)
                    blend_paint(
                        colour, index, np.asarray(self.colour, np.float32) * 0.35, 0.6 * coverage(d - 0.0036, f)
                    )
                    blend_paint(colour, index, self.colour, coverage(d - 0.0024, f))
        return colour


def _segment(
    place: Float32[np.ndarray, "point 2"], a: Float32[np.ndarray, "2"], b: Float32[np.ndarray, "2"]
) -> Float[np.ndarray, " point"]:
    """Return the distance to the segment between two points."""
    t = np.clip((place - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.hypot(*(place - a - t[:, None] * (b - a)).T)


def _thin(distance: Float[np.ndarray, " point"], width: float, footprint: float) -> Float[np.ndarray, " point"]:
    """Return the share of a pixel that a fine line covers, from the distance to its middle."""
    return strip_coverage(distance, -width / 2, width / 2, footprint)


def _outline(
    colour: Float32[np.ndarray, "sample 3"],
    samples: SurfaceSamples,
    index: np.ndarray,
    distance: Float[np.ndarray, " near"],
) -> None:
    """Darken the fine gap around a piece that lies on the cloth, in place."""
    blend_paint(colour, index, colour[index] * 0.45, 0.8 * _thin(distance, 0.0016, samples.footprint))


def _topstitch(
    colour: Float32[np.ndarray, "sample 3"],
    samples: SurfaceSamples,
    index: np.ndarray,
    place: Float32[np.ndarray, "near 2"],
    distance: Float[np.ndarray, " near"],
    thread: Triple,
) -> None:
    """Paint stitches a few millimetres inside the edge of a piece, in place."""
    on = _thin(distance + 0.004, THREAD_M, samples.footprint)
    blend_paint(colour, index, thread, 0.9 * on * stitch_coverage(place[:, 0] + place[:, 1], samples.footprint))
