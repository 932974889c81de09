"""What hangs in the wardrobe: cuts of garments by name, the fabrics that each is made of, and who may wear them.

Some fabric families and some cuts are for the people of the test split only: nobody in training wears them.
"""

from dataclasses import dataclass
from typing import Literal

from sherf.datasets.openpeople.fabric import FAMILIES

Range = tuple[float, float]
Wearer = Literal["any", "feminine", "masculine"]

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
"""Groups of families; one that is named twice is worn twice as often."""


@dataclass(frozen=True)
class TopCut:
    """Ranges that a top's measures are drawn from, metres and shares as in `tops.Top`."""

    fabric: str
    """Group of fabrics."""
    sleeve: Range
    hem: Range
    """How far below the waist's joint, metres."""
    loose: Range
    necks: tuple[str, ...]
    collar: str | None = None
    trims: tuple[str, ...] = ("cuffs",)
    sleeve_loose: float = 0.12
    thickness: float = 0.008
    fold: float = 0.006
    opening: Range | None = None
    gathered: bool = False
    tail: Range | None = None
    """Height of a coat's lower edge above the knee's joint, metres."""
    worn_by: Wearer = "any"
    is_test: bool = False


@dataclass(frozen=True)
class LegCut:
    """Ranges that the measures of trousers are drawn from."""

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
    """Ranges that the measures of skirts are drawn from."""

    fabric: str
    length: Range
    """Share of the way from hip to ankle."""
    flare: Range
    pleats: tuple[int, int] = (8, 15)
    pleat: float = 0.014
    trims: tuple[str, ...] = ()
    slit: bool = False
    is_test: bool = False


@dataclass(frozen=True)
class DressCut:
    """A dress: a bodice and a skirt of one cloth."""

    bodice: TopCut
    skirt: SkirtCut
    is_test: bool = False


@dataclass(frozen=True)
class ShoeCut:
    """Ranges that the measures of shoes are drawn from."""

    height: Range
    """Of the edge above the ankle's joint, metres."""
    sole: Range
    laced: bool = False
    low_front: float = 0.0
    shaft: float = 0.0
    socks: bool = True
    worn_by: Wearer = "any"
    is_test: bool = False


def families(group: str, is_test: bool) -> tuple[str, ...]:
    """The fabric families of a group that this split wears."""
    return tuple(name for name in FABRICS[group] if (name in TEST_FAMILIES) == is_test)


assert all(name in FAMILIES for names in FABRICS.values() for name in names)
