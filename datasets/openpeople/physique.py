"""Body shapes: the open body's betas, spread wider than its own population, and an age to go with them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SPREAD, MOST = 1.35, 3.0
"""Standard deviation of betas (the open body's are N(0, 1)), and the largest."""


@dataclass(frozen=True)
class Physique:
    """One body."""

    betas: Float[np.ndarray, "10"]
    is_masculine: bool
    """What wardrobe and hair go by; follows the first shape coefficient in most people."""
    age: float
    """0 young adult, 1 old: wrinkles and grey hair."""


def draw_physique(rng: np.random.Generator) -> Physique:
    """Draw one at random."""
    betas = np.clip(rng.normal(0, SPREAD, 10), -MOST, MOST)
    masculine = bool(betas[0] + 0.35 * rng.normal() > 0)
    return Physique(betas, masculine, float(rng.beta(1.2, 1.8)))
