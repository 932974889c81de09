"""Cloth as a material: a fabric laid out by panels, and the details that are sewn, printed or buttoned onto it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.fabric import Fabric
from sherf.datasets.openpeople.panels import Panels
from sherf.datasets.openpeople.part import SurfaceSamples


@runtime_checkable
class Detail(Protocol):
    """Something that changes a garment's colour where it lies: a button, a print, a belt."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Return the colour with the detail over it; may write into `colour`."""
        ...


@dataclass(frozen=True)
class Cloth:
    """A garment's material: the fabric's colour, over which each detail paints in turn."""

    fabric: Fabric
    panels: Panels
    details: tuple[Detail, ...] = ()
    gloss: float = 0.02
    sharpness: float = 10.0

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light."""
        colour = self.fabric.colour(self.panels(samples.rest), samples.footprint)
        for detail in self.details:
            colour = detail.paint(samples, colour)
        return colour


def cloth(fabric: Fabric, panels: Panels, details: tuple[Detail, ...] = ()) -> Cloth:
    """Cloth that shines as its fabric does."""
    return Cloth(fabric, panels, details, fabric.gloss, fabric.sharpness)
