"""Change a motion's frames: trim, resample and repeat it."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from sherf.errors import BadInput
from sherf.motion.checked_arrays import MAX_FRAMES, check_frame_rate
from sherf.motion.motion import Motion, as_tensor, move_to_origin


def trim(motion: Motion, start: int = 0, stop: int | None = None) -> Motion:
    """Return frames [start, stop) as a motion of their own: it starts at the origin, facing +z.

    Args:
        motion: the motion to cut.
        start: first frame, as in a slice.
        stop: frame after the last, as in a slice; the end if not given.

    Returns:
        The trimmed motion; `motion` itself if nothing is cut.

    Raises:
        BadInput: no frames would be left.
    """
    first, end, _ = slice(start, stop).indices(len(motion))
    if first >= end:
        raise BadInput(
            f"motion {motion.name} has {len(motion)} frames; none are left from {start} to {stop}.\n"
            f"Choose 0 <= start < stop <= {len(motion)}."
        )
    if (first, end) == (0, len(motion)):
        return motion
    joints, translation = move_to_origin(motion.joints[first:end].numpy(), motion.translation[first:end].numpy())
    return replace(motion, joints=joints, translation=translation)


def resample(motion: Motion, fps: float) -> Motion:
    """Resample a motion to another frame rate: joints by spherical, translation by linear interpolation.

    New frames lie at multiples of 1 / fps, from the first frame to no later than the last. Rotations follow the
    shortest arc (Shoemake, "Animating Rotation with Quaternion Curves", 1985).

    Args:
        motion: the motion to resample.
        fps: new frame rate, frames per second.

    Returns:
        The same movement at the new frame rate.

    Raises:
        BadInput: the frame rate is out of range, or there would be more than `MAX_FRAMES` frames.
    """
    fps = check_frame_rate("the requested motion", fps)
    if fps == motion.fps or len(motion) == 1:
        return replace(motion, fps=fps)
    times = np.arange(len(motion)) / motion.fps
    # the tolerance keeps rounding from dropping the last frame
    count = int(times[-1] * fps + 1e-6) + 1
    if count > MAX_FRAMES:
        raise BadInput(
            f"the motion {motion.name} takes {motion.seconds:.0f} s: {count} frames at {fps:g} frames per second, "
            f"more than the maximum of {MAX_FRAMES}.\nTrim it with --begin and --end, play it faster, or lower the "
            "frame rate."
        )
    new_times = np.arange(count) / fps
    new_times = new_times.clip(max=times[-1])
    joints = [Slerp(times, Rotation.from_rotvec(joint))(new_times).as_rotvec() for joint in _joint_tracks(motion)]
    translation = [np.interp(new_times, times, axis) for axis in motion.translation.numpy().T]
    return replace(
        motion, joints=as_tensor(np.stack(joints, 1)), translation=as_tensor(np.stack(translation, 1)), fps=fps
    )


def repeat_motion(motion: Motion, frames: int) -> Motion:
    """Repeat a motion to a number of frames; each repetition starts where the previous one ended.

    A walk keeps walking. At each seam the body repeats its last horizontal step; its height restarts.

    Args:
        motion: the motion to repeat.
        frames: number of frames of the result; fewer than the motion has truncate it.

    Returns:
        The repeated motion.
    """
    index = torch.arange(frames)
    last_step = motion.translation[-1] - motion.translation[max(len(motion) - 2, 0)]
    advance = (motion.translation[-1] + last_step) * motion.translation.new_tensor([1.0, 0.0, 1.0])
    rounds = (index // len(motion))[:, None]
    source_frames = index % len(motion)
    return replace(
        motion,
        joints=motion.joints[source_frames],
        translation=motion.translation[source_frames] + rounds * advance,
    )


def _joint_tracks(motion: Motion) -> Float[np.ndarray, "24 frame 3"]:
    return motion.joints.double().numpy().transpose(1, 0, 2)
