"""Edit a motion: trim, smooth, loop, remove its travel, change its speed."""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from sherf.errors import BadInput
from sherf.motion.motion import Motion, as_tensor, continuous_quaternions
from sherf.motion.options import MotionOptions
from sherf.motion.resample import trim

SPEED_RANGE = (0.05, 20.0)
MAX_SMOOTHING_S = 2.0
LOOP_BLEND_SHARE, MAX_LOOP_BLEND_S = 0.25, 0.5
"""Length of the blend of a loop: this share of the motion, but no more than so many seconds."""
MAX_DRIFT_M = 0.3
"""A body that stays within this distance of a steady straight path stands or walks straight; sitting down moves the
pelvis by less."""
SWAY_SMOOTHING_S = 0.5
"""Standard deviation of the window that separates travel from the sway of steps, whose period is about a second."""


def edit_motion(motion: Motion, options: MotionOptions) -> Motion:
    """Apply the options to a motion, in this order: trim, smooth, loop, in place, speed.

    Args:
        motion: the motion to edit.
        options: what to do; times are in seconds of `motion`.

    Returns:
        The edited motion. `speed` changes its frame rate, not its frames.

    Raises:
        BadInput: an option is out of range, or no frames would be left.
    """
    motion = _trim_seconds(motion, options)
    if options.smooth > 0:
        motion = smooth_motion(motion, options.smooth)
    if options.loop:
        motion = loop_motion(motion)
    if options.in_place:
        motion = make_in_place(motion)
    if options.speed == 1:
        return motion
    return replace(motion, fps=motion.fps * options.speed, playback_speed=motion.playback_speed * options.speed)


def _trim_seconds(motion: Motion, options: MotionOptions) -> Motion:
    """Return the motion from `begin` to `end`, after checking the ranges of all options.

    Raises:
        BadInput: an option is out of range, or no frames would be left.
    """
    if not SPEED_RANGE[0] <= options.speed <= SPEED_RANGE[1]:
        low, high = SPEED_RANGE
        raise BadInput(f"--speed {options.speed:g} is out of range: choose {low:g} to {high:g}.")
    if not 0 <= options.smooth <= MAX_SMOOTHING_S:
        raise BadInput(f"--smooth {options.smooth:g} is out of range: choose 0 to {MAX_SMOOTHING_S:g} seconds.")
    begin, end = options.begin, motion.seconds if options.end is None else options.end
    for name, seconds in (("begin", begin), ("end", end)):
        if not math.isfinite(seconds):
            raise BadInput(f"--{name} {seconds:g} is out of range: choose 0 to {motion.seconds:.2f} seconds.")
    if not 0 <= begin < end or begin >= motion.seconds:
        raise BadInput(
            f"the motion {motion.name} takes {motion.seconds:.2f} s: nothing is left from {begin:g} to {end:g} s.\n"
            f"Choose 0 <= --begin < --end <= {motion.seconds:.2f}."
        )
    first = round(begin * motion.fps)
    return trim(motion, first, max(round(end * motion.fps), first + 1))


def smooth_motion(motion: Motion, seconds: float) -> Motion:
    """Smooth rotations and root trajectory with a Gaussian window.

    Rotations are averaged as quaternions, component by component, which is accurate for nearby rotations.

    Args:
        motion: the motion to smooth.
        seconds: standard deviation of the window.

    Returns:
        The smoothed motion, starting at the origin.
    """
    sigma = seconds * motion.fps
    quaternions = gaussian_filter1d(continuous_quaternions(motion), sigma, axis=0, mode="nearest")
    trajectory = gaussian_filter1d(motion.translation.double().numpy(), sigma, axis=0, mode="nearest")
    return replace(motion, joints=_rotation_vectors(quaternions), translation=as_tensor(trajectory - trajectory[0]))


def loop_motion(motion: Motion) -> Motion:
    """Make a motion loop: its last frames are blended into its first, which are left out.

    Horizontal velocity is blended, so that a repeated walk keeps walking; height is blended by value.

    Args:
        motion: the motion to loop; one too short to blend is returned unchanged.

    Returns:
        A motion shorter by the blend, whose last frame leads into its first.
    """
    count = len(motion)
    blend = min(int(LOOP_BLEND_SHARE * count), int(MAX_LOOP_BLEND_S * motion.fps))
    if blend < 1:
        return motion
    quaternions, trajectory = continuous_quaternions(motion), motion.translation.double().numpy()
    share = (np.arange(1, blend + 1) / (blend + 1))[:, None]
    velocity = np.diff(trajectory, axis=0, prepend=trajectory[:1])
    head, middle, tail = slice(0, blend), slice(blend, count - blend), slice(count - blend, count)
    signs = np.sign((quaternions[head] * quaternions[tail]).sum(axis=-1, keepdims=True))
    blended = (1 - share[..., None]) * quaternions[tail] + share[..., None] * (quaternions[head] * signs)
    steps = np.concatenate([velocity[middle], (1 - share) * velocity[tail] + share * velocity[head]])
    height = np.concatenate(
        [trajectory[middle, 1], ((1 - share) * trajectory[tail, 1:2] + share * trajectory[head, 1:2])[:, 0]]
    )
    looped = np.cumsum(steps, axis=0) - steps[0]
    looped[:, 1] = height - height[0]
    joints = _rotation_vectors(np.concatenate([quaternions[middle], blended]))
    return replace(motion, joints=joints, translation=as_tensor(looped))


def make_in_place(motion: Motion) -> Motion:
    """Remove horizontal travel along any path, as on a treadmill; height and the sway within a step are kept.

    If the body stays within `MAX_DRIFT_M` of a steady straight path, only that path is removed, so that feet planted
    on the ground stay planted.

    Args:
        motion: the motion to hold in place.

    Returns:
        The motion with a changed translation; joints are unchanged.
    """
    horizontal = motion.translation.new_tensor([1.0, 0.0, 1.0])
    share = torch.linspace(0, 1, len(motion), dtype=horizontal.dtype)
    in_place = motion.translation - share[:, None] * motion.translation[-1] * horizontal
    drift = ((in_place - in_place.mean(dim=0)) * horizontal).norm(dim=-1).max()
    if drift <= MAX_DRIFT_M:
        return replace(motion, translation=in_place)
    sway = in_place.double().numpy()
    for _ in range(2):  # one pass would leave a twentieth of a wide curve
        sway = sway - _smooth_path(sway, SWAY_SMOOTHING_S * motion.fps)
    return replace(motion, translation=torch.where(horizontal > 0, as_tensor(sway), motion.translation))


def _smooth_path(path: Float[np.ndarray, "frame 3"], sigma: float) -> Float[np.ndarray, "frame 3"]:
    """Average a path over a Gaussian window, in frames; odd reflection at its ends keeps the end points."""
    margin = int(4 * sigma) + 1
    extended = np.pad(path, ((margin, margin), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(extended, sigma, axis=0, mode="nearest")[margin:-margin]


def _rotation_vectors(quaternions: Float[np.ndarray, "frame 24 4"]) -> Float[torch.Tensor, "frame 24 3"]:
    return as_tensor(Rotation.from_quat(quaternions.reshape(-1, 4)).as_rotvec().reshape(*quaternions.shape[:2], 3))
