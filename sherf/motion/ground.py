"""Fit a motion to a body: steps scaled to its legs, soles on the ground, feet without sliding."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.motion.foot_contacts import estimate_stride_scale, plant_feet
from sherf.motion.leg_ik import measure_legs
from sherf.motion.motion import Motion
from sherf.motion.playback import apply, leg_height, scale_to_legs

VERSION = 2
"""Raised whenever results change."""
MAX_SAMPLED_FRAMES = 200
"""Frames, evenly spread, in which the ground is searched."""
VERTEX_STRIDE = 4
"""Only every so many of the body's vertices are posed."""
GROUND_QUANTILE = 0.02
"""Share of the frames in which the body may be below the ground; they count as noise."""


def ground_motion(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Motion:
    """Fit a motion to a body shape: scale it to the legs, put it on the ground, and plant its feet.

    The ground is at the height of the body's soles at rest. Jumps stay jumps; bent knees do not float.

    Args:
        motion: in motion space, at the mean open body's scale.
        body: the body model that plays it.
        betas: the body's shape, on the body's device.

    Returns:
        The motion at the body's scale: call `apply` without `leg_height_m`.

    Raises:
        BadInput: the body's hips are not above its ankles.
    """
    mean_betas = torch.zeros_like(betas)
    mean_motion = _move_to_ground(motion, body, mean_betas)
    mean_legs = measure_legs(mean_motion, body, mean_betas)
    stride_scale = estimate_stride_scale(mean_legs, mean_motion)
    if stride_scale != 1:
        motion = replace(motion, translation=motion.translation * stride_scale)
        mean_motion = _move_to_ground(motion, body, mean_betas)
        mean_legs = measure_legs(mean_motion, body, mean_betas)
    if not betas.any():
        return plant_feet(mean_motion, mean_legs, mean_legs)
    grounded = _move_to_ground(motion, body, betas)
    return plant_feet(grounded, measure_legs(grounded, body, betas), mean_legs)


def _move_to_ground(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Motion:
    """Scale a motion to the body's legs and shift it vertically, so that its lowest frames touch the ground."""
    leg_height_m = leg_height(body.rest_joints(betas).cpu())
    vertices = torch.arange(0, len(body.v_template), VERTEX_STRIDE, device=body.device)
    frames = torch.linspace(0, len(motion) - 1, min(len(motion), MAX_SAMPLED_FRAMES)).round().long()
    sampled = replace(motion, joints=motion.joints[frames], translation=motion.translation[frames])
    rest = body.rest_pose(betas)
    poses = apply(sampled, rest, leg_height_m=leg_height_m)
    lowest = body.pose_vertices(poses, vertices)[0][..., 1].amin(dim=1).quantile(GROUND_QUANTILE)
    sole = body.pose_vertices(rest, vertices)[0][..., 1].amin()
    offset = motion.translation.new_tensor([0.0, float(sole - lowest), 0.0])
    scaled = scale_to_legs(motion, leg_height_m)
    return replace(scaled, translation=scaled.translation + offset)
