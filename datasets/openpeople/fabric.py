"""Random fabrics by family. Some families are reserved for the test split."""

import numpy as np

from sherf.datasets.openpeople.colours import Colour
from sherf.datasets.openpeople.fabric_knitted import KNITTED
from sherf.datasets.openpeople.fabric_organic import ORGANIC
from sherf.datasets.openpeople.fabric_printed import PRINTED
from sherf.datasets.openpeople.fabric_tile import Fabric, Painter, build_fabric
from sherf.datasets.openpeople.fabric_woven import WOVEN

_PAINTERS: dict[str, Painter] = {**WOVEN, **KNITTED, **PRINTED, **ORGANIC}
FAMILIES: tuple[str, ...] = tuple(_PAINTERS)
"""Names of all families: woven, knitted, printed, then organic ones."""

__all__ = ["FAMILIES", "Fabric", "make_fabric"]


def make_fabric(family: str, rng: np.random.Generator, base: Colour | None = None) -> Fabric:
    """Make a random fabric of a family.

    Args:
        family: a name of `FAMILIES`.
        rng: random numbers.
        base: the ground colour (sRGB in [0, 1]); None draws one. Families with characteristic colours, such as
            "leopard", follow it only in part.

    Returns:
        The fabric, with mipmaps.

    Raises:
        KeyError: unknown family.
    """
    if family not in _PAINTERS:
        raise KeyError(f"unknown fabric family {family!r}; choose one of: {', '.join(FAMILIES)}")
    return build_fabric(family, _PAINTERS[family](rng, base), rng)
