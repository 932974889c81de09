"""Basic details of clothes, positioned in rest space (y up, facing +z, left at +x): bands, ribs, lines, fades.

Most details are projected from a plane on one side of the garment; bands and ribs lie between parallel planes.
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
"""Right, down and outward axes of each side, as a viewer sees it (sleeves: with lowered arms)."""
MAX_IN_FRONT_M = 0.15
"""Points farther in front of a sheet than this belong to another limb and are not painted."""
STITCH_M, GAP_M, THREAD_M = 0.0035, 0.002, 0.0011
"""Length of a stitch, gap to the next one, and width of the thread."""


@dataclass(frozen=True)
class Sheet:
    """A projection plane on one side of the garment, from which details are projected orthographically."""

    centre: Triple
    """Rest space, metres, on the surface."""
    side: Side = "front"
    turn: float = 0.0
    """Clockwise rotation as seen from outside, radians."""
    reach: float = 0.08
    """How deep behind the centre points are still painted, metres: less than the body's thickness."""

    def find(
        self, rest: Float32[np.ndarray, "sample 3"], width: float, height: float
    ) -> tuple[Int[np.ndarray, " near"], Float32[np.ndarray, "near 2"]]:
        """Find the samples inside a rectangle around the centre.

        Args:
            rest: rest-space positions, metres.
            width: width of the rectangle, metres.
            height: height of the rectangle, metres.

        Returns:
            Indices of the samples, and their positions on the sheet: right and down from the centre, metres.
        """
        right, down, out = (np.array(axis, np.float32) for axis in AXES[self.side])
        if self.turn:
            c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
            right, down = c * right + s * down, c * down - s * right
        centre = np.asarray(self.centre, np.float32)
        x = rest @ right - centre @ right
        y = rest @ down - centre @ down
        depth = rest @ out - centre @ out
        near = (np.abs(x) <= width / 2) & (np.abs(y) <= height / 2) & (depth > -self.reach) & (depth < MAX_IN_FRONT_M)
        index = np.flatnonzero(near)
        return index, np.stack([x[index], y[index]], axis=1)


def coverage(distance: Float[np.ndarray, "*any"], footprint: float) -> Float[np.ndarray, "*any"]:
    """Return the share of a pixel inside a shape, from the signed distance to its outline (negative inside), metres."""
    return np.clip(0.5 - distance / max(footprint, 1e-5), 0, 1)


def strip_coverage(
    offset: Float[np.ndarray, " sample"], start: float, end: float, footprint: float
) -> Float[np.ndarray, " sample"]:
    """Return the share of a pixel around each offset that lies between `start` and `end`; exact for any width."""
    return np.maximum(coverage(start - offset, footprint) + coverage(offset - end, footprint) - 1, 0)


def blend_paint(
    colour: Float32[np.ndarray, "sample 3"],
    index: Int[np.ndarray, " near"],
    paint: Triple | Float[np.ndarray, "near 3"],
    share: Float[np.ndarray, " near"],
) -> None:
    """Blend paint over the colour of some samples with opacity `share`, in place."""
    under = colour[index]
    colour[index] = under + (np.asarray(paint, np.float32) - under) * share[:, None].astype(np.float32)


def box_distance(
    place: Float[np.ndarray, "point 2"], width: float, height: float, corner: float = 0.0
) -> Float[np.ndarray, " point"]:
    """Return the signed distance to a rectangle around the origin with rounded corners of this radius."""
    q = np.abs(place) - np.array([width / 2 - corner, height / 2 - corner], np.float32)
    return np.hypot(*np.maximum(q, 0).T) + np.minimum(q.max(axis=1), 0) - corner


def stitch_coverage(along: Float[np.ndarray, " point"], footprint: float) -> Float[np.ndarray, " point"]:
    """Return the coverage of thread along a seam, from the arc length in metres; averaged if stitches are subpixel."""
    period = STITCH_M + GAP_M
    phase = (along / period) % 1 * period
    sharp = coverage(np.abs(phase - period / 2) - STITCH_M / 2, footprint)
    blur = min(max(footprint / period - 0.4, 0.0) * 2, 1.0)
    return sharp + (STITCH_M / period - sharp) * blur


@dataclass(frozen=True)
class Band:
    """A stripe between two parallel planes: hems, cuffs, waistbands, soles, sleeve stripes, colour blocks."""

    normal: Triple
    """Unit length; a point's offset is normal @ (x, y, z), or normal @ (|x|, y, z) with `mirrored`."""
    start: float
    """Smallest offset, metres; -inf for everything below `end`."""
    end: float
    """Largest offset, metres; inf for everything above `start`."""
    colour: Triple
    mirrored: bool = False
    strength: float = 1.0
    """Opacity, in [0, 1]."""
    low: Triple = (-np.inf, -np.inf, -np.inf)
    """Lower bounds of (x, or |x| with `mirrored`; y; z) that are painted."""
    high: Triple = (np.inf, np.inf, np.inf)
    """Upper bounds, likewise."""
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
        share = strip_coverage(offset, self.start, self.end, samples.footprint) * np.float32(self.strength)
        for axis in range(3):
            if np.isfinite(self.low[axis]):
                share *= coverage(self.low[axis] - near[:, axis], samples.footprint)
            if np.isfinite(self.high[axis]):
                share *= coverage(near[:, axis] - self.high[axis], samples.footprint)
        if self.stitches:
            # Position along the seam: the axes that the normal does not point along.
            along = near @ (1 - np.abs(np.asarray(self.normal, np.float32)))
            share *= stitch_coverage(along, samples.footprint)
        blend_paint(colour, index, self.colour, share)
        return colour


@dataclass(frozen=True)
class Ribs:
    """Ribbed knit between two parallel planes: cuffs, hems and collars; planes as in `Band`."""

    normal: Triple
    start: float
    end: float
    mirrored: bool = False
    spacing: float = 0.006
    """Distance between ribs, metres."""
    depth: float = 0.22
    """How much the furrows darken the colour."""

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
        dark = np.maximum(furrow * self.depth, 0.3 * coverage(edge - 0.0012, samples.footprint))
        colour[index] *= (1 - dark)[:, None].astype(np.float32)
        return colour


@dataclass(frozen=True)
class Line:
    """A polyline projected from one side: seams, stitching, drawstrings."""

    points: tuple[Triple, ...]
    """At least two points in rest space, metres."""
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
        length_so_far = 0.0
        for a, b in pairwise(line):
            length = max(float(np.hypot(*(b - a))), 1e-6)
            t = np.clip((place - a) @ (b - a) / length, 0, length)
            distance = np.hypot(*(place - a - t[:, None] * (b - a) / length).T)
            closer = distance < nearest
            nearest[closer], along[closer] = distance[closer], t[closer] + length_so_far
            length_so_far += length
        share = strip_coverage(nearest, -self.width / 2, self.width / 2, samples.footprint)
        if self.stitches:
            share *= stitch_coverage(along, samples.footprint)
        blend_paint(colour, index, self.colour, share)
        return colour


@dataclass(frozen=True)
class Fade:
    """A soft spot with Gaussian falloff: worn knees, washed-out thighs."""

    centre: Triple
    radii: Triple
    """Along x, y, z, metres."""
    colour: Triple
    strength: float = 0.4
    mirrored: bool = False
    """On both sides of the body: distances are those of (|x|, y, z)."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Blend towards the colour with a Gaussian falloff."""
        p = np.concatenate([np.abs(samples.rest[:, :1]), samples.rest[:, 1:]], 1) if self.mirrored else samples.rest
        q = (p - np.asarray(self.centre, np.float32)) / np.asarray(self.radii, np.float32)
        far = np.einsum("ij,ij->i", q, q)
        index = np.flatnonzero(far < 9)
        blend_paint(colour, index, self.colour, np.float32(self.strength) * np.exp(-far[index]))
        return colour
