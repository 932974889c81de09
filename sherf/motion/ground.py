"""A motion on somebody's own body: steps as long as their legs make them, on its ground, with feet that stand."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.motion.foot_contacts import planted, stride
from sherf.motion.leg_ik import legs_of
from sherf.motion.motion import Motion, apply, leg_height, scaled

VERSION = 2
"""Raised whenever other numbers come out."""
MOST_FRAMES = 200
"""Looked at, evenly spread."""
STRIDE = 4
"""Of the body's vertices: every so many are looked at."""
TOUCHING = 0.02
"""Share of the frames in which the body may be lower than the ground that is found: noise."""


def grounded(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Motion:
    """The motion on a body of this shape: scaled to its legs, on its ground, and where feet stand, they stand.

    Ground is where the body's soles are at rest. A jump stays a jump; bent knees do not float. What comes of it is
    played as it is: `apply` without a leg's height.

    Args:
        betas: of the body's shape, on its device.
    """
    mean = torch.zeros_like(betas)
    source = _on_its_ground(motion, body, mean)
    like = legs_of(source, body, mean)
    share = stride(like, source)
    if share != 1:
        motion = replace(motion, translation=motion.translation * share)
        source = _on_its_ground(motion, body, mean)
        like = legs_of(source, body, mean)
    if not betas.any():
        return planted(source, like, like)
    own = _on_its_ground(motion, body, betas)
    return planted(own, legs_of(own, body, betas), like)


def _on_its_ground(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Motion:
    """Scaled to the body's legs, and moved up or down as a whole so that its lowest moments are on the ground."""
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
