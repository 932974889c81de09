"""A prior of human poses: Gaussian mixtures of joint rotations, learned from OpenPeople's poses.

SMPLify (Bogo et al. 2016) has one Gaussian mixture for the whole body. Here the trunk, the two legs together and each
arm have their own, so that a walk with crossed arms is likely although it was never seen as a whole. A broad Gaussian
about the natural stance is mixed in, so that unseen poses stay possible.
`python benchmarks/learn_pose_prior.py` makes pose_prior.npz.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.lbs import mirrored_rotations
from sherf.body.skeleton import joint_index
from sherf.photo.joint_limits import LOWER, STANCE, STIFFNESS, UPPER

PARTS = {
    "trunk": ("spine1", "spine2", "spine3", "neck", "head"),
    "legs": tuple(f"{side}_{name}" for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")),
    "arm": tuple(f"left_{name}" for name in ("collar", "shoulder", "elbow", "wrist", "hand")),
}
"""The joints of each mixture; the left arm's also serves, mirrored, for the right arm."""
PRIOR_WEIGHT = 1.5
OUTLIER_SHARE = 0.02
"""Share of poses that the learned Gaussians do not describe."""
LIMIT_WEIGHT = 60.0
"""Weight of squared radians beyond a joint's limits."""


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture over the axis-angle rotations of some joints, flattened."""

    joints: list[int]
    """Indices of the joints."""
    log_share: Float[Tensor, " gaussian"]
    """Logarithm of each Gaussian's share, with its normalisation."""
    mean: Float[Tensor, "gaussian number"]
    """Mean of each Gaussian, radians."""
    precision_root: Float[Tensor, "gaussian number number"]
    """Cholesky factor of each inverse covariance."""
    stance: Float[Tensor, " number"]
    """Mean of the broad Gaussian, radians."""
    stiffness: Float[Tensor, " number"]
    """1 / the standard deviations of the broad Gaussian."""

    def energy(self, joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame"]:
        """Return -2 log density up to a constant: for one Gaussian the squared Mahalanobis distance."""
        numbers = joints[..., self.joints, :].flatten(start_dim=-2)
        from_mean = numbers[..., None, :] - self.mean
        squared = (from_mean[..., None, :] @ self.precision_root)[..., 0, :].square().sum(dim=-1)
        broad = ((numbers - self.stance) * self.stiffness).square().sum(dim=-1)
        learned = math.log(1 - OUTLIER_SHARE) + self.log_share - squared / 2
        outlier = math.log(OUTLIER_SHARE) + self.stiffness.log().sum() - broad / 2
        return -2 * torch.logsumexp(torch.cat([learned, outlier[..., None]], dim=-1), dim=-1)


@cache
def load_mixtures() -> tuple[Mixture, ...]:
    """Return the shipped mixtures of `PARTS`, in that order, read once per process."""
    with as_file(files("sherf.photo") / "pose_prior.npz") as path, np.load(path, allow_pickle=False) as read:
        arrays = {name: torch.from_numpy(read[name]).float() for name in read.files}
    found = []
    for part, names in PARTS.items():
        share, mean, root = (arrays[f"{part}_{name}"] for name in ("share", "mean", "root"))
        log_share = share.log() + root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        joints = [joint_index(name) for name in names]
        found.append(Mixture(joints, log_share, mean, root, STANCE[joints].flatten(), STIFFNESS[joints].flatten()))
    return tuple(found)


def pose_energy(joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame"]:
    """Return how unlikely joint rotations are: 0 for the natural stance, negative for likelier poses.

    Adds to the prior a penalty for rotations beyond the joints' limits. Joint 0, the global orientation, is free.

    Args:
        joints: joint rotations, axis-angle, parent-relative, radians.
    """
    excess = (torch.relu(joints - UPPER) + torch.relu(LOWER - joints))[..., 1:, :].square().sum(dim=(-2, -1))
    return PRIOR_WEIGHT * (_mixture_energy(joints) - _stance_energy()) + LIMIT_WEIGHT * excess


def _mixture_energy(joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame"]:
    trunk, legs, arm = load_mixtures()
    both_arms = arm.energy(joints) + arm.energy(mirrored_rotations(joints))
    return trunk.energy(joints) + legs.energy(joints) + both_arms


@cache
def _stance_energy() -> float:
    return float(_mixture_energy(STANCE))
