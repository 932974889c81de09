"""All trimmings by name, and a garment's details from a list of names."""

import numpy as np

from sherf.datasets.openpeople import trimmings_bottoms, trimmings_tops
from sherf.datasets.openpeople.blank import Blank, Trimming
from sherf.datasets.openpeople.cloth import Detail

TRIMMINGS: dict[str, Trimming] = {**trimmings_tops.TRIMMINGS, **trimmings_bottoms.TRIMMINGS}


def make_details(names: tuple[str, ...], blank: Blank, rng: np.random.Generator) -> tuple[Detail, ...]:
    """Make the details of a garment.

    Args:
        names: keys of `TRIMMINGS`; a name with a trailing "?" is used with probability 1/2.
        blank: the garment.
        rng: random numbers.

    Returns:
        The details, in the order of the names.

    Raises:
        KeyError: unknown trimming.
    """
    details: list[Detail] = []
    for name in names:
        wanted = not name.endswith("?") or rng.random() < 0.5
        if wanted:
            details += TRIMMINGS[name.removesuffix("?")](blank, rng)
    return tuple(details)
