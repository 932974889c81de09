"""A person from a seed: body, appearance, hair, clothes and accessories; bit-identical for a seed and version."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from sherf.datasets.openpeople.bags import BAGS, TEST_BAGS, BagKind, make_bag
from sherf.datasets.openpeople.body import Figure, make_figure
from sherf.datasets.openpeople.face import Expression, Face, apply_expression, find_landmarks, random_expression
from sherf.datasets.openpeople.garments import make_garments
from sherf.datasets.openpeople.hair import SHORT, STYLES, TEST_STYLES, make_beard, make_hair
from sherf.datasets.openpeople.headwear import HATS, TEST_HATS, make_glasses, make_hat
from sherf.datasets.openpeople.look import Look, draw_look
from sherf.datasets.openpeople.outfits import Outfit, draw_outfit
from sherf.datasets.openpeople.part import Part, PosedPerson
from sherf.datasets.openpeople.physique import Physique, draw_physique
from sherf.datasets.openpeople.posing import hidden_skin, pose_person
from sherf.datasets.openpeople.skin import make_eyes, make_skin
from sherf.datasets.openpeople.tailoring import Measures
from sherf.datasets.openpeople.wardrobe import Wearer

VERSION = 1
"""Version of the generator; increase it whenever a seed's person changes."""
Split = Literal["train", "validation", "test"]
_SPLITS: tuple[Split, ...] = (*("train",) * 8, "validation", "test")
BALD_SHARE, HAT_SHARE, GLASSES_SHARE, BAG_SHARE = 0.04, 0.16, 0.22, 0.16
"""Probabilities of accessories; baldness depends on the wardrobe too."""


def split_of(seed: int) -> Split:
    """Return the split of a seed: of ten consecutive seeds, eight train, one validates and one tests."""
    return _SPLITS[seed % 10]


def stream(seed: int, name: str) -> np.random.Generator:
    """Return a person's random number generator for one purpose; streams of different names are independent."""
    return np.random.default_rng([VERSION, seed, *name.encode()])


@dataclass(frozen=True)
class Person:
    """One dressed person. Meshes and fabrics are built on first access to `parts`."""

    seed: int
    physique: Physique
    look: Look
    expression: Expression
    hair: str | None
    """Hairstyle; None for bald."""
    hat: str | None
    bag: BagKind | None
    wears_glasses: bool
    outfit: Outfit
    figure: Figure
    face: Face

    @property
    def split(self) -> Split:
        """The split that the person belongs to."""
        return split_of(self.seed)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All meshes and materials, in the rest pose."""
        is_test = self.split == "test"
        garments = make_garments(self.figure, self.outfit, stream(self.seed, "garments"))
        skin = make_skin(self.figure, self.face, self.look, self.expression, hidden_skin(tuple(garments)))
        parts = [skin, make_eyes(self.figure, self.face, self.look), *garments]
        if self.hair is not None:
            parts.append(make_hair(self.figure, self.face, self.look, self.hair, stream(self.seed, "hair")))
        beard = make_beard(self.figure, self.face, self.look, apply_expression(self.figure, self.face, self.expression))
        if beard is not None:
            parts.append(beard)
        if self.wears_glasses:
            parts += make_glasses(self.face, stream(self.seed, "glasses"))
        if self.hat is not None:
            parts.append(make_hat(self.figure, self.face, self.hat, stream(self.seed, "hat"), is_test))
        if self.bag is not None:
            parts += make_bag(Measures(self.figure), garments, self.bag, stream(self.seed, "bag"), is_test)
        return tuple(parts)

    def pose(self, joints: Float[np.ndarray, "24 3"]) -> PosedPerson:
        """Return the person in a pose (axis-angle, radians), standing on the floor."""
        return pose_person(self.parts, self.figure, joints)

    def describe(self) -> dict[str, object]:
        """Return the person's description for the data set's records."""
        worn = {
            slot: {"cut": garment.cut, "fabric": garment.family}
            for slot in ("bottom", "top", "outer", "shoes")
            if (garment := getattr(self.outfit, slot)) is not None
        }
        return {
            "seed": self.seed, "split": self.split, "betas": self.physique.betas.tolist(), "garments": worn,
            "hair": self.hair, "beard": self.look.beard, "hat": self.hat, "bag": self.bag,
            "glasses": self.wears_glasses, "age": round(self.physique.age, 3),
        }  # fmt: skip


def make_person(seed: int) -> Person:
    """Make the person of a seed.

    Args:
        seed: selects the person, and by its last digit the split.

    Returns:
        The person; the same seed gives the same person in every process.

    Raises:
        ValueError: the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"a person's seed must be at least 0, got {seed}")
    is_test = split_of(seed) == "test"
    physique = draw_physique(stream(seed, "physique"))
    shape = make_figure(physique.betas)
    face = find_landmarks(shape)
    look = draw_look(stream(seed, "look"), physique.is_masculine, physique.age)
    wearer: Wearer = "masculine" if physique.is_masculine else "feminine"
    outfit = draw_outfit(stream(seed, "outfit"), Measures(shape), wearer, is_test)
    rng = stream(seed, "extras")
    hat = str(rng.choice(TEST_HATS if is_test else HATS)) if rng.random() < HAT_SHARE else None
    hooded = any(g.collar == "hood" for g in (outfit.top, outfit.outer) if g is not None)
    styles = [s for s in (TEST_STYLES if is_test else STYLES[wearer]) if hat is None or s in SHORT]
    is_bald = rng.random() < BALD_SHARE * (2 if physique.is_masculine else 0.3)
    hair = None if is_bald else str(rng.choice(styles or SHORT))
    bags = TEST_BAGS if is_test else BAGS
    bag = bags[int(rng.integers(len(bags)))] if rng.random() < BAG_SHARE and not hooded else None
    glasses = bool(rng.random() < GLASSES_SHARE)
    expression = random_expression(stream(seed, "expression"))
    return Person(seed, physique, look, expression, hair, hat, bag, glasses, outfit, shape, face)
