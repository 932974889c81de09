"""Where to put a camera so that a person fills the picture."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import intrinsics, orbit, turntable
from sherf.scene import BodyPose, Camera

CameraPath = Literal["still", "turntable", "orbit"]
MOMENTS = 40
"""Of a movement, that the picture must hold."""
FIELD_OF_VIEW = math.radians(28)  # a portrait lens: little distortion, yet some perspective
MARGIN = 0.9  # share of the picture that the person may fill


def frame_person(
    vertices: Float[Tensor, "*frame vertex 3"], like: Camera, size: tuple[int, int]
) -> tuple[Camera, Float[Tensor, " 3"]]:
    """Return a camera that shows all vertices from every side, and the centre to turn about.

    The camera stands on the same side as `like`, level, at the height of the centre. A cylinder around the
    vertical axis holds the person, so that nothing is cut off while the camera turns.
    """
    points = vertices.reshape(-1, 3)
    low, high = points.min(dim=0).values, points.max(dim=0).values
    centre = (low + high) / 2
    radius = float((points - centre)[:, [0, 2]].norm(dim=-1).max())
    half_height = float(high[1] - low[1]) / 2
    height, width = size
    focal = min(height, width) / 2 / math.tan(FIELD_OF_VIEW / 2)
    distance = max(
        radius + focal * half_height / (MARGIN * height / 2),
        radius * math.sqrt(1 + (focal / (MARGIN * width / 2)) ** 2),
    )
    forward = like.R[2] * like.R.new_tensor([1.0, 0.0, 1.0])
    if float(forward.norm()) < 1e-3:  # a camera that looks straight down has no side: take the front
        forward = like.R.new_tensor([0.0, 0.0, -1.0])
    forward = forward / forward.norm()
    down = like.R.new_tensor([0.0, -1.0, 0.0])
    R = torch.stack([torch.linalg.cross(down, forward), down, forward])
    T = like.T.new_tensor([0.0, 0.0, distance]) - R @ centre
    return Camera(intrinsics(focal, size), R, T, size), centre


def camera_path(
    path: CameraPath,
    outline: Callable[[BodyPose], Tensor],
    like: Camera,
    poses: BodyPose,
    frames: int,
    size: int,
) -> Camera:
    """Cameras that keep the person in the picture in all poses, with a view axis.

    Args:
        outline: of the person, clothes included (`Renderer.outline`).
        like: as in `frame_person`.
        poses: one, or one for each frame.
        size: of the square pictures, pixels.
    """
    moments = [poses] if poses.joints.ndim == 2 else [poses[i] for i in range(0, frames, max(frames // MOMENTS, 1))]
    surfaces = torch.stack([outline(pose).cpu() for pose in moments])
    base, centre = frame_person(surfaces, like, (size, size))
    if path == "orbit":
        return orbit(base, centre, frames)
    return turntable(base, centre, frames, degrees=0.0 if path == "still" else 360.0)
