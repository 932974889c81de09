"""A motion on somebody's own body: steps as long as their legs make them, and what touches the ground on it."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.model import BodyModel
from sherf.motion import Motion, apply, leg_height, scaled

MOST_FRAMES = 200
"""Looked at, evenly spread."""
STRIDE = 4
"""Of the body's vertices: every so many are looked at."""
TOUCHING = 0.02
"""Share of the frames in which the body may be lower than the ground that is found: noise."""


def grounded(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Motion:
    """The motion scaled to a body's legs, moved up or down as a whole so that its lowest moments are on the ground.

    Ground is where the body's soles are at rest. A jump stays a jump; bent knees do not float.

    Args:
        betas: of the body's shape, on its device.
    """
    legs = leg_height(body.rest_joints(betas).cpu())
    some = torch.arange(0, len(body.v_template), STRIDE, device=body.device)
    frames = torch.linspace(0, len(motion) - 1, min(len(motion), MOST_FRAMES)).round().long()
    shown = replace(motion, joints=motion.joints[frames], translation=motion.translation[frames])
    rest = body.rest_pose(betas)
    poses = apply(shown, rest, leg_height_m=legs)
    lowest = body.pose_vertices(poses, some)[0][..., 1].amin(dim=1).quantile(TOUCHING)
    sole = body.pose_vertices(rest, some)[0][..., 1].amin()
    up = motion.translation.new_tensor([0.0, float(sole - lowest), 0.0])
    own = scaled(motion, legs)
    return replace(own, translation=own.translation + up)
