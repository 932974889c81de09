"""Outfits: garments drawn from the wardrobe, with all dimensions, fabrics and colours."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from sherf.datasets.openpeople.bottoms import Shoe, Skirt, Trousers
from sherf.datasets.openpeople.colours import Colour, colour, palette, random_colour
from sherf.datasets.openpeople.cuts_bottoms import DRESSES, LEGS, SHOES, SKIRTS
from sherf.datasets.openpeople.cuts_tops import OUTERS, TOPS
from sherf.datasets.openpeople.tailoring import Measures
from sherf.datasets.openpeople.tops import NECKS, Top
from sherf.datasets.openpeople.wardrobe import DressCut, LegCut, Range, ShoeCut, SkirtCut, TopCut, Wearer, families

OUTER_SHARE = 0.3
"""Share of people with an outer layer, before tops that are too bulky or hooded are excluded."""
DRESS_SHARE, SKIRT_SHARE = 0.28, 0.2
"""Shares of the people who wear the feminine wardrobe."""
TUCKED_SHARE = 0.2
"""Share of people in trousers whose top is tucked in."""
Shape_co = TypeVar("Shape_co", bound=Top | Trousers | Skirt | Shoe, covariant=True)


@dataclass(frozen=True)
class Garment(Generic[Shape_co]):
    """The specification of one garment."""

    cut: str
    """Name of the cut in the wardrobe."""
    shape: Shape_co
    """Its dimensions."""
    family: str
    """Fabric family."""
    ground: Colour | None
    """Fabric colour; None leaves it to the family."""
    trims: tuple[str, ...]
    """Names of trimmings."""
    collar: str | None = None
    """A key of `collars.COLLARS`."""
    laced: bool = False
    """Shoes with laces."""


@dataclass(frozen=True)
class Outfit:
    """All garments, from the skin outwards."""

    bottom: Garment[Trousers | Skirt]
    top: Garment[Top]
    outer: Garment[Top] | None
    tail: Garment[Skirt] | None
    """The lower part of a coat."""
    shoes: Garment[Shoe]
    socks: tuple[float, str, Colour] | None
    """Height above the ankle joint in metres, fabric family, colour."""
    is_dress: bool
    """Whether top and bottom are one piece of the same cloth."""

    @property
    def garments(self) -> tuple[Garment[Top | Trousers | Skirt | Shoe], ...]:
        """All garments with a cut; socks have none."""
        return tuple(g for g in (self.bottom, self.top, self.outer, self.tail, self.shoes) if g is not None)


AnyCut = TypeVar("AnyCut", TopCut, LegCut, SkirtCut, DressCut, ShoeCut)


def choose_cut(rng: np.random.Generator, cuts: dict[str, AnyCut], wearer: Wearer, is_test: bool) -> str:
    """Draw the name of a cut available to this wearer in the training or the test wardrobe."""
    names = [
        name
        for name, cut in cuts.items()
        if cut.is_test == is_test and getattr(cut, "worn_by", "any") in ("any", wearer)
    ]
    return str(rng.choice(names))


def draw_outfit(rng: np.random.Generator, measures: Measures, wearer: Wearer, is_test: bool) -> Outfit:
    """Draw an outfit.

    Args:
        rng: random numbers.
        measures: the wearer's measurements.
        wearer: whose wardrobe to draw from.
        is_test: whether to draw from the wardrobe of the test split.

    Returns:
        The outfit.
    """
    waist = measures.waist_y + rng.uniform(-0.035, 0.015)
    kind = rng.random() if wearer == "feminine" else 1.0
    bare_legs = False
    bottom: Garment[Trousers | Skirt]
    if kind < DRESS_SHARE:
        name = choose_cut(rng, DRESSES, wearer, is_test)
        dress = DRESSES[name]
        skirt = _skirt(rng, measures, name, dress.skirt, measures.waist_y - 0.03, is_test)
        top = _top(rng, measures, name, dress.bodice, is_test)
        shape = replace(top.shape, hem=measures.waist_y - 0.075, tucked=True, fold=0.003)
        top = replace(top, shape=shape, family=skirt.family, ground=skirt.ground)
        bottom, bare_legs = skirt, True
    else:
        top = _top(rng, measures, (name := choose_cut(rng, TOPS, wearer, is_test)), TOPS[name], is_test)
        if kind < DRESS_SHARE + SKIRT_SHARE:
            name = choose_cut(rng, SKIRTS, wearer, is_test)
            bottom = _skirt(rng, measures, name, SKIRTS[name], waist - 0.01, is_test)
            top, bare_legs = _tuck(top, bottom), True
        else:
            name = choose_cut(rng, LEGS, wearer, is_test)
            bottom = _legs(rng, name, LEGS[name], waist, is_test)
            if rng.random() < TUCKED_SHARE:
                top = _tuck(top, bottom)
    outer: Garment[Top] | None = None
    tail: Garment[Skirt] | None = None
    if rng.random() < OUTER_SHARE and top.collar not in ("hood", "roll") and not _is_bulky(top):
        name = choose_cut(rng, OUTERS, wearer, is_test)
        cut = OUTERS[name]
        outer = _top(rng, measures, name, cut, is_test)
        if cut.tail is not None:
            tail = _tail(rng, measures, outer, cut.tail)
    if top.shape.sleeve > 0.9 and outer is not None:
        # Sleeves must not stick out of the outer layer's sleeves.
        top = replace(top, shape=replace(top.shape, sleeve=0.93, sleeve_loose=0.04, fold=0.003))
    shoes = _shoes(rng, wearer, is_test)
    return Outfit(bottom, top, outer, tail, shoes, _socks(rng, shoes, bare_legs, is_test), kind < DRESS_SHARE)


def _is_bulky(top: Garment[Top]) -> bool:
    """Return whether a top is too wide or thick to wear under another layer."""
    return top.shape.loose > 0.1 or top.shape.thickness > 0.01


def _draw(rng: np.random.Generator, limits: Range) -> float:
    """Draw a number from a range."""
    return float(rng.uniform(*limits))


def _cloth(rng: np.random.Generator, group: str, is_test: bool) -> tuple[str, Colour | None]:
    """Draw a fabric family, and a colour unless the family has characteristic ones."""
    family = str(rng.choice(families(group, is_test)))
    has_own_colours = family in ("denim", "leopard", "zebra", "snake", "galaxy", "marble", "camouflage")
    return family, None if has_own_colours else random_colour(rng)


def _top(rng: np.random.Generator, measures: Measures, name: str, cut: TopCut, is_test: bool) -> Garment[Top]:
    """Draw a top of this cut."""
    neck = NECKS[str(rng.choice(cut.necks))]
    opening = None if cut.opening is None else _draw(rng, cut.opening)
    shape = Top(
        _draw(rng, cut.sleeve), measures.waist_y - _draw(rng, cut.hem), _draw(rng, cut.loose), neck,
        cut.sleeve_loose * rng.uniform(0.6, 1.2), cut.thickness, cut.fold, opening, False, cut.gathered,
    )  # fmt: skip
    collar = None if cut.collar == "rib" and neck.shape != "round" else cut.collar
    return Garment(name, shape, *_cloth(rng, cut.fabric, is_test), cut.trims, collar)


def _tuck(top: Garment[Top], bottom: Garment[Trousers | Skirt]) -> Garment[Top]:
    """Tuck a top into the waistband, if it is thin and short enough."""
    if top.shape.gathered or top.shape.hem > bottom.shape.waist - 0.03 or top.shape.thickness > 0.01:
        return top
    shape = replace(top.shape, hem=bottom.shape.waist - 0.04, tucked=True, loose=min(top.shape.loose, 0.07))
    return replace(top, shape=shape, trims=tuple(t for t in top.trims if not t.startswith(("cuffs", "rib hems"))))


def _legs(rng: np.random.Generator, name: str, cut: LegCut, waist: float, is_test: bool) -> Garment[Trousers]:
    """Draw trousers of this cut."""
    shape = Trousers(
        _draw(rng, cut.length), waist, _draw(rng, cut.loose), _draw(rng, cut.flare), cut.thickness, cut.fold,
        cut.gathered,
    )  # fmt: skip
    return Garment(name, shape, *_cloth(rng, cut.fabric, is_test), cut.trims)


def _skirt(
    rng: np.random.Generator, measures: Measures, name: str, cut: SkirtCut, waist: float, is_test: bool
) -> Garment[Skirt]:
    """Draw a skirt of this cut."""
    hem = measures.hip_y + (measures.ankle_y - measures.hip_y) * _draw(rng, cut.length)
    slit = (measures.hip_y + measures.knee_y) / 2 - rng.uniform(0, 0.2) if cut.slit and rng.random() < 0.4 else None
    shape = Skirt(hem, waist, _draw(rng, cut.flare), int(rng.integers(*cut.pleats)), cut.pleat, slit=slit)
    return Garment(name, shape, *_cloth(rng, cut.fabric, is_test), cut.trims)


def _tail(rng: np.random.Generator, measures: Measures, outer: Garment[Top], length: Range) -> Garment[Skirt]:
    """Draw the lower part of a coat."""
    gap = outer.shape.opening
    shape = Skirt(
        measures.knee_y + _draw(rng, length), measures.waist_y, rng.uniform(0.05, 0.2), 8, 0.006, 0.022,
        None if gap is None else gap * 1.1,
    )  # fmt: skip
    trims = ("skirt buttons",) if gap is None else ()
    return Garment(outer.cut, shape, outer.family, outer.ground, trims)


def _shoes(rng: np.random.Generator, wearer: Wearer, is_test: bool) -> Garment[Shoe]:
    """Draw a pair of shoes."""
    name = choose_cut(rng, SHOES, wearer, is_test)
    cut = SHOES[name]
    shape = Shoe(_draw(rng, cut.height), _draw(rng, cut.sole), cut.low_front, shaft=cut.shaft)
    family, _ = _cloth(rng, "shoe", is_test)
    shade = rng.choice(["dark", "white", "brown", "any"], p=[0.35, 0.25, 0.15, 0.25])
    ground = {
        "dark": colour(*[rng.uniform(0.05, 0.16)] * 3),
        "white": colour(0.92, 0.91, 0.89),
        "brown": colour(0.35, 0.2, 0.1),
        "any": random_colour(rng),
    }[str(shade)]
    return Garment(name, shape, family, ground, (), laced=cut.laced)


def _socks(
    rng: np.random.Generator, shoes: Garment[Shoe], bare_legs: bool, is_test: bool
) -> tuple[float, str, Colour] | None:
    """Draw socks that suit the shoes; None for bare ankles."""
    if not SHOES[shoes.cut].socks or (bare_legs and rng.random() < 0.6):
        return None
    height = float(rng.choice([0.05, 0.1, 0.22])) * rng.uniform(0.8, 1.2)
    plain = rng.random() < 0.6
    ground = colour(*[rng.choice([0.08, 0.93])] * 3) if plain else palette(rng, 1)[0]
    pool = ("heather", "chevron", "stars") if is_test else ("rib_knit", "plain", "wide_stripes", "argyle", "dots")
    family = pool[0] if plain else str(rng.choice(pool))
    return height, family, ground
