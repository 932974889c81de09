"""Motions changed: faster, cut, smoothed, made to come round."""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from sherf.errors import BadInput
from sherf.motion.motion import Motion, as_tensor, on_the_spot, quaternions, trim
from sherf.motion.options import MotionOptions

SPEEDS = (0.05, 20.0)
LONGEST_SMOOTHING_S = 2.0
BLEND_SHARE, LONGEST_BLEND_S = 0.25, 0.5
"""Of a motion that comes round: so much of its end becomes its beginning, at most so long."""


def edited_motion(motion: Motion, options: MotionOptions) -> Motion:
    """The motion as the options want it: cut, then smoothed, made to come round, on the spot, faster.

    Raises:
        BadInput: an option cannot be, or nothing would be left.
    """
    if not SPEEDS[0] <= options.speed <= SPEEDS[1]:
        raise BadInput(f"--speed {options.speed:g} is not possible: choose {SPEEDS[0]:g} to {SPEEDS[1]:g}.")
    if not 0 <= options.smooth <= LONGEST_SMOOTHING_S:
        raise BadInput(f"--smooth {options.smooth:g} is not possible: choose 0 to {LONGEST_SMOOTHING_S:g} seconds.")
    begin, end = options.begin, motion.seconds if options.end is None else options.end
    for name, moment in (("begin", begin), ("end", end)):
        if not math.isfinite(moment):
            raise BadInput(f"--{name} {moment:g} is not possible: give seconds, from 0 to {motion.seconds:.2f}.")
    if not 0 <= begin < end or begin >= motion.seconds:
        raise BadInput(
            f"the motion {motion.name} takes {motion.seconds:.2f} s: nothing lies from {begin:g} to {end:g} s."
        )
    motion = trim(motion, round(begin * motion.fps), max(round(end * motion.fps), round(begin * motion.fps) + 1))
    if options.smooth > 0:
        motion = smoothed(motion, options.smooth)
    if options.loop:
        motion = looped(motion)
    if options.in_place:
        motion = on_the_spot(motion)
    if options.speed == 1:
        return motion
    return replace(motion, fps=motion.fps * options.speed, pace=motion.pace * options.speed)


def smoothed(motion: Motion, seconds: float) -> Motion:
    """Rotations and way averaged over a Gaussian window.

    Args:
        seconds: the window's standard deviation.
    """
    sigma = seconds * motion.fps
    turns = gaussian_filter1d(quaternions(motion), sigma, axis=0, mode="nearest")
    way = gaussian_filter1d(motion.translation.double().numpy(), sigma, axis=0, mode="nearest")
    return replace(motion, joints=_rotation_vectors(turns), translation=as_tensor(way - way[0]))


def looped(motion: Motion) -> Motion:
    """A motion whose end flows into its beginning: its last frames are blended into its first, which are left out.

    The way goes on at a blended speed, so that a walk walks on when it is repeated; the height comes round.
    """
    count = len(motion)
    blend = min(int(BLEND_SHARE * count), int(LONGEST_BLEND_S * motion.fps))
    if blend < 1:
        return motion
    turns, way = quaternions(motion), motion.translation.double().numpy()
    share = (np.arange(1, blend + 1) / (blend + 1))[:, None]
    speed = np.diff(way, axis=0, prepend=way[:1])
    ends, begins = slice(count - blend, count), slice(0, blend)
    near = turns[begins] * np.sign((turns[begins] * turns[ends]).sum(axis=-1, keepdims=True))
    weight = share[..., None]
    joints = np.concatenate([turns[blend : count - blend], (1 - weight) * turns[ends] + weight * near])
    steps = np.concatenate([speed[blend : count - blend], (1 - share) * speed[ends] + share * speed[begins]])
    height = np.concatenate(
        [way[blend : count - blend, 1], ((1 - share) * way[ends, 1:2] + share * way[begins, 1:2])[:, 0]]
    )
    moved = np.cumsum(steps, axis=0) - steps[0]
    moved[:, 1] = height - height[0]
    return replace(motion, joints=_rotation_vectors(joints), translation=as_tensor(moved))


def _rotation_vectors(turns: Float[np.ndarray, "frame 24 4"]) -> Float[torch.Tensor, "frame 24 3"]:
    return as_tensor(Rotation.from_quat(turns.reshape(-1, 4)).as_rotvec().reshape(*turns.shape[:2], 3))
