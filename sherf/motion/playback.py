"""Play a motion on a subject: scale its steps to the legs, and place it in the subject's world."""

from dataclasses import replace

from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from sherf.body.skeleton import joint_index
from sherf.errors import BadInput
from sherf.motion.motion import Motion, as_tensor, yaw_rotation
from sherf.scene import BodyPose

MOTION_LEG_M = 0.791
"""Leg height that every motion's translation refers to: hip above ankle of the mean open body at rest."""


def leg_height(rest_joints: Float[Tensor, "24 3"]) -> float:
    """Return the height of the hips above the ankles in the rest pose, metres, by which translations are scaled.

    Args:
        rest_joints: joint positions in the rest pose, y up, metres.

    Raises:
        BadInput: the hips are not above the ankles.
    """
    hips, ankles = ([joint_index(f"{side}_{name}") for side in ("left", "right")] for name in ("hip", "ankle"))
    height = float((rest_joints[hips, 1] - rest_joints[ankles, 1]).mean())
    if not height > 0:
        raise BadInput(
            f"the body model's hips are {height:.2f} m above its ankles in the rest pose: expected a y-up body with "
            "legs. No motion can be scaled to it."
        )
    return height


def scale_to_legs(motion: Motion, leg_height_m: float) -> Motion:
    """Scale a motion's translation from the mean open body's legs to those of a subject, so that steps fit them.

    Args:
        motion: a motion at `MOTION_LEG_M`.
        leg_height_m: the subject's, from `leg_height`.

    Returns:
        The motion with a scaled translation, metres; joints are unchanged.
    """
    return replace(motion, translation=motion.translation * (leg_height_m / MOTION_LEG_M))


def apply(motion: Motion, pose: BodyPose, frames: slice = slice(None), leg_height_m: float = MOTION_LEG_M) -> BodyPose:
    """Play a motion on a subject: the subject's shape and position, the motion's joint rotations.

    World space is y up. The motion starts at the subject's pelvis, in the direction the subject faces. Only this yaw
    of the subject's orientation is kept, so a body that was fitted leaning, or under a tilted camera, plays the motion
    upright. R_world_body is unchanged, and since joint 0 rotates the body about its pelvis, the pelvis stays in place
    for any shape.

    Args:
        motion: in motion space.
        pose: the subject, without a frame axis.
        frames: which frames to return; the position of each does not depend on this choice.
        leg_height_m: the subject's, from `leg_height(body.rest_joints(pose.betas))`; the translation is scaled to it,
            so that longer legs take longer steps and feet stay on the ground. The default leaves it unscaled.

    Returns:
        Poses with a frame axis, in world space, on the device and of the type of `pose`.
    """
    dtype, device = pose.joints.dtype, pose.joints.device
    R_world_body = pose.R_world_body.detach().cpu().double().numpy()
    placement = Rotation.from_matrix(R_world_body)
    R_world_motion = yaw_rotation(placement * Rotation.from_rotvec(pose.joints[0].detach().cpu().double().numpy()))

    joints = motion.joints[frames].clone()
    R_body_motion = placement.inv() * R_world_motion
    joints[:, 0] = as_tensor((R_body_motion * Rotation.from_rotvec(joints[:, 0].numpy())).as_rotvec())
    travel = as_tensor(R_world_motion.apply(scale_to_legs(motion, leg_height_m).translation[frames].numpy()))
    count = joints.shape[0]
    return BodyPose(
        betas=pose.betas.expand(count, -1),
        joints=joints.to(device, dtype),
        R_world_body=pose.R_world_body.expand(count, -1, -1),
        T_world_body=pose.T_world_body + travel.to(device, dtype),
        displacement=None if pose.displacement is None else pose.displacement.expand(count, -1, -1),
    )
