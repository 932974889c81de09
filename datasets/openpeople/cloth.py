"""Cloth as a material: a fabric mapped by sewing panels, with sewn, printed and buttoned details."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sherf.datasets.openpeople.fabric import Fabric
from sherf.datasets.openpeople.panels import Panels
from sherf.datasets.openpeople.part import SurfaceSamples


@runtime_checkable
class Detail(Protocol):
    """A detail that changes a garment's colour locally: a button, a print, a belt."""

    def paint(
        self, samples: SurfaceSamples, colour: Float32[np.ndarray, "sample 3"]
    ) -> Float32[np.ndarray, "sample 3"]:
        """Return the samples' sRGB colour with the detail over it; may write into `colour`."""
        ...


@dataclass(frozen=True)
class Cloth:
    """The material of a garment: the fabric's colour, with the details painted over it in order."""

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
    """Make cloth with the gloss of its fabric."""
    return Cloth(fabric, panels, details, fabric.gloss, fabric.sharpness)
