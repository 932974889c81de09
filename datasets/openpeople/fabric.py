"""Fabrics by family. A family is also what separates the wardrobes of training from those of testing."""

import numpy as np

from sherf.datasets.openpeople.colours import Colour
from sherf.datasets.openpeople.fabric_knitted import KNITTED
from sherf.datasets.openpeople.fabric_organic import ORGANIC
from sherf.datasets.openpeople.fabric_printed import PRINTED
from sherf.datasets.openpeople.fabric_tile import Fabric, Painter, finish
from sherf.datasets.openpeople.fabric_woven import WOVEN

_PAINTERS: dict[str, Painter] = {**WOVEN, **KNITTED, **PRINTED, **ORGANIC}
FAMILIES: tuple[str, ...] = tuple(_PAINTERS)
"""Names of all families; woven and knitted ones first, then printed ones."""

__all__ = ["FAMILIES", "Fabric", "make_fabric"]


def make_fabric(family: str, rng: np.random.Generator, base: Colour | None = None) -> Fabric:
    """One random fabric of a family.

    Args:
        base: the ground's colour (sRGB in [0, 1]), where it is given; families whose colours are what makes them,
            such as a leopard's, heed it only in part.

    Raises:
        KeyError: no such family.
    """
    if family not in _PAINTERS:
        raise KeyError(f"no fabric family {family!r}; there are: {', '.join(FAMILIES)}")
    return finish(family, _PAINTERS[family](rng, base), rng)
