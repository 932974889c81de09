"""Sample adults from anny's phenotype space, in SMPL's T-pose."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from sherf.datasets.openbody.base_mesh import NUM_VERTICES, SKIN, SMPL_FROM_ANNY, AnnyRig
from sherf.datasets.openbody.rest_pose import smpl_joints, straighten_to_t_pose

CHUNK = 25
"""People per call of anny: bounds memory."""


@dataclass(frozen=True)
class People:
    """Sampled people in the T-pose, the pelvis joint at the origin. Metres."""

    vertices: Float[np.ndarray, "person 19158 3"]
    joints: Float[np.ndarray, "person 24 3"]

    @property
    def heights(self) -> Float[np.ndarray, " person"]:
        """From soles to crown."""
        y = self.vertices[:, SKIN, 1]
        return y.max(axis=1) - y.min(axis=1)


def sample_people(rig: AnnyRig, number: int, seed: int = 0) -> People:
    """Return sampled adults; mean heights are 1.63 m (sd 6.5 cm) for women and 1.76 m (sd 7 cm) for men.

    Args:
        rig: anny's rig.
        number: how many people.
        seed: of the random generator.
    """
    phenotypes = _adult_phenotypes(rig, number, np.random.default_rng(seed))
    vertices = np.zeros((number, NUM_VERTICES, 3), np.float32)
    joints = np.zeros((number, 24, 3))
    for chunk in np.array_split(np.arange(number), max(1, number // CHUNK)):
        with torch.no_grad():
            out = rig.model(phenotype_kwargs=torch.tensor(phenotypes[chunk], dtype=torch.float32))
        rest = out["rest_vertices"].numpy() @ SMPL_FROM_ANNY.T
        heads = (out["rest_bone_heads"].numpy() @ SMPL_FROM_ANNY.T).astype(float)
        posed, posed_heads = straighten_to_t_pose(rig, rest, heads)
        centres = smpl_joints(rig, posed_heads)
        vertices[chunk] = posed - centres[:, :1]
        joints[chunk] = centres - centres[:, :1]
    return People(vertices, joints)


def _adult_phenotypes(rig: AnnyRig, number: int, rng: np.random.Generator) -> Float[np.ndarray, "person phenotype"]:
    """Return anny's phenotype parameters, each in [0, 1]: moderate builds are common, extremes rare."""
    female = rng.integers(0, 2, number)
    drawn = {"gender": np.where(female == 0, rng.beta(1.2, 10, number), 1 - rng.beta(1.2, 10, number))}
    # 0.667 is anny's young adult, 1 its oldest age.
    drawn["age"] = np.where(rng.random(number) < 0.7, rng.uniform(0.667, 0.8, number), rng.uniform(0.8, 1, number))
    drawn["muscle"] = np.clip(rng.normal(0.5 + 0.06 * (1 - 2 * female), 0.17, number), 0.03, 0.97)
    drawn["weight"] = np.clip(rng.normal(0.5, 0.18, number), 0.03, 0.97)
    drawn["proportions"] = np.clip(rng.normal(0.5, 0.2, number), 0, 1)
    drawn["cupsize"] = np.clip(rng.normal(0.5, 0.17, number), 0, 1)
    drawn["firmness"] = np.clip(rng.normal(0.5, 0.17, number), 0, 1)
    drawn["african"], drawn["asian"], drawn["caucasian"] = rng.dirichlet([0.7] * 3, number).T
    height = np.where(female == 0, rng.normal(1.76, 0.07, number), rng.normal(1.63, 0.065, number))

    labels = list(rig.model.phenotype_labels)
    column = labels.index("height")
    drawn["height"] = np.zeros(number)
    phenotypes = np.stack([drawn[label] for label in labels], axis=1)
    # The height parameter for the drawn height: linear through two settings.
    low, high = (_heights_at(rig, phenotypes, column, value) for value in (0.2, 0.5))
    phenotypes[:, column] = np.clip(0.2 + 0.3 * (height - low) / (high - low), 0, 1)
    return phenotypes


def _heights_at(rig: AnnyRig, phenotypes: np.ndarray, column: int, value: float) -> Float[np.ndarray, " person"]:
    """Return the heights of all people with the height parameter at one value, metres."""
    phenotypes = phenotypes.copy()
    phenotypes[:, column] = value
    heights = []
    for chunk in np.array_split(phenotypes, max(1, len(phenotypes) // (2 * CHUNK))):
        with torch.no_grad():
            out = rig.model(phenotype_kwargs=torch.tensor(chunk, dtype=torch.float32))
        z = out["rest_vertices"][:, SKIN, 2]
        heights.append((z.max(dim=1).values - z.min(dim=1).values).numpy())
    return np.concatenate(heights)
