"""A posed body's vertices in canonical space, with the rounding of SHERF's published program.

The result is that of `vertex_warp.py`, computed operation by operation in the published order. The difference is less
than a micrometre, and matters in one place: a vertex on the border of two voxels falls into one or the other. In about
one photo of four some vertex would change sides; as measured, that changes a pixel by up to a tenth of full brightness.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.scene import BodyPose

ANGLE_EPS = 1e-8  # added to each component before the norm is taken


def published_canonical(
    body: BodyModel, pose: BodyPose, vertices: Float[Tensor, "vertex 3"]
) -> Float[Tensor, "vertex 3"]:
    """Return a posed body's vertices in canonical space, each mapped by its own joints' transforms.

    Args:
        body: the body model.
        pose: the pose of the vertices, without a frame axis.
        vertices: of the posed body in world space, metres.
    """
    big = body.big_pose()
    # The published arrays have a batch axis of one, without which some products are rounded differently.
    x = torch.matmul(vertices[None] - pose.T_world_body, pose.R_world_body[None])
    rotations, transforms = _rotations(pose), _joint_transforms(body, pose)
    blended = _blend(body, transforms)
    x = x - blended[..., :3, 3]
    x = torch.matmul(torch.inverse(blended[..., :3, :3]), x[..., None])[..., 0]
    x = x - _pose_offsets(body, rotations)
    x = x - torch.matmul(body.shapedirs[None], pose.betas.reshape(1, 1, -1, 1))[..., 0]
    x = x + _pose_offsets(body, _rotations(big))
    blended = _blend(body, _joint_transforms(body, big))
    return (torch.matmul(blended[..., :3, :3], x[..., None])[..., 0] + blended[..., :3, 3])[0]


def _rotations(pose: BodyPose) -> Float[Tensor, "24 3 3"]:
    """Return rotation matrices by Rodrigues' formula."""
    angle = torch.norm(pose.joints + ANGLE_EPS, dim=1, keepdim=True)
    x, y, z = (pose.joints / angle).unbind(dim=1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).unflatten(1, (3, 3))
    identity = torch.eye(3, dtype=x.dtype, device=x.device)
    angle = angle[:, None]
    return identity + angle.sin() * cross + (1 - angle.cos()) * torch.matmul(cross, cross)


def _joint_transforms(body: BodyModel, pose: BodyPose) -> Float[Tensor, "1 24 4 4"]:
    """Return each joint's transform from the rest pose to the posed body, in body space."""
    shaped = body.v_template + (body.shapedirs * pose.betas).sum(dim=-1)
    joints = torch.matmul(body.J_regressor[None], shaped[None])
    bones = torch.cat([joints[:, :1], joints[:, 1:] - joints[:, list(body.parents[1:])]], dim=1)
    last = joints.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(1, len(body.parents), 1, 4)
    local = torch.cat([torch.cat([_rotations(pose)[None], bones[..., None]], dim=-1), last], dim=-2)
    chain = [local[:, 0]]
    for joint, parent in enumerate(body.parents[1:], start=1):
        chain.append(torch.matmul(chain[parent], local[:, joint]))
    posed = torch.stack(chain, dim=1)
    homogeneous = torch.cat([joints, torch.zeros_like(joints[..., :1])], dim=-1)
    moved = (posed * homogeneous[:, :, None]).sum(dim=3)
    return torch.cat([posed[..., :3], (posed[..., 3] - moved)[..., None]], dim=-1)


def _blend(body: BodyModel, transforms: Float[Tensor, "1 24 4 4"]) -> Float[Tensor, "1 vertex 4 4"]:
    return torch.matmul(body.weights[None], transforms.flatten(start_dim=2)).unflatten(-1, (4, 4))


def _pose_offsets(body: BodyModel, rotations: Float[Tensor, "24 3 3"]) -> Float[Tensor, "1 vertex 3"]:
    if body.posedirs is None:
        return torch.zeros_like(body.v_template)[None]
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    features = (rotations[1:] - identity).reshape(1, 1, -1)
    return torch.matmul(features, body.posedirs.flatten(end_dim=1).T[None]).view(1, -1, 3)
