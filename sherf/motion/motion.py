"""The `Motion` type and its frame of reference.

Motion space is y up, in metres; a motion starts at the origin, facing +z. Readers convert other conventions to it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

LYING_ANGLE_DEGREES = 20.0
"""A body whose facing direction is this near to the vertical lies: its heading is then that of its head."""


@dataclass(frozen=True)
class Motion:
    """A movement of SMPL's 24 joints, independent of body shape. Motion space: y up, starts at 0, facing +z."""

    name: str
    joints: Float[Tensor, "frame 24 3"]
    """Parent-relative rotations, axis-angle in radians; joint 0 is the global orientation about the pelvis."""
    translation: Float[Tensor, "frame 3"]
    """Root trajectory: position of the pelvis relative to its first frame, metres."""
    fps: float
    licence: str = ""
    source: str = ""
    """Human-readable summary of the file's format and conventions."""
    playback_speed: float = 1.0
    """Speed factor relative to the recorded movement; velocity thresholds apply to the recorded movement."""

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.joints.shape[0]

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self) / self.fps


def move_to_origin(
    joints: Float[np.ndarray, "frame 24 3"], translation: Float[np.ndarray, "frame 3"]
) -> tuple[Float[Tensor, "frame 24 3"], Float[Tensor, "frame 3"]]:
    """Translate and yaw a y-up motion so that it starts at the origin, facing +z.

    Args:
        joints: parent-relative rotations, axis-angle in radians; joint 0 in the file's y-up world.
        translation: root trajectory in the same world, metres.

    Returns:
        Joints and translation of a `Motion`, single precision.
    """
    R_motion_file = yaw_rotation(Rotation.from_rotvec(joints[0, 0])).inv()
    joints = joints.copy()
    joints[:, 0] = (R_motion_file * Rotation.from_rotvec(joints[:, 0])).as_rotvec()
    return as_tensor(joints), as_tensor(R_motion_file.apply(translation - translation[0]))


def yaw_rotation(orientation: Rotation) -> Rotation:
    """Return the rotation about +y of a global orientation.

    The heading is where the body faces; for a body lying on its back or front, it is where the head points, mirrored
    so that it equals the heading before the body lay down.
    """
    forward, up = orientation.apply([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    is_lying = abs(forward[1]) > np.cos(np.radians(LYING_ANGLE_DEGREES))
    heading = -np.sign(forward[1]) * up if is_lying else forward
    return Rotation.from_rotvec([0.0, np.arctan2(heading[0], heading[2]), 0.0])


def continuous_quaternions(motion: Motion) -> Float[np.ndarray, "frame 24 4"]:
    """Return all joint rotations as unit quaternions (x, y, z, w), with signs that allow blending neighbouring frames.

    q and -q are the same rotation; each frame takes the sign nearer to the frame before.
    """
    quaternions = (
        Rotation.from_rotvec(motion.joints.double().numpy().reshape(-1, 3)).as_quat().reshape(len(motion), -1, 4)
    )
    flips = np.sign((quaternions[1:] * quaternions[:-1]).sum(axis=-1, keepdims=True))
    signs = np.cumprod(np.concatenate([np.ones_like(flips[:1]), np.where(flips == 0, 1.0, flips)]), axis=0)
    return quaternions * signs if len(motion) > 1 else quaternions


def as_tensor(array: NDArray) -> Float[Tensor, "..."]:
    """Return the array as a contiguous single-precision tensor on the CPU."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
