"""Details that are sewn or buttoned onto clothes, placed in the rest pose's space (y up, facing +z, left at +x).

Most lie on a flat sheet that is held against the garment from one side; bands and seams lie between parallel planes.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int

from sherf.datasets.openpeople.noise import Number
from sherf.datasets.openpeople.part import SurfaceSamples

Triple = tuple[Number, Number, Number] | Float[np.ndarray, "3"]
Side = Literal["front", "back", "left", "right", "left sleeve", "right sleeve", "above"]
AXES: dict[str, tuple[Triple, Triple, Triple]] = {
    "front": ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    "back": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)),
    "left": ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)),
    "right": ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)),
    "left sleeve": ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "right sleeve": ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "above": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
}
"""Of each side, as its onlooker sees it with arms hanging: what points right, down, and out of the garment."""
BEFORE_M = 0.15
"""What lies farther before a sheet than this is not touched by it either: another limb."""
STITCH_M, GAP_M, THREAD_M = 0.0035, 0.002, 0.0011
"""A stitch's length, the gap to the next one, and the thread's width."""


@dataclass(frozen=True)
class Sheet:
    """A flat sheet held against the garment from one side: where details that are not bands lie."""

    centre: Triple
    """Rest space, metres; on the surface, for what lies deeper than `reach` behind it is left alone."""
    side: Side = "front"
    turn: float = 0.0
    """Clockwise as seen from outside, radians."""
    reach: float = 0.08
    """How deep behind the centre the sheet still prints, metres: less than the body is thick."""

    def find(
        self, rest: Float32[np.ndarray, "sample 3"], width: float, height: float
    ) -> tuple[Int[np.ndarray, " near"], Float32[np.ndarray, "near 2"]]:
        """Numbers of the samples within a rectangle about the centre, and their place: right and down, metres."""
        right, down, out = (np.array(axis, np.float32) for axis in AXES[self.side])
        if self.turn:
            c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
            right, down = c * right + s * down, c * down - s * right
        centre = np.asarray(self.centre, np.float32)
        x = rest @ right - centre @ right
        y = rest @ down - centre @ down
        depth = rest @ out - centre @ out
        near = (np.abs(x) <= width / 2) & (np.abs(y) <= height / 2) & (depth > -self.reach) & (depth < BEFORE_M)
        index = np.flatnonzero(near)
        return index, np.stack([x[index], y[index]], axis=1)


def cover(distance: Float[np.ndarray, "*any"], footprint: float) -> Float[np.ndarray, "*any"]:
    """Share of a pixel that lies inside a shape, from the signed distance to its outline (negative inside), metres."""
    return np.clip(0.5 - distance / max(footprint, 1e-5), 0, 1)


def strip(
    offset: Float[np.ndarray, " sample"], start: float, end: float, footprint: float
) -> Float[np.ndarray, " sample"]:
    """Share of a pixel about each offset that lies between `start` and `end`; exact, however fine the strip."""
    return np.maximum(cover(start - offset, footprint) + cover(offset - end, footprint) - 1, 0)


def lay(
    colour: Float32[np.ndarray, "sample 3"],
    index: Int[np.ndarray, " near"],
    paint: Triple | Float[np.ndarray, "near 3"],
    share: Float[np.ndarray, " near"],
) -> None:
    """Blend paint over some samples' colour, in place."""
    under = colour[index]
    colour[index] = under + (np.asarray(paint, np.float32) - under) * share[:, None].astype(np.float32)


def box_distance(
    place: Float[np.ndarray, "point 2"], width: float, height: float, corner: float = 0.0
) -> Float[np.ndarray, " point"]:
    """Signed distance to a rectangle about the origin with rounded corners of this radius."""
    q = np.abs(place) - np.array([width / 2 - corner, height / 2 - corner], np.float32)
    return np.hypot(*np.maximum(q, 0).T) + np.minimum(q.max(axis=1), 0) - corner


def stitched(along: Float[np.ndarray, " point"], footprint: float) -> Float[np.ndarray, " point"]:
    """Share of thread along a seam, from the way along it in metres; even where stitches are finer than pixels."""
    period = STITCH_M + GAP_M
    phase = (along / period) % 1 * period
    sharp = cover(np.abs(phase - period / 2) - STITCH_M / 2, footprint)
    blur = min(max(footprint / period - 0.4, 0.0) * 2, 1.0)
    return sharp + (STITCH_M / period - sharp) * blur


@dataclass(frozen=True)
class Band:
    """A stripe between two parallel planes: hems, cuffs, waistbands, soles, rings about sleeves, colour blocks."""

    normal: Triple
    """Unit length; a point's offset is normal @ (x, y, z), or normal @ (|x|, y, z) with `mirrored`."""
    start: float
    """Smallest offset, metres; -inf for all that lies below `end`."""
    end: float
    """Largest offset, metres; inf for all that lies above `start`."""
    colour: Triple
    mirrored: bool = False
    strength: float = 1.0
    """Share of the colour that replaces the fabric's."""
    low: Triple = (-np.inf, -np.inf, -np.inf)
    """Smallest (x, or |x| with `mirrored`; y; z) that is painted."""
    high: Triple = (np.inf, np.inf, np.inf)
    stitches: bool = False
    """Drawn as a dashed line of thread."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the stripe."""
        p = samples.rest
        if self.mirrored:
            p = np.concatenate([np.abs(p[:, :1]), p[:, 1:]], axis=1)
        offset = p @ np.asarray(self.normal, np.float32)
        margin = samples.footprint
        index = np.flatnonzero((offset > self.start - margin) & (offset < self.end + margin))
        near, offset = p[index], offset[index]
        share = strip(offset, self.start, self.end, samples.footprint) * np.float32(self.strength)
        for axis in range(3):
            if np.isfinite(self.low[axis]):
                share *= cover(self.low[axis] - near[:, axis], samples.footprint)
            if np.isfinite(self.high[axis]):
                share *= cover(near[:, axis] - self.high[axis], samples.footprint)
        if self.stitches:
            # The way along a seam: whichever axes it does not run across.
            along = near @ (1 - np.abs(np.asarray(self.normal, np.float32)))
            share *= stitched(along, samples.footprint)
        lay(colour, index, self.colour, share)
        return colour


@dataclass(frozen=True)
class Ribs:
    """Ribbed knit between two planes: cuffs, hems, collars of sweaters and hoodies."""

    normal: Triple
    start: float
    end: float
    mirrored: bool = False
    spacing: float = 0.006
    """From rib to rib, metres."""
    depth: float = 0.22
    """How much darker the furrows are."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Darken the furrows, which run along the normal, and the edge where the ribs begin."""
        p = samples.rest
        n = np.asarray(self.normal, np.float32)
        x = np.abs(p[:, 0]) if self.mirrored else p[:, 0]
        offset = n[0] * x + n[1] * p[:, 1] + n[2] * p[:, 2]
        index = np.flatnonzero((offset >= self.start) & (offset <= self.end))
        near = p[index]
        across = near[:, 2] + (near[:, 0] if abs(n[1]) > abs(n[0]) else near[:, 1])
        fades = min(max(samples.footprint / self.spacing * 2 - 0.5, 0.0), 1.0)
        furrow = 0.5 - 0.5 * np.cos(2 * np.pi / self.spacing * across)
        furrow += (0.5 - furrow) * np.float32(fades)
        edge = np.minimum(offset[index] - self.start, self.end - offset[index])
        dark = np.maximum(furrow * self.depth, 0.3 * cover(edge - 0.0012, samples.footprint))
        colour[index] *= (1 - dark)[:, None].astype(np.float32)
        return colour


@dataclass(frozen=True)
class Line:
    """A line through points, seen from one side: seams, stitching, laces, drawstrings, straps."""

    points: tuple[Triple, ...]
    """Rest space, metres, at least two."""
    colour: Triple
    side: Side = "front"
    width: float = THREAD_M
    """Metres."""
    stitches: bool = False
    """Drawn as a dashed line of thread."""
    reach: float = 0.08

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Paint the line."""
        points = np.asarray(self.points, np.float32)
        sheet = Sheet(points.mean(axis=0).astype(float), self.side, 0.0, self.reach)
        right, down = (np.array(axis, np.float32) for axis in AXES[self.side][:2])
        line = np.stack([points @ right, points @ down], axis=1)
        line -= line.mean(axis=0)
        width, height = (2 * (np.abs(line).max(axis=0) + self.width + samples.footprint)).tolist()
        index, place = sheet.find(samples.rest, width, height)
        nearest = np.full(len(index), np.inf, np.float32)
        along = np.zeros(len(index), np.float32)
        way = 0.0
        for a, b in pairwise(line):
            length = max(float(np.hypot(*(b - a))), 1e-6)
            t = np.clip((place - a) @ (b - a) / length, 0, length)
            distance = np.hypot(*(place - a - t[:, None] * (b - a) / length).T)
            closer = distance < nearest
            nearest[closer], along[closer] = distance[closer], t[closer] + way
            way += length
        share = strip(nearest, -self.width / 2, self.width / 2, samples.footprint)
        if self.stitches:
            share *= stitched(along, samples.footprint)
        lay(colour, index, self.colour, share)
        return colour


@dataclass(frozen=True)
class Fade:
    """A soft spot: worn knees, washed-out thighs, a blush of another colour."""

    centre: Triple
    radii: Triple
    """Metres, along x, y, z."""
    colour: Triple
    strength: float = 0.4
    mirrored: bool = False
    """On both sides of the body: distances count from (|x|, y, z)."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Blend towards the colour by a bell curve."""
        p = np.concatenate([np.abs(samples.rest[:, :1]), samples.rest[:, 1:]], 1) if self.mirrored else samples.rest
        q = (p - np.asarray(self.centre, np.float32)) / np.asarray(self.radii, np.float32)
        far = np.einsum("ij,ij->i", q, q)
        index = np.flatnonzero(far < 9)
        lay(colour, index, self.colour, np.float32(self.strength) * np.exp(-far[index]))
        return colour
