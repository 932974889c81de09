"""Sew an outfit: every garment as a part with its cloth, each layer clear of the one under it."""

import numpy as np

from sherf.datasets.openpeople.blank import Blank
from sherf.datasets.openpeople.body import NUM_SKIN, Figure
from sherf.datasets.openpeople.bottoms import Shoe, Skirt, Trousers, sew_shoe, sew_skirt, sew_sock, sew_trousers
from sherf.datasets.openpeople.cloth import Detail, cloth
from sherf.datasets.openpeople.collars import COLLARS, sew_collar
from sherf.datasets.openpeople.colours import Colour, colour, shade
from sherf.datasets.openpeople.details import Ribs
from sherf.datasets.openpeople.fabric import Fabric, make_fabric
from sherf.datasets.openpeople.mesh import Draft, with_rim
from sherf.datasets.openpeople.outfits import Garment, Outfit
from sherf.datasets.openpeople.panels import PanelKind, Panels
from sherf.datasets.openpeople.part import Part
from sherf.datasets.openpeople.tailoring import Measures, covered, lifted
from sherf.datasets.openpeople.tops import Top, sew_top
from sherf.datasets.openpeople.trimmings import trim
from sherf.datasets.openpeople.trimmings_bottoms import shoe_details

CLEARANCE_M = 0.004
"""Between layers of cloth."""
COVER_MARGIN_M = 0.03
"""Skin this near to a hem is kept: it may be seen from below."""
SKIRT_MARGIN_M = 0.12
SKIRT_REACH_M = 0.2


def make_garments(figure: Figure, outfit: Outfit, rng: np.random.Generator) -> list[Part]:
    """Sew all garments of an outfit, from the skin outwards. Names: socks, shoes, bottom, top, outer, tail."""
    return _Tailor(figure, rng).sew(outfit)


class _Tailor:
    """One person's garments while they are being made."""

    def __init__(self, figure: Figure, rng: np.random.Generator) -> None:
        self.figure = figure
        self.measures = Measures(figure)
        self.rng = rng
        self.seed = int(rng.integers(1 << 16))
        self.parts: list[Part] = []

    def sew(self, outfit: Outfit) -> list[Part]:
        assert isinstance(outfit.shoes.shape, Shoe)
        socks = [] if outfit.socks is None else [self._socks(*outfit.socks)]
        shoes = lifted(sew_shoe(self.figure, outfit.shoes.shape), socks, 0.002)
        bottom_fabric = self._fabric(outfit.bottom)
        shape = outfit.bottom.shape
        if isinstance(shape, Trousers):
            bottom = lifted(sew_trousers(self.figure, shape, self.seed), socks, 0.002)
            if _worn_outside(outfit.shoes.shape, shape):
                shoes = lifted(shoes, [bottom], CLEARANCE_M)
            else:
                bottom = lifted(bottom, [shoes], CLEARANCE_M)
        else:
            assert isinstance(shape, Skirt)
            bottom = sew_skirt(self.figure, shape, self.seed)
        top_fabric = bottom_fabric if outfit.is_dress else self._fabric(outfit.top)
        self._shoes(outfit.shoes, shoes)
        self._lower("bottom", outfit.bottom, bottom, bottom_fabric)
        top = self._upper("top", outfit.top, [bottom], top_fabric)
        if outfit.outer is not None:
            outer_fabric = self._fabric(outfit.outer)
            outer = self._upper("outer", outfit.outer, [bottom, top], outer_fabric)
            if outfit.tail is not None:
                assert isinstance(outfit.tail.shape, Skirt)
                tail = sew_skirt(self.figure, outfit.tail.shape, self.seed + 3)
                tail = lifted(tail, [bottom, top, outer], CLEARANCE_M)
                self._lower("tail", outfit.tail, tail, outer_fabric)
        return self.parts

    def _fabric(self, garment: Garment) -> Fabric:
        return make_fabric(garment.family, self.rng, garment.ground)

    def _socks(self, height: float, family: str, ground: Colour) -> Draft:
        top = self.measures.ankle_y + height
        draft = sew_sock(self.figure, top)
        ribs = Ribs((0.0, 1.0, 0.0), top - 0.03, top + 0.1, spacing=0.005)
        hidden = covered(self.figure, draft, 0.01)
        self._add("socks", draft, make_fabric(family, self.rng, ground), "bottom", (ribs,), hidden, 0.002)
        return draft

    def _shoes(self, garment: Garment, draft: Draft) -> None:
        fabric = self._fabric(garment)
        ground = fabric.mean
        sole = colour(0.93, 0.92, 0.9) if self.rng.random() < 0.5 else shade(ground, self.rng.choice([0.45, 1.4]))
        blank = Blank(self.measures, ground, self.measures.ankle_y, self.measures.floor_y)
        details = shoe_details(blank, self.rng, garment.laced, sole)
        self._add("shoes", draft, fabric, "shoe", details, covered(self.figure, draft, 0.012), 0.005)

    def _lower(self, name: str, garment: Garment, draft: Draft, fabric: Fabric) -> None:
        """Trousers, skirts, coat tails."""
        shape = garment.shape
        assert isinstance(shape, Trousers | Skirt)
        upper, lower = shape.waist, float(draft.chart[:, 1].min())
        details = trim(garment.trims, Blank(self.measures, fabric.mean, upper, lower), self.rng)
        if isinstance(shape, Trousers):
            hidden = covered(self.figure, draft, COVER_MARGIN_M)
            self._add(name, draft, fabric, "bottom", details, hidden, 0.006)
            return
        skin = self.figure.vertices[:NUM_SKIN]
        hidden = covered(self.figure, draft, COVER_MARGIN_M, SKIRT_REACH_M) & (skin[:, 1] > lower + SKIRT_MARGIN_M)
        if shape.slit is not None:
            # The slit shows the left leg.
            hidden &= (skin[:, 0] < -0.01) | (skin[:, 1] > shape.slit + SKIRT_MARGIN_M)
        if shape.opening is not None:
            hidden &= False
        self._add(name, draft, fabric, "skirt", details, hidden, 0.006)

    def _upper(self, name: str, garment: Garment, under: list[Draft], fabric: Fabric) -> Draft:
        """Tops and jackets, with their collars."""
        shape = garment.shape
        assert isinstance(shape, Top)
        draft = sew_top(self.figure, shape, self.seed + len(under))
        if not shape.tucked:
            draft = lifted(draft, under, CLEARANCE_M)
        in_front = np.abs(draft.chart[:, 0]) < (shape.opening or 0.0) + 0.02
        in_front &= draft.chart[:, 2] > self.measures.neck[2]
        upper = float(draft.chart[in_front, 1].max()) if in_front.any() else self.measures.chest_y + 0.1
        blank = Blank(self.measures, fabric.mean, upper, shape.hem, shape.sleeve, shape.opening or 0.0)
        details = trim(garment.trims, blank, self.rng)
        self._add(name, draft, fabric, "top", details, covered(self.figure, draft, COVER_MARGIN_M), 0.007)
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
        hidden: np.ndarray | None,
        rim: float,
    ) -> None:
        rimmed = with_rim(draft, rim)
        material = cloth(fabric, Panels(self.figure.joints, kind), details)
        weights = rimmed.weights / rimmed.weights.sum(axis=1, keepdims=True)
        self.parts.append(
            Part(name, rimmed.vertices, rimmed.faces, weights, material, rimmed.chart, is_cloth=True, covers=hidden)
        )


def _worn_outside(shoe: Shoe, trousers: Trousers) -> bool:
    """Whether boots go over the trousers and not under them."""
    return shoe.height > 0.03 and trousers.flare < 0.012 and trousers.loose < 0.09
