"""A garment before its details are added: its extent, its colour, and contrasting colours for details."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sherf.datasets.openpeople.cloth import Detail
from sherf.datasets.openpeople.colours import Colour, palette, shade, to_floats
from sherf.datasets.openpeople.details import Triple
from sherf.datasets.openpeople.tailoring import Measures

BRASS, STEEL = (0.72, 0.55, 0.25), (0.72, 0.73, 0.75)
"""Colours of metal parts, sRGB."""


@dataclass(frozen=True)
class Blank:
    """A garment before its details are added; positions in rest space, metres."""

    measures: Measures
    ground: Colour
    """The fabric's mean colour."""
    upper: float
    """Height of its upper edge at the front: neckline or waistband."""
    lower: float
    """Height of its hem."""
    sleeve: float = 0.0
    """Share of the arm that sleeves cover."""
    gap: float = 0.0
    """Half the gap of an open front, metres."""

    def front(self, x: float, y: float) -> Triple:
        """Return the skin's point at (x, y) seen from the front."""
        return self.measures.surface(x, y)

    @property
    def cuff(self) -> float:
        """|x| of the sleeve's end."""
        start = 0.85 * self.measures.shoulder_x
        return start + self.sleeve * (self.measures.wrist_x - start)

    def thread(self, rng: np.random.Generator) -> Colour:
        """Draw a thread colour: a lighter or darker shade of the cloth, sometimes a contrasting colour."""
        if rng.random() < 0.25:
            return self.ink(rng)
        return shade(self.ground, rng.choice([0.6, 1.35]))

    def ink(self, rng: np.random.Generator) -> Colour:
        """Draw a colour that contrasts with the cloth."""
        return palette(rng, 2, self.ground, 0.3)[1]

    def inks(self, rng: np.random.Generator, count: int = 3) -> list[Triple]:
        """Draw contrasting colours for a print."""
        return [to_floats(c) for c in palette(rng, count + 1, self.ground, 0.3)[1:]]


Trimming = Callable[[Blank, np.random.Generator], list[Detail]]
"""Makes the details of one trimming."""
