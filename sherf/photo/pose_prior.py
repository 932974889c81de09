"""How likely a human pose is before one sees the photo: Gaussians of joint rotations, learned from OpenPeople's poses.

After SMPLify (Bogo et al. 2016, section 3.3), whose Gaussians are of the whole body; here trunk, both legs together,
and each arm have their own: a walk with crossed arms is two known things and not an unknown one. A broad Gaussian about
the natural stance is mixed in, so that poses nobody thought of stay possible.
`python benchmarks/learn_pose_prior.py` makes pose_prior.npz.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
"""Joints that one mixture speaks of; the arm's is of the left one and, mirrored, of the right one."""
STRENGTH = 1.5
UNTHOUGHT = 0.02
"""Share of poses that are none of the learned ones."""
BEYOND = 60.0
"""Weight of squared radians beyond a joint's limits."""


@dataclass(frozen=True)
class Mixture:
    """Gaussians of the rotations of some joints, flattened."""

    joints: list[int]
    log_share: Float[Tensor, " gaussian"]
    """Of each, with its normalisation."""
    mean: Float[Tensor, "gaussian number"]
    root: Float[Tensor, "gaussian number number"]
    """Cholesky factor of the inverse covariance."""
    stance: Float[Tensor, " number"]
    """Mean of the broad Gaussian."""
    stiffness: Float[Tensor, " number"]
    """1 / its standard deviations."""

    def energy(self, joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame"]:
        """Return -2 log of the density, but for a constant: a squared distance in standard deviations."""
        numbers = joints[..., self.joints, :].flatten(start_dim=-2)
        from_mean = numbers[..., None, :] - self.mean
        squared = (from_mean[..., None, :] @ self.root)[..., 0, :].square().sum(dim=-1)
        broad = ((numbers - self.stance) * self.stiffness).square().sum(dim=-1)
        known = math.log(1 - UNTHOUGHT) + self.log_share - squared / 2
        unthought = math.log(UNTHOUGHT) + self.stiffness.log().sum() - broad / 2
        return -2 * torch.logsumexp(torch.cat([known, unthought[..., None]], dim=-1), dim=-1)


@cache
def mixtures() -> tuple[Mixture, ...]:
    """Of the PARTS, in their order."""
    read = np.load(files("sherf.photo") / "pose_prior.npz", allow_pickle=False)
    found = []
    for part, names in PARTS.items():
        share, mean, root = (torch.from_numpy(read[f"{part}_{what}"]).float() for what in ("share", "mean", "root"))
        log_share = share.log() + root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        joints = [joint_index(name) for name in names]
        found.append(Mixture(joints, log_share, mean, root, STANCE[joints].flatten(), STIFFNESS[joints].flatten()))
    return tuple(found)


def pose_energy(joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame"]:
    """Return how unlikely joint rotations are; the natural stance's is 0, and likelier ones' is below.

    Joint 0, the global orientation, is free.
    """
    beyond = (torch.relu(joints - UPPER) + torch.relu(LOWER - joints))[..., 1:, :].square().sum(dim=(-2, -1))
    return STRENGTH * (_unlikeliness(joints) - _of_stance()) + BEYOND * beyond


def _unlikeliness(joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame"]:
    trunk, legs, arm = mixtures()
    both_arms = arm.energy(joints) + arm.energy(mirrored_rotations(joints))
    return trunk.energy(joints) + legs.energy(joints) + both_arms


@cache
def _of_stance() -> float:
    return float(_unlikeliness(STANCE))
