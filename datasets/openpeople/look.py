"""Appearance apart from clothes: colours of skin, hair, lips and eyes, and marks on the skin."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.colours import Colour, from_hsv

Beard = Literal["none", "stubble", "moustache", "goatee", "short", "full"]
EUMELANIN = np.array([0.506, 0.841, 1.653], np.float32)
PHEOMELANIN = np.array([0.343, 0.733, 1.924], np.float32)
"""Absorption of the two melanins at red, green and blue, per unit of density (after Donner and Jensen 2006)."""
PALE, DEEP = np.array([0.93, 0.75, 0.65]), np.array([0.26, 0.155, 0.105])
"""Ends of the skin tone scale, sRGB."""


@dataclass(frozen=True)
class Look:
    """One person's colours and marks, sRGB in [0, 1]."""

    skin: Colour
    lips: Colour
    lip_strength: float
    """Opacity of the lip colour."""
    iris: Colour
    hair_melanin: float
    """Amount of melanin in hair, 0 blond to 1 black."""
    hair_red: float
    """Share of pheomelanin, 0 brown to 1 red."""
    dye: Colour | None
    """Hair dye."""
    grey: float
    """Share of grey hair."""
    brow_weight: float
    """Factor on the thickness of the brows."""
    freckles: float
    """Opacity of freckles; 0 for none."""
    moles: tuple[tuple[float, float, float], ...]
    """Texture coordinates and radius in metres."""
    nails: Colour | None
    """Nail polish."""
    eyeliner: float
    blush: float
    beard: Beard
    age: float
    """0 young, 1 old."""
    seed: int
    """Seed of the procedural noise on skin and hair."""


def draw_look(rng: np.random.Generator, is_masculine: bool, age: float) -> Look:
    """Draw a random appearance for a person of this wardrobe and age (0 young, 1 old)."""
    melanin = rng.beta(1.1, 1.8)
    skin = (PALE + (DEEP - PALE) * melanin) * (1 + 0.03 * rng.normal(size=3))
    made_up = not is_masculine and rng.random() < 0.45
    lips = skin * np.array([0.92, 0.62, 0.62])
    if made_up:
        lips = np.array([rng.uniform(0.45, 0.85), rng.uniform(0.08, 0.35), rng.uniform(0.12, 0.4)])
    iris = from_hsv(rng.uniform(0.05, 0.1), 0.6, rng.uniform(0.15, 0.4))
    if rng.random() < 0.5 * (1 - melanin):
        iris = from_hsv(rng.uniform(0.25, 0.6), 0.35, rng.uniform(0.35, 0.6))
    beard: Beard = "none"
    if is_masculine and rng.random() < 0.55:
        beard = rng.choice(["stubble", "moustache", "goatee", "short", "full"], p=[0.36, 0.1, 0.14, 0.24, 0.16])
    moles = tuple(
        (float(rng.random()), float(rng.random()), float(rng.uniform(0.001, 0.0025)))
        for _ in range(int(rng.poisson(10)))
    )
    return Look(
        skin=np.clip(skin, 0.05, 0.97).astype(np.float32),
        lips=np.clip(lips, 0.03, 0.95).astype(np.float32),
        lip_strength=0.85 if made_up else 0.7,
        iris=iris,
        hair_melanin=float(np.clip(max(rng.beta(2.2, 1.1), 0.7 * melanin), 0.08, 0.98)),
        hair_red=float(rng.beta(1.2, 3.5)) * (0.3 if melanin > 0.5 else 1.0),
        dye=from_hsv(rng.random(), rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.85)) if rng.random() < 0.06 else None,
        grey=float(np.clip(rng.normal(2.2 * age - 1.1, 0.3), 0, 1)),
        brow_weight=float(rng.uniform(0.75, 1.35)) * (1.1 if is_masculine else 0.85),
        freckles=float(rng.uniform(0.3, 1)) if rng.random() < 0.18 * (1 - melanin) * 2 else 0.0,
        moles=moles,
        nails=from_hsv(rng.random(), rng.uniform(0.4, 0.9), rng.uniform(0.3, 0.9))
        if not is_masculine and rng.random() < 0.35 else None,
        eyeliner=float(rng.uniform(0.4, 0.9)) if made_up else 0.0,
        blush=float(rng.uniform(0.2, 1.2)),
        beard=beard,
        age=age,
        seed=int(rng.integers(1 << 16)),
    )  # fmt: skip


def hair_colour(look: Look, variation: Float[np.ndarray, " sample"] | None = None) -> Float32[np.ndarray, "... 3"]:
    """Return the colour of hair from its melanins (Beer-Lambert law), mixed with grey and dye.

    Args:
        look: the person's appearance.
        variation: how much darker (> 0) or lighter each strand is, about -1 to 1; None for the mean colour alone.

    Returns:
        sRGB colours in [0, 1]: one for each strand, or a single one without `variation`.
    """
    absorption = EUMELANIN * (1 - look.hair_red) + PHEOMELANIN * look.hair_red
    density = np.float32(5.2 * look.hair_melanin**1.75)
    factor = np.ones((1,), np.float32) if variation is None else 1 + 0.35 * np.tanh(variation)
    colour = np.exp(-absorption * (density * np.clip(factor, 0.3, 2.0))[:, None])
    if look.dye is not None:
        colour = 0.3 * colour + 0.7 * look.dye * (1.25 - 0.3 * np.clip(factor, 0.3, 2.0))[:, None]
    grey = np.float32(0.72) * (1.2 - 0.25 * factor)[:, None]
    strands = np.clip(look.grey + 0.35 * look.grey * (factor - 1)[:, None], 0, 1)
    colour = colour + (grey - colour) * strands
    return np.clip(colour if variation is not None else colour[0], 0.02, 0.97).astype(np.float32)
