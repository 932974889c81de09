"""A garment that waits for its details: where it begins and ends, its colour, and inks that stand out from it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sherf.datasets.openpeople.cloth import Detail
from sherf.datasets.openpeople.colours import Colour, palette, shade
from sherf.datasets.openpeople.details import Triple
from sherf.datasets.openpeople.tailoring import Measures

BRASS, STEEL = (0.72, 0.55, 0.25), (0.72, 0.73, 0.75)


@dataclass(frozen=True)
class Blank:
    """A garment that waits for its details."""

    measures: Measures
    ground: Colour
    """The fabric's colour, roughly."""
    upper: float
    """Where it begins: the front of the neckline, or the waistband's upper edge; height in metres."""
    lower: float
    """Its hem."""
    sleeve: float = 0.0
    """Share of the arm that sleeves cover."""
    gap: float = 0.0
    """Half the gap of an open front, metres."""

    def front(self, x: float, y: float) -> Triple:
        """The skin's point seen from the front."""
        return self.measures.surface(x, y)

    @property
    def cuff(self) -> float:
        """|x| of the sleeve's end."""
        start = 0.85 * self.measures.shoulder_x
        return start + self.sleeve * (self.measures.wrist_x - start)

    def thread(self, rng: np.random.Generator) -> Colour:
        """Thread: the cloth's own colour, lighter or darker, at times a contrast."""
        if rng.random() < 0.25:
            return self.ink(rng)
        return shade(self.ground, rng.choice([0.6, 1.35]))

    def ink(self, rng: np.random.Generator) -> Colour:
        """A colour that stands out from the cloth."""
        return palette(rng, 2, self.ground, 0.3)[1]

    def inks(self, rng: np.random.Generator, count: int = 3) -> list[Triple]:
        """Colours for a print."""
        return [(float(c[0]), float(c[1]), float(c[2])) for c in palette(rng, count + 1, self.ground, 0.3)[1:]]


Trimming = Callable[[Blank, np.random.Generator], list[Detail]]
"""Makes the details of one name."""
