"""Linear blend skinning (LBS): joint rotations -> joint transforms -> vertices. Pure functions on tensors.

Equations: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015, section 3.
Leading axes are free, and every function is differentiable. Transforms are 4x4 matrices acting on column vectors.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.skeleton import mirrored_joints

MIN_DETERMINANT = 1e-6
"""Blends of opposite rotations collapse space; this bound keeps their inverse finite."""


def affine(
    rotation: Float[Tensor, "*frame 3 3"], translation: Float[Tensor, "*frame 3"]
) -> Float[Tensor, "*frame 4 4"]:
    """Return the 4x4 matrix of x -> rotation @ x + translation; the 3x3 part need not be a rotation."""
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    last = rotation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*rotation.shape[:-2], 1, 4)
    return torch.cat([upper, last], dim=-2)


def inverse_affine(transforms: Float[Tensor, "*point 4 4"]) -> Float[Tensor, "*point 4 4"]:
    """Return the inverse of affine 4x4 matrices; finite also where the 3x3 part is singular."""
    x, y, z = transforms[..., :3, :3].unbind(dim=-1)
    # The adjugate: rows @ [x y z] = determinant * identity.
    rows = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], dim=-2)
    determinant = (rows[..., 0, :] * x).sum(dim=-1)[..., None, None]
    away_from_zero = torch.where(determinant < 0, -MIN_DETERMINANT, MIN_DETERMINANT)
    rotation = rows / torch.where(determinant.abs() < MIN_DETERMINANT, away_from_zero, determinant)
    return affine(rotation, -torch.einsum("...ij,...j->...i", rotation, transforms[..., :3, 3]))


def transform_points(
    transforms: Float[Tensor, "*#point 4 4"], points: Float[Tensor, "*#point 3"]
) -> Float[Tensor, "*point 3"]:
    """Apply each affine 4x4 matrix to its point."""
    return torch.einsum("...ij,...j->...i", transforms[..., :3, :3], points) + transforms[..., :3, 3]


def mirrored_rotations(joints: Float[Tensor, "*frame 24 3"]) -> Float[Tensor, "*frame 24 3"]:
    """Return the mirrored pose (axis-angle, radians): limbs swapped, rotations about y and z negated."""
    return joints[..., list(mirrored_joints()), :] * joints.new_tensor([1.0, -1.0, -1.0])


def joint_transforms(
    rotations: Float[Tensor, "*#frame joint 3 3"],
    joints: Float[Tensor, "*#frame joint 3"],
    parents: tuple[int, ...],
) -> Float[Tensor, "*frame joint 4 4"]:
    """Return each joint's rigid transform from the rest pose to the posed body, in body space (SMPL, Eq. 3 and 4).

    Args:
        rotations: parent-relative rotations.
        joints: joint centres in the rest pose, metres.
        parents: index of each joint's parent; -1 for joint 0, the only root.
    """
    above = list(parents[1:])
    bones = torch.cat([joints[..., :1, :], joints[..., 1:, :] - joints[..., above, :]], dim=-2)
    # torch.broadcast_shapes imports sympy, which takes most of a second
    frame = np.broadcast_shapes(rotations.shape[:-3], bones.shape[:-2])
    local = affine(rotations.expand(*frame, -1, 3, 3), bones.expand(*frame, -1, 3))

    # Pointer jumping: each round doubles how many ancestors a joint's product includes, so that SMPL needs 4 rounds
    # in place of 23 products in sequence. An identity past the end serves as the root's parent.
    end = len(parents)
    up = [end, *above, end]
    chain = torch.cat([local, torch.eye(4).to(local).expand(*frame, 1, 4, 4)], dim=-3)
    while any(joint != end for joint in up):
        chain = chain[..., up, :, :] @ chain
        up = [up[joint] for joint in up]
    posed = chain[..., :end, :, :]

    # Relative to rest: the joint's own rest position maps to its posed position.
    shift = posed[..., :3, 3] - torch.einsum("...ij,...j->...i", posed[..., :3, :3], joints)
    return affine(posed[..., :3, :3], shift)


def blend_transforms(
    weights: Float[Tensor, "*#frame vertex joint"], transforms: Float[Tensor, "*#frame joint 4 4"]
) -> Float[Tensor, "*frame vertex 4 4"]:
    """Return the weighted sum of the joints' transforms for each vertex; it is affine but not rigid."""
    return (weights @ transforms.flatten(start_dim=-2)).unflatten(-1, (4, 4))


def skin(
    points_rest: Float[Tensor, "*#frame vertex 3"],
    weights: Float[Tensor, "*#frame vertex joint"],
    transforms: Float[Tensor, "*#frame joint 4 4"],
) -> Float[Tensor, "*frame vertex 3"]:
    """Pose points of the rest pose by linear blend skinning (SMPL, Eq. 2)."""
    return transform_points(blend_transforms(weights, transforms), points_rest)


def vertex_normals(
    vertices: Float[Tensor, "*frame vertex 3"], faces: Int[Tensor, "face 3"]
) -> Float[Tensor, "*frame vertex 3"]:
    """Return unit normals: the area-weighted mean of the faces around each vertex, zero for vertices without faces.

    Args:
        vertices: in any space.
        faces: vertex indices; normals point outwards if they are counter-clockwise seen from outside.
    """
    a, b, c = (vertices.index_select(-2, faces[:, corner]) for corner in range(3))
    # The cross product's length is twice the area: summing it unnormalised weights by area.
    face_normals = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(-2, faces[:, corner], face_normals)
    return F.normalize(total, dim=-1, eps=1e-12)
