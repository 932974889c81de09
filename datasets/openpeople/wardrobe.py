"""The wardrobe: types of garment cuts, and groups of fabric families.

Some fabric families and some cuts are reserved for people of the test split.
"""

from dataclasses import dataclass
from typing import Literal

from sherf.datasets.openpeople.fabric import FAMILIES

Range = tuple[float, float]
"""Lower and upper bound of a uniform distribution."""
Wearer = Literal["any", "feminine", "masculine"]
"""Whose wardrobe a cut belongs to."""

TEST_FAMILIES = frozenset(
    {
        "heather", "herringbone", "windowpane", "gingham", "vertical_stripes", "chevron", "floral_large", "ikat",
        "snake", "marble", "stars", "satin", "cable_knit", "corduroy", "triangles",
    }
)  # fmt: skip
FABRICS: dict[str, tuple[str, ...]] = {
    "jersey": (
        "plain", "plain", "plain", "plain", "breton", "wide_stripes", "marled", "brushed", "dots", "camouflage",
        "colour_block", "tie_dye", "gradient", "splatter", "galaxy", "leopard", "letters", "hearts", "checkerboard",
        "confetti", "heather", "stars", "chevron", "vertical_stripes",
    ),
    "shirting": (
        "plain", "plain", "plain", "pinstripe", "plaid", "plaid", "dots", "floral_small", "paisley", "dashes",
        "tropical", "gingham", "windowpane", "satin", "vertical_stripes",
    ),
    "knit": (
        "plain", "rib_knit", "rib_knit", "fair_isle", "argyle", "marled", "wide_stripes", "breton", "cable_knit",
        "chevron", "heather",
    ),
    "denim": ("denim", "corduroy"),
    "trousers": (
        "plain", "plain", "plain", "pinstripe", "houndstooth", "plaid", "herringbone", "windowpane",
        "corduroy",
    ),
    "suiting": ("plain", "plain", "pinstripe", "houndstooth", "plaid", "herringbone", "windowpane"),
    "sport": ("plain", "plain", "fleece", "marled", "camouflage", "colour_block", "mesh", "heather", "chevron"),
    "jacket": ("plain", "leather", "leather", "camouflage", "denim", "fleece", "corduroy", "satin", "snake"),
    "quilted": ("quilted", "plain", "camouflage", "satin", "heather"),
    "dress": (
        "plain", "plain", "floral_small", "dots", "leopard", "gradient", "lace", "zebra", "sequins", "paisley",
        "tribal", "hexagons", "tropical", "checkerboard", "floral_large", "ikat", "marble", "triangles", "satin",
        "gingham",
    ),
    "leggings": ("plain", "plain", "camouflage", "leopard", "galaxy", "gradient", "marble", "heather", "triangles"),
    "shoe": ("leather", "plain", "brushed", "leather", "snake", "corduroy", "satin"),
}  # fmt: skip
"""Groups of fabric families; families listed twice are drawn twice as often."""


@dataclass(frozen=True)
class TopCut:
    """Ranges of a top's dimensions, with units as in `tops.Top`."""

    fabric: str
    """A key of `FABRICS`."""
    sleeve: Range
    hem: Range
    """Distance of the hem below the lower spine joint, metres."""
    loose: Range
    necks: tuple[str, ...]
    """Keys of `tops.NECKS`."""
    collar: str | None = None
    """A key of `collars.COLLARS`."""
    trims: tuple[str, ...] = ("cuffs",)
    """Keys of `trimmings.TRIMMINGS`; with a trailing "?" they are used half of the time."""
    sleeve_loose: float = 0.12
    thickness: float = 0.008
    fold: float = 0.006
    opening: Range | None = None
    gathered: bool = False
    tail: Range | None = None
    """Height of a coat's lower edge above the knee joint, metres; None for no lower part."""
    worn_by: Wearer = "any"
    is_test: bool = False
    """Whether only people of the test split wear it."""


@dataclass(frozen=True)
class LegCut:
    """Ranges of the dimensions of trousers, with units as in `bottoms.Trousers`."""

    fabric: str
    length: Range
    loose: Range
    flare: Range = (0.0, 0.0)
    trims: tuple[str, ...] = ()
    thickness: float = 0.005
    fold: float = 0.006
    gathered: bool = False
    worn_by: Wearer = "any"
    is_test: bool = False


@dataclass(frozen=True)
class SkirtCut:
    """Ranges of the dimensions of skirts, with units as in `bottoms.Skirt`."""

    fabric: str
    length: Range
    """Length as a share of the distance from hip to ankle."""
    flare: Range
    pleats: tuple[int, int] = (8, 15)
    pleat: float = 0.014
    trims: tuple[str, ...] = ()
    slit: bool = False
    is_test: bool = False


@dataclass(frozen=True)
class DressCut:
    """A dress: a bodice and a skirt of the same cloth."""

    bodice: TopCut
    skirt: SkirtCut
    is_test: bool = False


@dataclass(frozen=True)
class ShoeCut:
    """Ranges of the dimensions of shoes, with units as in `bottoms.Shoe`."""

    height: Range
    """Height of the edge above the ankle joint, metres."""
    sole: Range
    laced: bool = False
    low_front: float = 0.0
    shaft: float = 0.0
    socks: bool = True
    worn_by: Wearer = "any"
    is_test: bool = False


def families(group: str, is_test: bool) -> tuple[str, ...]:
    """Return the fabric families of a group that the training or the test split wears."""
    return tuple(name for name in FABRICS[group] if (name in TEST_FAMILIES) == is_test)


assert all(name in FAMILIES for names in FABRICS.values() for name in names)
