"""Axis-angle rotations as matrices."""

import torch
from jaxtyping import Float
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation matrices of axis-angle vectors, by way of unit quaternions.

    A vector's length is the angle in radians, counter-clockwise about its direction; matrices act on column vectors.
    Finite, with finite gradients, for every angle including zero. The order of the floating-point operations is that
    of `pytorch3d.transforms`, so that results are identical to the bit.
    """
    angle = torch.norm(axis_angle, p=2, dim=-1, keepdim=True)
    sin_half_over_angle = 0.5 * torch.sinc(angle * 0.5 / torch.pi)
    quaternion = torch.cat([torch.cos(angle * 0.5), axis_angle * sin_half_over_angle], dim=-1)
    r, i, j, k = torch.unbind(quaternion, -1)
    two_s = torch.div(2.0, (quaternion * quaternion).sum(-1))
    entries = (
        1 - two_s * (j * j + k * k),
        two_s * (i * j - k * r),
        two_s * (i * k + j * r),
        two_s * (i * j + k * r),
        1 - two_s * (i * i + k * k),
        two_s * (j * k - i * r),
        two_s * (i * k - j * r),
        two_s * (j * k + i * r),
        1 - two_s * (i * i + j * j),
    )
    return torch.stack(entries, -1).reshape(*quaternion.shape[:-1], 3, 3)
