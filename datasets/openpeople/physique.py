"""Body shapes: betas of the open body, spread wider than its own population, and an age."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SPREAD, MAX_BETA = 1.35, 3.0
"""Standard deviation of the betas (the open body's population has 1), and their bound."""


@dataclass(frozen=True)
class Physique:
    """One person's body shape, wardrobe and age."""

    betas: Float[np.ndarray, "10"]
    is_masculine: bool
    """Selects wardrobe and hairstyles; correlates with the first beta."""
    age: float
    """0 young adult, 1 old: wrinkles and grey hair."""


def draw_physique(rng: np.random.Generator) -> Physique:
    """Draw a random body shape, wardrobe and age."""
    betas = np.clip(rng.normal(0, SPREAD, 10), -MAX_BETA, MAX_BETA)
    is_masculine = bool(betas[0] + 0.35 * rng.normal() > 0)
    return Physique(betas, is_masculine, float(rng.beta(1.2, 1.8)))
