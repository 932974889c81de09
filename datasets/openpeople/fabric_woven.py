"""Woven families: plain cloth, denim, tweeds, stripes and checks, and what shines or is quilted."""

import cv2
import numpy as np

from sherf.datasets.openpeople.colours import Colour, blend, colour, from_hsv, palette, shade
from sherf.datasets.openpeople.fabric_drawing import SIZE, antialias, grid, overlay, rows, solid_colour, stripes
from sherf.datasets.openpeople.fabric_tile import FabricDesign, Painter, Weave, smooth, twill
from sherf.datasets.openpeople.noise import periodic_noise, smoothstep

NAVY, CREAM, BLACK = colour(0.09, 0.12, 0.26), colour(0.93, 0.91, 0.86), colour(0.06, 0.06, 0.07)


def plain(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint a plain fabric of one colour."""
    return FabricDesign(solid_colour(palette(rng, 1, base)[0], 16), (0.3, 0.3))


def denim(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint denim, in any wash of indigo, black or grey: white weft shows between the diagonals of the warp."""
    dye = base
    if dye is None:
        raw = from_hsv(rng.uniform(0.58, 0.64), rng.uniform(0.35, 0.68), rng.uniform(0.2, 0.62))
        dye = raw if rng.random() < 0.8 else colour(*[rng.uniform(0.1, 0.55)] * 3)
    size = 256
    slub = periodic_noise(rng, size, (6, 90), 2) * 0.5 + periodic_noise(rng, size, (4, 4), 3) * 0.5
    wash = np.clip(0.12 + 0.16 * slub, 0, 1)
    image = overlay(solid_colour(dye, size), shade(dye, 1.75), wash)
    return FabricDesign(image, (0.28, 0.28), twill(rng, 0.16, 0.0018))


def herringbone(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint herringbone tweed: diagonals that alternate from column to column, with coloured flecks."""
    ground = (
        base if base is not None else from_hsv(rng.uniform(0.04, 0.65), rng.uniform(0.06, 0.35), rng.uniform(0.25, 0.6))
    )
    light = shade(ground, 1.55) if ground.mean() < 0.6 else shade(ground, 0.6)
    x, y = grid()
    columns, lines = 8, 32
    zigzag = np.abs((x * columns) % 2 - 1)
    phase = (zigzag * 4 + y * lines) % 1
    image = overlay(solid_colour(ground), light, smoothstep(np.abs(phase - 0.5), 0.32, 0.18))
    for _ in range(2):
        fleck = smoothstep(periodic_noise(rng, SIZE, (120, 120), 1), 0.72, 0.85)
        image = overlay(image, palette(rng, 2, ground)[1], fleck)
    width = columns * rng.uniform(0.009, 0.016)
    return FabricDesign(image, (width, width), twill(rng, 0.09, 0.0016))


def houndstooth(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint houndstooth: four dark and four light threads each way in a 2/2 twill."""
    ground, dark = palette(rng, 2, base if base is not None else (CREAM if rng.random() < 0.6 else None), 0.4)
    i, j = np.meshgrid(np.arange(8), np.arange(8))
    over = (i - j) % 4 < 2
    is_dark = np.where(over, i % 8 < 4, j % 8 < 4)
    block = cv2.resize(is_dark.astype(np.float32), (128, 128), interpolation=cv2.INTER_NEAREST)
    image = overlay(solid_colour(ground), dark, np.tile(block, (4, 4)))
    side = 4 * rng.uniform(0.014, 0.05)
    return FabricDesign(image, (side, side), twill(rng, 0.07, 0.002))


def pinstripe(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint pinstripes: thin light lines on a dark suit fabric."""
    ground = (
        base
        if base is not None
        else shade(palette(rng, 1)[0], 0.35)
        if rng.random() < 0.4
        else NAVY * rng.uniform(0.6, 1.3)
    )
    line = blend(ground.astype(np.float32), CREAM, rng.uniform(0.55, 0.85))
    gap, width = rng.uniform(0.012, 0.026), rng.uniform(0.0012, 0.0022)
    profile = stripes([(gap - width, ground), (width, line)] * 4)
    return FabricDesign(rows(profile).transpose(1, 0, 2).copy(), (4 * gap, 4 * gap), twill(rng, 0.06))


def breton(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint Breton stripes: narrow and horizontal, far apart."""
    ground, dark = (CREAM, NAVY) if base is None and rng.random() < 0.45 else palette(rng, 2, base, 0.35)
    period, duty = rng.uniform(0.016, 0.034), rng.uniform(0.28, 0.5)
    profile = stripes([(1 - duty, ground), (duty, dark)] * 4)
    return FabricDesign(rows(profile), (4 * period, 4 * period))


def wide_stripes(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint wide horizontal stripes as on rugby shirts, some with thin lines between."""
    colours = palette(rng, int(rng.integers(2, 5)), base, 0.28)
    bands: list[tuple[float, Colour]] = []
    for number, c in enumerate(colours):
        bands.append((rng.uniform(0.7, 1.3), c))
        if rng.random() < 0.35:
            bands += [(0.12, colours[number - 1]), (0.12, c)]
    period = rng.uniform(0.045, 0.085) * len(colours)
    return FabricDesign(rows(stripes(bands)), (period, period))


def vertical_stripes(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint vertical shirting stripes: even ones, or groups of thick and thin ones."""
    colours = palette(rng, 3, base, 0.3)
    if rng.random() < 0.5:
        bands = [(1.0, colours[0]), (rng.uniform(0.5, 1.0), colours[1])] * 4
    else:
        bands = [(2.0, colours[0]), (0.8, colours[1]), (0.4, colours[0]), (0.25, colours[2]), (0.4, colours[0])] * 2
    side = rng.uniform(0.05, 0.2)
    return FabricDesign(rows(stripes(bands)).transpose(1, 0, 2).copy(), (side, side))


def plaid(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint tartan: one mirrored sequence of coloured threads both ways; the twill mixes them where they cross."""
    colours = palette(rng, 4, base, 0.2)
    half = [(rng.uniform(0.8, 1.6), colours[0]), (rng.uniform(0.4, 1.0), colours[1])]
    half += [(rng.uniform(0.1, 0.2), colours[2]), (rng.uniform(0.4, 0.9), colours[0]), (0.1, colours[3])]
    line = stripes(half + half[-2:0:-1])
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    over = smoothstep(np.abs((x + y) / 4 % 1 - 0.5), 0.15, 0.35)
    image = rows(line) + (rows(line).transpose(1, 0, 2) - rows(line)) * over[..., None].astype(np.float32)
    side = rng.uniform(0.07, 0.2)
    return FabricDesign(image.astype(np.float32), (side, side), twill(rng, 0.07))


def gingham(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint gingham: checks of one colour and white, at half strength where stripes do not cross."""
    dye = base if base is not None else palette(rng, 2, CREAM, 0.4)[1]
    x, y = grid()
    across, down = ((antialias(np.abs((a * 8) % 2 - 1) - 0.5, SIZE / 8)) for a in (x, y))
    image = overlay(solid_colour(CREAM), dye, (across + down) / 2)
    side = 8 * rng.uniform(0.006, 0.02)
    return FabricDesign(image, (side, side))


def windowpane(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint windowpane checks: thin lines both ways, often doubled in a second colour."""
    ground, first, second = palette(rng, 3, base, 0.25)
    bands = [(5.0, ground), (0.25, first), (0.6, ground), (0.12 * rng.integers(0, 2) + 1e-3, second), (0.8, ground)]
    line = stripes(bands * 2)
    far = np.abs(line - ground).sum(axis=1)
    image = np.where((far[:, None] > far[None])[..., None], rows(line), rows(line).transpose(1, 0, 2))
    side = 2 * rng.uniform(0.035, 0.08)
    return FabricDesign(image.astype(np.float32), (side, side), twill(rng, 0.07))


def leather(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint grained leather: fine creases, lighter worn areas, glossy."""
    hide = base
    if hide is None:
        brown = from_hsv(rng.uniform(0.02, 0.09), rng.uniform(0.45, 0.75), rng.uniform(0.18, 0.5))
        hide = [BLACK, brown, from_hsv(rng.random(), 0.5, 0.35)][int(rng.choice(3, p=[0.45, 0.4, 0.15]))]
    worn = smoothstep(periodic_noise(rng, 256, (4, 4), 4), 0.1, 0.9)
    crease = np.abs(periodic_noise(rng, 256, (28, 28), 2))
    grain = Weave(0.86 + 0.2 * smoothstep(crease, 0.0, 0.22), (0.07, 0.07))
    return FabricDesign(overlay(solid_colour(hide, 256), shade(hide, 1.25), worn * 0.35), (0.4, 0.4), grain, 0.22, 28.0)


def satin(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint satin: smooth and glossy."""
    cloth = palette(rng, 1, base)[0]
    return FabricDesign(solid_colour(cloth, 16), (0.3, 0.3), smooth(rng), 0.34, 22.0)


def quilted(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint quilting: horizontal channels or diamonds, bright on top and dark in the seams."""
    cloth = palette(rng, 1, base)[0]
    x, y = grid()
    pucker = periodic_noise(rng, SIZE, (2, 40), 2)
    if rng.random() < 0.6:
        height, t = rng.uniform(0.06, 0.1), (y * 2) % 1
        side = 2 * height
    else:
        side = 4 * rng.uniform(0.05, 0.08)
        t = np.where(((x + y) * 4) % 1 < ((x - y) * 4) % 1, ((x + y) * 4) % 1, ((x - y) * 4) % 1)
    near_seam = np.minimum(t, 1 - t)
    relief = 1.04 - 0.4 * np.exp(-near_seam / 0.035) - 0.22 * t**2 + 0.1 * (1 - t) * (1 - np.exp(-t / 0.06))
    relief += 0.16 * pucker * np.exp(-near_seam / 0.14)
    return FabricDesign(
        solid_colour(cloth) * relief[..., None].astype(np.float32), (side, side), smooth(rng), 0.16, 16.0
    )


def lace(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint lace over a lining of skin colour or a contrasting shade: a net with scalloped flowers."""
    thread = palette(rng, 1, base)[0]
    lining = colour(0.72, 0.55, 0.45) if rng.random() < 0.4 else shade(thread, 0.35 if thread.mean() > 0.35 else 1.6)
    x, y = grid()
    fine = 24
    net = np.maximum(np.abs(np.sin(np.pi * fine * (x + y))), np.abs(np.sin(np.pi * fine * (x - y))))
    on = smoothstep(net, 0.86, 0.97)
    for a, b in ((0.25, 0.25), (0.75, 0.75)):
        dx, dy = x - a, y - b
        r, t = np.hypot(dx, dy), np.arctan2(dy, dx)
        flower = smoothstep(r - 0.19 * (0.75 + 0.25 * np.cos(8 * t)), 0.006, -0.006)
        holes = smoothstep(np.abs(r - 0.1) - 0.012 * (1 + np.cos(16 * t)), 0.004, -0.004)
        on = np.maximum(on, flower * (1 - holes) * (1 - smoothstep(r, 0.032, 0.026)))
    side = rng.uniform(0.06, 0.11)
    return FabricDesign(overlay(solid_colour(lining), thread, on), (side, side))


def sequins(rng: np.random.Generator, base: Colour | None) -> FabricDesign:
    """Paint sequins: overlapping discs, each at its own tilt."""
    cloth = palette(rng, 1, base)[0]
    x, y = grid()
    count = 16
    row = np.floor(y * count)
    column = np.floor(x * count + 0.5 * (row % 2))
    light = rng.uniform(0.45, 1.7, (count, count)) ** 1.5
    tilt = light[row.astype(int) % count, column.astype(int) % count]
    r = np.hypot((x * count + 0.5 * (row % 2)) % 1 - 0.5, (y * count) % 1 - 0.5)
    relief = tilt * (1 - 0.5 * smoothstep(r, 0.38, 0.52))
    side = count * rng.uniform(0.005, 0.008)
    return FabricDesign(
        solid_colour(cloth) * relief[..., None].astype(np.float32), (side, side), smooth(rng), 0.3, 30.0
    )


WOVEN: dict[str, Painter] = {
    "plain": plain, "denim": denim, "herringbone": herringbone, "houndstooth": houndstooth, "pinstripe": pinstripe,
    "breton": breton, "wide_stripes": wide_stripes, "vertical_stripes": vertical_stripes, "plaid": plaid,
    "gingham": gingham, "windowpane": windowpane, "leather": leather, "satin": satin, "quilted": quilted, "lace": lace,
    "sequins": sequins,
}  # fmt: skip
