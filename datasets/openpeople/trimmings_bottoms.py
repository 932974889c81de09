"""Details of trousers, skirts and shoes: pockets, belts, seams, stripes, laces."""

from itertools import pairwise

import numpy as np

from sherf.datasets.openpeople.blank import BRASS, STEEL, Blank, Trimming
from sherf.datasets.openpeople.cloth import Detail
from sherf.datasets.openpeople.colours import Colour, colour, shade
from sherf.datasets.openpeople.details import Band, Fade, Line, Ribs, Sheet, Side
from sherf.datasets.openpeople.details_sewn import Buckle, Buttons, Laces, Patch, Pocket


def _belt(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    width = rng.uniform(0.028, 0.042)
    leather = [(0.12, 0.08, 0.06), (0.35, 0.2, 0.1), (0.06, 0.06, 0.07), (0.55, 0.38, 0.22)][rng.integers(4)]
    top = blank.upper - 0.004
    at = blank.front(0.0, top - width / 2)
    details: list[Detail] = [Band((0.0, 1.0, 0.0), top - width, top, leather)]
    return [*details, Buckle(at, STEEL if rng.random() < 0.6 else BRASS, width * 1.2, width * 1.15)]


def _sash(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return a band of another colour around the waist of a dress."""
    return [Band((0.0, 1.0, 0.0), blank.upper - rng.uniform(0.02, 0.05), blank.upper + 0.015, blank.ink(rng))]


def _jeans(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return waistband, fly, five pockets, faded thighs and knees."""
    m = blank.measures
    thread = colour(0.75, 0.5, 0.2) if rng.random() < 0.6 else blank.thread(rng)
    band = blank.upper - 0.038
    worn = shade(blank.ground, 1.5)
    details: list[Detail] = [
        Fade((0.09, m.hip_y - 0.17, 0.1), (0.05, 0.16, 0.08), worn, rng.uniform(0.0, 0.5), True),
        Fade((0.1, m.knee_y, 0.06), (0.05, 0.07, 0.06), worn, rng.uniform(0.0, 0.4), True),
    ]
    return [
        *details,
        *_waistband(blank, thread, band),
        *_slanted_pockets(blank, thread, band),
        *_seat_pockets(blank, rng),
    ]


def _waistband(blank: Blank, thread: Colour, band: float) -> list[Detail]:
    fly = tuple(blank.front(0.018, y) for y in np.linspace(band, band - 0.11, 4))
    return [
        Band((0.0, 1.0, 0.0), band - 0.001, band + 0.001, shade(blank.ground, 0.55)),
        Band((0.0, 1.0, 0.0), band + 0.004, band + 0.0055, thread, stitches=True),
        Line((*fly, blank.front(0.0, band - 0.14)), thread, stitches=True),
        Line((blank.front(0.0, band), blank.front(0.0, band - 0.15)), shade(blank.ground, 0.5), width=0.0018),
        Buttons(blank.front(0.0, blank.upper - 0.018), blank.front(0.0, blank.upper - 0.019), 1, BRASS, 0.0075, 0),
    ]


def _slanted_pockets(blank: Blank, thread: Colour, band: float) -> list[Detail]:
    wide = abs(float(blank.measures.figure.joints[1, 0])) + 0.06
    lines: list[Detail] = []
    for s in (-1, 1):
        points = tuple(
            blank.front(s * (wide * (0.62 + 0.4 * t)), band - 0.10 * t**1.7) for t in np.linspace(0.0, 1.0, 6)
        )
        lines.append(Line(points, shade(blank.ground, 0.45), width=0.003, reach=0.12))
        seam = tuple((p[0], p[1] - 0.006, p[2]) for p in points)
        lines.append(Line(seam, thread, stitches=True, reach=0.12))
    return lines


def _seat_pockets(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    m = blank.measures
    thread, y = blank.thread(rng), blank.upper - 0.13
    pockets: list[Detail] = []
    for x in (-0.085, 0.085):
        pockets.append(Pocket(Sheet(m.surface(x, y, False), "back", reach=0.1), 0.115, 0.13, thread, "pointed"))
    return pockets


def _trouser_pockets(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return waistband, fly and slanted pockets, as in chinos and suit trousers."""
    thread, band = shade(blank.ground, 0.7), blank.upper - 0.035
    return [*_waistband(blank, thread, band), *_slanted_pockets(blank, thread, band), *_seat_slits(blank, thread)]


def _seat_slits(blank: Blank, thread: Colour) -> list[Detail]:
    m, y = blank.measures, blank.upper - 0.12
    return [Pocket(Sheet(m.surface(x, y, False), "back"), 0.12, 0.008, thread, "slit") for x in (-0.085, 0.085)]


def _crease(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return the pressed crease down each leg."""
    m = blank.measures
    x, end = abs(float(m.figure.joints[1, 0])) + 0.01, abs(float(m.figure.joints[7, 0]))
    heights = np.linspace(m.hip_y - 0.12, max(blank.lower, m.ankle_y + 0.05), 8)
    lines: list[Detail] = []
    for s in (-1, 1):
        points = tuple(m.surface(s * (x + (end - x) * i / 7), float(y)) for i, y in enumerate(heights))
        lines.append(Line(points, shade(blank.ground, 1.25), width=0.002, reach=0.12))
    return lines


def _cargo_pockets(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    m, thread = blank.measures, blank.thread(rng)
    y = (m.hip_y + m.knee_y) / 2 - 0.02
    x = abs(float(m.figure.joints[1, 0])) + 0.075
    z = float(m.figure.joints[1, 2])
    sides: tuple[tuple[float, Side], ...] = ((x, "left"), (-x, "right"))
    return [Pocket(Sheet((at, y, z), side), 0.15, 0.17, thread, "flap", 0.92) for at, side in sides]


def _side_stripes(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return stripes down the outside of both legs."""
    m, ink = blank.measures, blank.ink(rng)
    count, width = int(rng.integers(1, 4)), rng.uniform(0.007, 0.016)
    outwards, heights, forwards = m.figure.joints[[7, 4, 1]].T
    # Short segments: each is projected only onto its own part of the leg.
    levels = np.linspace(blank.upper, max(blank.lower, m.ankle_y) - 0.02, 7)
    lines: list[Detail] = []
    sides: tuple[tuple[int, Side], ...] = ((1, "left"), (-1, "right"))
    for i in range(count):
        off = (i - (count - 1) / 2) * 2 * width
        for s, side in sides:
            path = [
                (s * (np.interp(y, heights, outwards) + 0.05), y, np.interp(y, heights, forwards) + off) for y in levels
            ]
            lines += [Line(ends, ink, side, width, reach=0.05) for ends in pairwise(path)]
    return lines


def _drawstring(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    ink = colour(0.93, 0.92, 0.9) if rng.random() < 0.6 else blank.ink(rng)
    y = blank.upper - 0.02
    lines: list[Detail] = [Ribs((0.0, 1.0, 0.0), blank.upper - 0.04, blank.upper + 0.1, spacing=0.012)]
    for s in (-1, 1):
        points = tuple(blank.front(s * (0.012 + 0.012 * i), y - 0.05 * i) for i in range(4))
        lines.append(Line(points, ink, width=0.006, reach=0.12))
    return lines


def _rib_ankles(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    return [Ribs((0.0, 1.0, 0.0), blank.lower - 0.2, blank.lower + 0.05)]


def _torn_knees(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    m = blank.measures
    x = abs(float(m.figure.joints[4, 0]))
    holes: list[Detail] = []
    for s in (-1, 1):
        if rng.random() < 0.6:
            sheet = Sheet(m.surface(s * x, m.knee_y + rng.uniform(-0.02, 0.03)), turn=rng.uniform(-0.2, 0.2))
            holes.append(Patch(sheet, 0.09, rng.uniform(0.02, 0.05), shade(blank.ground, 1.7), corner=0.01))
            holes.append(Patch(sheet, 0.07, 0.014, shade(blank.ground, 0.3), corner=0.007))
    return holes


def _hem_border(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return bands along the hem of a skirt."""
    ink, width = blank.ink(rng), rng.uniform(0.01, 0.04)
    y = blank.lower + rng.uniform(0.02, 0.06)
    bands: list[Detail] = [Band((0.0, 1.0, 0.0), y, y + width, ink)]
    return [*bands, Band((0.0, 1.0, 0.0), y + 1.6 * width, y + 2.0 * width, ink)]


def _skirt_buttons(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    z = blank.front(0.0, blank.upper - 0.1)[2]
    ends = (0.0, blank.upper - 0.03, z), (0.0, blank.lower + 0.05, z)
    return [
        Line(((0.017, ends[0][1], z), (0.017, blank.lower, z)), blank.thread(rng), stitches=True, reach=0.2),
        Buttons(*ends, max(int((ends[0][1] - ends[1][1]) / 0.08), 2), blank.ink(rng), 0.009),
    ]


def _tiers(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    count = int(rng.integers(2, 5))
    heights = np.linspace(blank.upper, blank.lower, count + 1)[1:-1]
    return [Band((0.0, 1.0, 0.0), float(y) - 0.002, float(y) + 0.002, shade(blank.ground, 0.55)) for y in heights]


def shoe_details(blank: Blank, rng: np.random.Generator, laced: bool, sole: Colour) -> tuple[Detail, ...]:
    """Make the details of a pair of shoes: sole, toe cap, laces and side stripes."""
    joints, floor = blank.measures.figure.joints, blank.measures.floor_y
    ball, ankle = joints[10], joints[7]
    height = rng.uniform(0.016, 0.03)
    details: list[Detail] = [
        Band((0.0, 1.0, 0.0), -np.inf, floor + height, sole),
        Band((0.0, 1.0, 0.0), floor + height, floor + height + 0.0025, shade(sole, 0.6)),
    ]
    if rng.random() < 0.4:
        cap = sole if rng.random() < 0.5 else blank.ink(rng)
        details.append(Band((0.0, 0.0, 1.0), ball[2] + 0.02, np.inf, cap, low=(-9, floor + height + 0.003, -9)))
    if laced:
        ink, tongue = blank.ink(rng), shade(blank.ground, rng.choice([0.7, 1.3]))
        length = float(ball[2] - ankle[2]) * 0.62
        for sign in (1, -1):
            at = (sign * abs(float(ball[0] + ankle[0])) / 2, ankle[1] - 0.02, (ankle[2] + ball[2]) / 2 + 0.02)
            details.append(Laces(Sheet(at, "above", reach=0.09), 0.042, length, ink, 5, tongue))
    if rng.random() < 0.4:
        ink = blank.ink(rng)
        sides: tuple[Side, ...] = ("left", "right")
        for i in range(int(rng.integers(1, 4))):
            for side in sides:
                for sign in (1, -1):
                    z = float(ankle[2] + 0.05 + 0.022 * i)
                    ends = ((sign * abs(ball[0]), ankle[1] - 0.02, z), (sign * abs(ball[0]), floor + height, z + 0.03))
                    details.append(Line(ends, ink, side, 0.009, reach=0.07))
    return tuple(details)


TRIMMINGS: dict[str, Trimming] = {
    "belt": _belt,
    "sash": _sash,
    "jeans": _jeans,
    "trouser pockets": _trouser_pockets,
    "crease": _crease,
    "cargo pockets": _cargo_pockets,
    "side stripes": _side_stripes,
    "drawstring": _drawstring,
    "rib ankles": _rib_ankles,
    "torn knees": _torn_knees,
    "hem border": _hem_border,
    "skirt buttons": _skirt_buttons,
    "tiers": _tiers,
}
