"""Details of tops and jackets: prints, pockets, plackets, zips, cuffs, stripes, patches."""

import numpy as np

from sherf.datasets.openpeople.blank import BRASS, STEEL, Blank, Trimming
from sherf.datasets.openpeople.cloth import Detail
from sherf.datasets.openpeople.colours import colour, shade
from sherf.datasets.openpeople.decals import Decal, Print, emblem_print, random_print, text_print
from sherf.datasets.openpeople.details import Band, Line, Ribs, Sheet, Side, Triple
from sherf.datasets.openpeople.details_sewn import Buttons, Patch, Pocket, Zip


def _decal(image: Print, at: Triple, side: Side, width: float, most: float = 0.34, turn: float = 0.0) -> Decal:
    """Return a print of this width, reduced if it would become higher than `most`, metres."""
    ratio = image.shape[0] / image.shape[1]
    width = min(width, most / ratio)
    return Decal(image, Sheet(at, side, turn), width, width * ratio)


def _chest_print(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    image = random_print(rng, blank.inks(rng))
    y = min(blank.measures.chest_y + rng.uniform(-0.04, 0.02), blank.upper - 0.1)
    return [_decal(image, blank.front(0.0, y), "front", rng.uniform(0.14, 0.26))]


def _back_print(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    m = blank.measures
    image = random_print(rng, blank.inks(rng))
    return [_decal(image, m.surface(0.0, m.chest_y + 0.0, False), "back", rng.uniform(0.14, 0.28))]


def _number(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    m, inks = blank.measures, blank.inks(rng, 2)
    number = text_print(str(rng.integers(1, 100)), inks[0], inks[1])
    details: list[Detail] = [
        _decal(number, blank.front(0.0, m.chest_y - 0.06), "front", 0.15, 0.2),
        _decal(number, m.surface(0.0, m.chest_y - 0.08, False), "back", 0.24, 0.26),
    ]
    return details


def _small_logo(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    image = emblem_print(rng, blank.inks(rng, 2))
    return [_decal(image, blank.front(0.085, blank.measures.chest_y + 0.02), "front", rng.uniform(0.035, 0.06))]


def _chest_pocket(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    at = blank.front(0.085, blank.measures.chest_y + 0.0)
    shape = rng.choice(["square", "round", "pointed", "flap"])
    return [Pocket(Sheet(at), 0.095, 0.11, blank.thread(rng), shape, rng.uniform(0.85, 1.05))]


def _two_chest_pockets(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    thread, shape = blank.thread(rng), rng.choice(["flap", "pointed"])
    y = blank.measures.chest_y + 0.0
    return [Pocket(Sheet(blank.front(x, y)), 0.1, 0.115, thread, shape) for x in (-0.09, 0.09)]


def _placket(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return a buttoned strip down the whole front."""
    top, bottom = blank.upper - 0.012, blank.lower + 0.03
    middle = (top + bottom) / 2
    button = blank.ink(rng) if rng.random() < 0.5 else colour(0.92, 0.9, 0.86)
    strip = shade(blank.ground, rng.choice([0.93, 1.08]))
    count = max(int((top - bottom) / 0.085), 2)
    sheet = Sheet((0.0, middle, blank.front(0.0, middle)[2]), reach=0.12)
    return [
        Patch(sheet, 0.034, top - bottom + 0.06, strip, 0.8, thread=blank.thread(rng)),
        Buttons(blank.front(0.0, top), blank.front(0.0, bottom), count, button),
    ]


def _short_placket(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    top, bottom = blank.upper, blank.upper - 0.13
    middle = (top + bottom) / 2
    strip = shade(blank.ground, rng.choice([0.85, 1.12]))
    button = colour(0.92, 0.9, 0.86) if rng.random() < 0.5 else blank.ink(rng)
    return [
        Patch(Sheet(blank.front(0.0, middle)), 0.032, top - bottom, strip, 0.9, thread=blank.thread(rng)),
        Buttons(blank.front(0.0, top - 0.012), blank.front(0.0, bottom + 0.03), int(rng.integers(2, 4)), button),
    ]


def _front_zip(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    teeth = STEEL if rng.random() < 0.7 else BRASS
    tape = shade(blank.ground, 0.5)
    return [Zip(blank.front(0.0, blank.upper + 0.005), blank.front(0.0, blank.lower + 0.005), tape, teeth, reach=0.14)]


def _kangaroo(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    y = blank.lower + 0.13
    sheet = Sheet(blank.front(0.0, y), reach=0.12)
    return [Pocket(sheet, 0.26, 0.15, blank.thread(rng), "round", rng.uniform(0.9, 1.0))]


def _strings(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    ink = colour(0.93, 0.92, 0.9) if rng.random() < 0.6 else blank.ink(rng)
    top, length = blank.upper - 0.01, rng.uniform(0.1, 0.18)
    lines: list[Detail] = []
    for x in (-0.028, 0.028):
        points = tuple(blank.front(x * (1 + 0.15 * i), top - length * i / 3) for i in range(4))
        lines.append(Line(points, ink, width=0.007))
    return lines


def _rib_hems(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    details: list[Detail] = [Ribs((0.0, 1.0, 0.0), blank.lower - 1.0, blank.lower + rng.uniform(0.04, 0.065))]
    if blank.sleeve > 0.9:
        details.append(Ribs((1.0, 0.0, 0.0), blank.cuff - 0.05, blank.cuff + 0.1, mirrored=True))
    return details


def _cuffs(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return stitched hems: a line of thread along each edge."""
    thread = blank.thread(rng)
    details: list[Detail] = [Band((0.0, 1.0, 0.0), blank.lower + 0.02, blank.lower + 0.0215, thread, stitches=True)]
    if blank.sleeve > 0:
        details.append(
            Band((1.0, 0.0, 0.0), blank.cuff - 0.022, blank.cuff - 0.0205, thread, mirrored=True, stitches=True)
        )
    return details


def _contrast_cuffs(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    ink, size = blank.ink(rng), rng.uniform(0.012, 0.05)
    details: list[Detail] = [Band((1.0, 0.0, 0.0), blank.cuff - size, np.inf, ink, mirrored=True)]
    if rng.random() < 0.5:
        details.append(Band((0.0, 1.0, 0.0), -np.inf, blank.lower + size, ink))
    return details


def _sleeve_colour(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return sleeves of another colour, set in at the shoulder."""
    return [Band((1.0, 0.0, 0.0), 1.02 * blank.measures.shoulder_x, np.inf, blank.ink(rng), mirrored=True,
                 low=(0.0, blank.measures.chest_y + 0.02, -1.0))]  # fmt: skip


def _sleeve_stripes(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    ink, count, width = blank.ink(rng), int(rng.integers(1, 4)), rng.uniform(0.008, 0.02)
    start = blank.measures.shoulder_x + (blank.cuff - blank.measures.shoulder_x) * rng.uniform(0.3, 0.75)
    return [
        Band((1.0, 0.0, 0.0), start + 2 * i * width, start + (2 * i + 1) * width, ink, mirrored=True)
        for i in range(count)
    ]


def _chest_band(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    ink, width = blank.ink(rng), rng.uniform(0.04, 0.14)
    middle = blank.measures.chest_y + rng.uniform(-0.1, 0.02)
    return [Band((0.0, 1.0, 0.0), middle - width / 2, middle + width / 2, ink)]


def _yoke(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    m, thread = blank.measures, blank.thread(rng)
    y = m.chest_y + 0.07
    x = 0.9 * m.shoulder_x
    lines: list[Detail] = []
    for front in (True, False):
        points = tuple(m.surface(float(v), y, front) for v in np.linspace(-x, x, 7))
        lines.append(Line(points, thread, "front" if front else "back", 0.002, stitches=True))
    return lines


def _welt_pockets(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    y, thread = blank.lower + 0.1, blank.thread(rng)
    x = max(0.11, blank.gap + 0.05)
    turn = rng.uniform(0.0, 0.5)
    return [
        Pocket(Sheet(blank.front(s * x, y), turn=s * turn, reach=0.12), 0.12, 0.012, thread, "slit") for s in (-1, 1)
    ]


def _flap_pockets(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    y, thread = blank.lower + 0.12, blank.thread(rng)
    x = max(0.12, blank.gap + 0.07)
    return [Pocket(Sheet(blank.front(s * x, y), reach=0.12), 0.13, 0.12, thread, "flap") for s in (-1, 1)]


def _elbow_patches(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    elbow = blank.measures.figure.joints[18]
    paint, thread = blank.ink(rng), blank.thread(rng)
    patches: list[Detail] = []
    for sign in (1.0, -1.0):
        sheet = Sheet((sign * elbow[0], elbow[1], elbow[2] - 0.04), "back", np.pi / 2)
        patches.append(Patch(sheet, 0.09, 0.13, paint, corner=0.04, thread=thread))
    return patches


def _quilting(blank: Blank, rng: np.random.Generator) -> list[Detail]:
    """Return evenly spaced horizontal seams, as in puffer jackets."""
    step = rng.uniform(0.045, 0.08)
    heights = np.arange(blank.lower + step, blank.measures.shoulder_y + 0.03, step)
    seams: list[Detail] = [Band((0.0, 1.0, 0.0), y - 0.0025, y + 0.0025, shade(blank.ground, 0.6)) for y in heights]
    if blank.sleeve > 0:
        across = np.arange(blank.measures.shoulder_x + 0.02, blank.cuff, step)
        seams += [
            Band((1.0, 0.0, 0.0), x - 0.0025, x + 0.0025, shade(blank.ground, 0.6), mirrored=True) for x in across
        ]
    return seams


TRIMMINGS: dict[str, Trimming] = {
    "chest print": _chest_print,
    "back print": _back_print,
    "number": _number,
    "small logo": _small_logo,
    "chest pocket": _chest_pocket,
    "two chest pockets": _two_chest_pockets,
    "placket": _placket,
    "short placket": _short_placket,
    "front zip": _front_zip,
    "kangaroo": _kangaroo,
    "strings": _strings,
    "rib hems": _rib_hems,
    "cuffs": _cuffs,
    "contrast cuffs": _contrast_cuffs,
    "sleeve colour": _sleeve_colour,
    "sleeve stripes": _sleeve_stripes,
    "chest band": _chest_band,
    "yoke": _yoke,
    "welt pockets": _welt_pockets,
    "flap pockets": _flap_pockets,
    "elbow patches": _elbow_patches,
    "quilting": _quilting,
}
