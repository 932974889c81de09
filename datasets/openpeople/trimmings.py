"""Every trimming by its name, and a garment's details from a list of names."""

import numpy as np

from sherf.datasets.openpeople import trimmings_bottoms, trimmings_tops
from sherf.datasets.openpeople.blank import Blank, Trimming
from sherf.datasets.openpeople.cloth import Detail

TRIMMINGS: dict[str, Trimming] = {**trimmings_tops.TRIMMINGS, **trimmings_bottoms.TRIMMINGS}


def trim(names: tuple[str, ...], blank: Blank, rng: np.random.Generator) -> tuple[Detail, ...]:
    """All details of these names, in their order; a name with a "?" is drawn half of the time.

    Raises:
        KeyError: no such trimming.
    """
    details: list[Detail] = []
    for name in names:
        wanted = not name.endswith("?") or rng.random() < 0.5
        if wanted:
            details += TRIMMINGS[name.removesuffix("?")](blank, rng)
    return tuple(details)
