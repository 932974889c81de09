"""Build the garments of an outfit as parts, each layer clear of the ones below."""

import numpy as np
from jaxtyping import Bool

from sherf.datasets.openpeople.blank import Blank
from sherf.datasets.openpeople.body import NUM_SKIN, Figure
from sherf.datasets.openpeople.bottoms import Shoe, Skirt, Trousers, sew_shoe, sew_skirt, sew_sock, sew_trousers
from sherf.datasets.openpeople.cloth import Detail, cloth
from sherf.datasets.openpeople.collars import COLLARS, sew_collar
from sherf.datasets.openpeople.colours import Colour, colour, shade
from sherf.datasets.openpeople.details import Ribs
from sherf.datasets.openpeople.fabric import Fabric, make_fabric
from sherf.datasets.openpeople.mesh import Draft, add_rim
from sherf.datasets.openpeople.outfits import Garment, Outfit
from sherf.datasets.openpeople.panels import PanelKind, Panels
from sherf.datasets.openpeople.part import Part
from sherf.datasets.openpeople.tailoring import Measures, find_covered_skin, lift_above
from sherf.datasets.openpeople.tops import Top, sew_top
from sherf.datasets.openpeople.trimmings import make_details
from sherf.datasets.openpeople.trimmings_bottoms import shoe_details

CLEARANCE_M = 0.004
"""Distance between layers of cloth."""
COVER_MARGIN_M = 0.03
"""Skin this close to a hem is kept: it may be visible from below."""
SKIRT_MARGIN_M = 0.12
"""The same for skirts."""
SKIRT_REACH_M = 0.2
"""Skin farther from a skirt than this is kept."""


def make_garments(figure: Figure, outfit: Outfit, rng: np.random.Generator) -> list[Part]:
    """Build all garments of an outfit.

    Args:
        figure: the body shape.
        outfit: the garments' specifications.
        rng: random numbers for fabrics, details and wrinkles.

    Returns:
        The parts "socks", "shoes", "bottom", "top", "outer" and "tail", where present, with collars after their tops.
    """
    return _Tailor(figure, rng).sew(outfit)


class _Tailor:
    """Builds one person's garments, layer by layer."""

    def __init__(self, figure: Figure, rng: np.random.Generator) -> None:
        self.figure = figure
        self.measures = Measures(figure)
        self.rng = rng
        self.seed = int(rng.integers(1 << 16))
        self.parts: list[Part] = []

    def sew(self, outfit: Outfit) -> list[Part]:
        """Build all layers from the skin outwards."""
        socks = [] if outfit.socks is None else [self._socks(*outfit.socks)]
        shoes = lift_above(sew_shoe(self.figure, outfit.shoes.shape), socks, 0.002)
        bottom_fabric = self._fabric(outfit.bottom)
        shape = outfit.bottom.shape
        if isinstance(shape, Trousers):
            bottom = lift_above(sew_trousers(self.figure, shape, self.seed), socks, 0.002)
            if _worn_outside(outfit.shoes.shape, shape):
                shoes = lift_above(shoes, [bottom], CLEARANCE_M)
            else:
                bottom = lift_above(bottom, [shoes], CLEARANCE_M)
        else:
            bottom = sew_skirt(self.figure, shape, self.seed)
        top_fabric = bottom_fabric if outfit.is_dress else self._fabric(outfit.top)
        self._shoes(outfit.shoes, shoes)
        self._lower("bottom", outfit.bottom, bottom, bottom_fabric)
        top = self._upper("top", outfit.top, [bottom], top_fabric)
        if outfit.outer is not None:
            outer_fabric = self._fabric(outfit.outer)
            outer = self._upper("outer", outfit.outer, [bottom, top], outer_fabric)
            if outfit.tail is not None:
                tail = sew_skirt(self.figure, outfit.tail.shape, self.seed + 3)
                tail = lift_above(tail, [bottom, top, outer], CLEARANCE_M)
                self._lower("tail", outfit.tail, tail, outer_fabric)
        return self.parts

    def _fabric(self, garment: Garment[Top | Trousers | Skirt | Shoe]) -> Fabric:
        """Make a garment's fabric."""
        return make_fabric(garment.family, self.rng, garment.ground)

    def _socks(self, height: float, family: str, ground: Colour) -> Draft:
        """Add socks that end `height` metres above the ankle joint."""
        top = self.measures.ankle_y + height
        draft = sew_sock(self.figure, top)
        ribs = Ribs((0.0, 1.0, 0.0), top - 0.03, top + 0.1, spacing=0.005)
        hidden = find_covered_skin(self.figure, draft, 0.01)
        self._add("socks", draft, make_fabric(family, self.rng, ground), "bottom", (ribs,), hidden, 0.002)
        return draft

    def _shoes(self, garment: Garment[Shoe], draft: Draft) -> None:
        """Add shoes."""
        fabric = self._fabric(garment)
        ground = fabric.mean
        sole = colour(0.93, 0.92, 0.9) if self.rng.random() < 0.5 else shade(ground, self.rng.choice([0.45, 1.4]))
        blank = Blank(self.measures, ground, self.measures.ankle_y, self.measures.floor_y)
        details = shoe_details(blank, self.rng, garment.laced, sole)
        self._add("shoes", draft, fabric, "shoe", details, find_covered_skin(self.figure, draft, 0.012), 0.005)

    def _lower(self, name: str, garment: Garment[Trousers | Skirt], draft: Draft, fabric: Fabric) -> None:
        """Add trousers, a skirt or the lower part of a coat."""
        shape = garment.shape
        upper, lower = shape.waist, float(draft.reference[:, 1].min())
        details = make_details(garment.trims, Blank(self.measures, fabric.mean, upper, lower), self.rng)
        if isinstance(shape, Trousers):
            hidden = find_covered_skin(self.figure, draft, COVER_MARGIN_M)
            self._add(name, draft, fabric, "bottom", details, hidden, 0.006)
            return
        skin = self.figure.vertices[:NUM_SKIN]
        hidden = find_covered_skin(self.figure, draft, COVER_MARGIN_M, SKIRT_REACH_M) & (
            skin[:, 1] > lower + SKIRT_MARGIN_M
        )
        if shape.slit is not None:
            # The slit exposes the left leg.
            hidden &= (skin[:, 0] < -0.01) | (skin[:, 1] > shape.slit + SKIRT_MARGIN_M)
        if shape.opening is not None:
            hidden &= False
        self._add(name, draft, fabric, "skirt", details, hidden, 0.006)

    def _upper(self, name: str, garment: Garment[Top], under: list[Draft], fabric: Fabric) -> Draft:
        """Add a top or an outer layer, with its collar."""
        shape = garment.shape
        draft = sew_top(self.figure, shape, self.seed + len(under))
        if not shape.tucked:
            draft = lift_above(draft, under, CLEARANCE_M)
        in_front = np.abs(draft.reference[:, 0]) < (shape.opening or 0.0) + 0.02
        in_front &= draft.reference[:, 2] > self.measures.neck[2]
        upper = float(draft.reference[in_front, 1].max()) if in_front.any() else self.measures.chest_y + 0.1
        blank = Blank(self.measures, fabric.mean, upper, shape.hem, shape.sleeve, shape.opening or 0.0)
        details = make_details(garment.trims, blank, self.rng)
        self._add(name, draft, fabric, "top", details, find_covered_skin(self.figure, draft, COVER_MARGIN_M), 0.007)
        if garment.collar is not None:
            collar = sew_collar(self.measures, draft, shape.neck, COLLARS[garment.collar])
            ribbed = (Ribs((0.0, 1.0, 0.0), -9.0, 9.0),) if garment.collar in ("rib", "roll") else ()
            self._add(f"{name} collar", collar, fabric, "top", ribbed, None, 0.003)
        return draft

    def _add(
        self,
        name: str,
        draft: Draft,
        fabric: Fabric,
        kind: PanelKind,
        details: tuple[Detail, ...],
        hidden: Bool[np.ndarray, " 13380"] | None,
        rim: float,
    ) -> None:
        """Add a part made of this draft, hiding the skin under it, with rims of `rim` metres."""
        rimmed = add_rim(draft, rim)
        material = cloth(fabric, Panels(self.figure.joints, kind), details)
        weights = rimmed.weights / rimmed.weights.sum(axis=1, keepdims=True)
        self.parts.append(
            Part(name, rimmed.vertices, rimmed.faces, weights, material, rimmed.reference, is_cloth=True, covers=hidden)
        )


def _worn_outside(shoe: Shoe, trousers: Trousers) -> bool:
    """Return whether boots are worn over the trousers."""
    return shoe.height > 0.03 and trousers.flare < 0.012 and trousers.loose < 0.09
