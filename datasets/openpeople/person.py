"""A person from a seed: body, look, hair, clothes and what they carry, the same to the bit for a seed and version."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from sherf.datasets.openpeople.bags import BAGS, TEST_BAGS, BagKind, make_bag
from sherf.datasets.openpeople.body import Figure, figure
from sherf.datasets.openpeople.face import Expression, Face, expressive, face_of, random_expression
from sherf.datasets.openpeople.garments import make_garments
from sherf.datasets.openpeople.hair import SHORT, STYLES, TEST_STYLES, beard_part, hair_part
from sherf.datasets.openpeople.headwear import HATS, TEST_HATS, make_glasses, make_hat
from sherf.datasets.openpeople.look import Look, draw_look
from sherf.datasets.openpeople.outfits import Outfit, draw_outfit
from sherf.datasets.openpeople.part import Part, PosedPerson
from sherf.datasets.openpeople.physique import Physique, draw_physique
from sherf.datasets.openpeople.posing import hidden_skin, pose_person
from sherf.datasets.openpeople.skin import eyes_part, skin_part
from sherf.datasets.openpeople.tailoring import Measures

VERSION = 1
"""Raised whenever a seed's person changes."""
Split = Literal["train", "validation", "test"]
_SPLITS: tuple[Split, ...] = (*("train",) * 8, "validation", "test")
BALD_SHARE, HAT_SHARE, GLASSES_SHARE, BAG_SHARE = 0.04, 0.16, 0.22, 0.16


def split_of(seed: int) -> Split:
    """Of ten people in a row, eight train, one validates and one tests."""
    return _SPLITS[seed % 10]


def stream(seed: int, name: str) -> np.random.Generator:
    """A person's random numbers for one purpose: adding a purpose leaves all others as they were."""
    return np.random.default_rng([VERSION, seed, *name.encode()])


@dataclass(frozen=True)
class Person:
    """One dressed person. Decisions are made at once; meshes and fabrics when they are first asked for."""

    seed: int
    physique: Physique
    look: Look
    expression: Expression
    hair: str | None
    hat: str | None
    bag: BagKind | None
    wears_glasses: bool
    outfit: Outfit
    figure: Figure
    face: Face

    @property
    def split(self) -> Split:
        """Which split the person belongs to."""
        return split_of(self.seed)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All meshes and materials in the rest pose."""
        is_test = self.split == "test"
        garments = make_garments(self.figure, self.outfit, stream(self.seed, "garments"))
        skin = skin_part(self.figure, self.face, self.look, self.expression, hidden_skin(tuple(garments)))
        parts = [skin, eyes_part(self.figure, self.face, self.look), *garments]
        if self.hair is not None:
            parts.append(hair_part(self.figure, self.face, self.look, self.hair, stream(self.seed, "hair")))
        beard = beard_part(self.figure, self.face, self.look, expressive(self.figure, self.face, self.expression))
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
        """Stand the person on the floor in a pose."""
        return pose_person(self.parts, self.figure, joints)

    def describe(self) -> dict[str, object]:
        """What can be said of the person in words, for a data set's records."""
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
    """Decide who the person of this seed is.

    Raises:
        ValueError: the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"a person's seed is a whole number from 0 on, not {seed}")
    is_test = split_of(seed) == "test"
    physique = draw_physique(stream(seed, "physique"))
    shape = figure(physique.betas)
    face = face_of(shape)
    look = draw_look(stream(seed, "look"), physique.is_masculine, physique.age)
    wearer = "masculine" if physique.is_masculine else "feminine"
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
