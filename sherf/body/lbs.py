"""Linear blend skinning: joint rotations -> joint transforms -> vertices, and back. Pure functions on tensors.

Equations: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015, section 3.
Every function works over free leading axes and carries gradients, also at rotation zero.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pytorch3d.transforms import axis_angle_to_matrix
from torch import Tensor

from sherf.body.skeleton import mirrored_joints

__all__ = [
    "affine",
    "axis_angle_to_matrix",
    "blend_transforms",
    "inverse_affine",
    "joint_transforms",
    "skin",
    "transform_directions",
    "transform_points",
    "unskin",
    "vertex_normals",
]

SMALLEST_DETERMINANT = 1e-6
"""Blends of opposite rotations collapse space; inverting them with this keeps the result finite."""


def affine(
    rotation: Float[Tensor, "*frame 3 3"], translation: Float[Tensor, "*frame 3"]
) -> Float[Tensor, "*frame 4 4"]:
    """The 4x4 matrix of x -> rotation @ x + translation."""
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    last = rotation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*rotation.shape[:-2], 1, 4)
    return torch.cat([upper, last], dim=-2)


def inverse_affine(transforms: Float[Tensor, "*point 4 4"]) -> Float[Tensor, "*point 4 4"]:
    """Inverse of affine 4x4 matrices whose 3x3 part need not be a rotation."""
    x, y, z = transforms[..., :3, :3].unbind(dim=-1)
    # The adjugate: rows @ [x y z] = determinant * identity.
    rows = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], dim=-2)
    determinant = (rows[..., 0, :] * x).sum(dim=-1)[..., None, None]
    away_from_zero = torch.where(determinant < 0, -SMALLEST_DETERMINANT, SMALLEST_DETERMINANT)
    rotation = rows / torch.where(determinant.abs() < SMALLEST_DETERMINANT, away_from_zero, determinant)
    return affine(rotation, -torch.einsum("...ij,...j->...i", rotation, transforms[..., :3, 3]))


def transform_points(
    transforms: Float[Tensor, "*#point 4 4"], points: Float[Tensor, "*#point 3"]
) -> Float[Tensor, "*point 3"]:
    """Apply each 4x4 matrix to its point."""
    return transform_directions(transforms, points) + transforms[..., :3, 3]


def transform_directions(
    transforms: Float[Tensor, "*#point 4 4"], directions: Float[Tensor, "*#point 3"]
) -> Float[Tensor, "*point 3"]:
    """Apply each matrix's 3x3 part to its direction, without normalising."""
    return torch.einsum("...ij,...j->...i", transforms[..., :3, :3], directions)


def mirrored_rotations(joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame 24 3"]:
    """The pose in a mirror: limbs swapped, axis-angle rotations about y and z turned round."""
    return joints[..., list(mirrored_joints()), :] * joints.new_tensor([1.0, -1.0, -1.0])


def joint_transforms(
    rotations: Float[Tensor, "*#frame joint 3 3"],
    joints: Float[Tensor, "*#frame joint 3"],
    parents: tuple[int, ...],
) -> Float[Tensor, "*frame joint 4 4"]:
    """Rest -> posed transform of each joint (SMPL, Eq. 3 and 4): a rotation about every joint up to the root.

    Args:
        rotations: parent-relative rotations.
        joints: joint centres in the rest pose, metres.
        parents: index of each joint's parent; -1 for joint 0, the only root.
    """
    above = list(parents[1:])
    bones = torch.cat([joints[..., :1, :], joints[..., 1:, :] - joints[..., above, :]], dim=-2)
    # torch.broadcast_shapes imports sympy, for most of a second
    frame = np.broadcast_shapes(rotations.shape[:-3], bones.shape[:-2])
    local = affine(rotations.expand(*frame, -1, 3, 3), bones.expand(*frame, -1, 3))

    # Every round doubles how far up each joint's product reaches: 4 rounds for SMPL in place of 23 products in a row.
    # One identity past the end stands above the root.
    nothing = len(parents)
    up = [nothing, *above, nothing]
    chain = torch.cat([local, torch.eye(4).to(local).expand(*frame, 1, 4, 4)], dim=-3)
    while any(joint != nothing for joint in up):
        chain = chain[..., up, :, :] @ chain
        up = [up[joint] for joint in up]
    posed = chain[..., :nothing, :, :]

    # Relative to rest: the joint's own rest position maps to its posed position.
    shift = posed[..., :3, 3] - torch.einsum("...ij,...j->...i", posed[..., :3, :3], joints)
    return affine(posed[..., :3, :3], shift)


def blend_transforms(
    weights: Float[Tensor, "*#frame vertex joint"], transforms: Float[Tensor, "*#frame joint 4 4"]
) -> Float[Tensor, "*frame vertex 4 4"]:
    """Weighted sum of the joints' transforms for each vertex."""
    return (weights @ transforms.flatten(start_dim=-2)).unflatten(-1, (4, 4))


def skin(
    points_rest: Float[Tensor, "*#frame vertex 3"],
    weights: Float[Tensor, "*#frame vertex joint"],
    transforms: Float[Tensor, "*#frame joint 4 4"],
) -> Float[Tensor, "*frame vertex 3"]:
    """Linear blend skinning, rest -> posed (SMPL, Eq. 2)."""
    return transform_points(blend_transforms(weights, transforms), points_rest)


def unskin(
    points_posed: Float[Tensor, "*#frame vertex 3"],
    weights: Float[Tensor, "*#frame vertex joint"],
    transforms: Float[Tensor, "*#frame joint 4 4"],
) -> Float[Tensor, "*frame vertex 3"]:
    """Inverse of `skin` for points whose weights are known, posed -> rest."""
    return transform_points(inverse_affine(blend_transforms(weights, transforms)), points_posed)


def vertex_normals(
    vertices: Float[Tensor, "*frame vertex 3"], faces: Int[Tensor, "face 3"]
) -> Float[Tensor, "*frame vertex 3"]:
    """Unit normals, outward for counter-clockwise faces: the area-weighted mean of the faces around each vertex.

    A vertex without faces gets a zero normal.
    """
    a, b, c = (vertices.index_select(-2, faces[:, corner]) for corner in range(3))
    # The cross product is twice the area long: summing it unnormalised is the weighting.
    across = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(-2, faces[:, corner], across)
    return F.normalize(total, dim=-1, eps=1e-12)
