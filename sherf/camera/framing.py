"""Place cameras so that a person fills the frame."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import intrinsics, orbit, turntable
from sherf.scene import BodyPose, Camera

CameraPath = Literal["still", "turntable", "orbit"]
MAX_FRAMED_POSES = 40
"""About as many poses of a motion, evenly spread, are kept in the frame."""
FIELD_OF_VIEW = math.radians(28)  # a portrait lens: little distortion, yet some perspective
MARGIN = 0.9  # share of the frame that the person may fill


def frame_person(
    vertices: Float[Tensor, "*frame vertex 3"], reference: Camera, size: tuple[int, int]
) -> tuple[Camera, Float[Tensor, " 3"]]:
    """Place a level camera that shows all vertices and keeps doing so while it rotates about the vertical axis.

    The camera is at the height of the vertices' centre. It frames a cylinder around the vertical axis that holds the
    person, so that nothing is cut off from any side.

    Args:
        vertices: the person in world space, metres, in all poses to be shown.
        reference: one camera without a view axis, such as the photo's: the new one is on the same side of the person.
        size: of the image, (height, width) in pixels.

    Returns:
        One camera without a view axis, and the centre to rotate about in world space, metres.
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
    forward = reference.R[2] * reference.R.new_tensor([1.0, 0.0, 1.0])
    if float(forward.norm()) < 1e-3:  # the reference looks straight down or up: use the front
        forward = reference.R.new_tensor([0.0, 0.0, -1.0])
    forward = forward / forward.norm()
    down = reference.R.new_tensor([0.0, -1.0, 0.0])
    R = torch.stack([torch.linalg.cross(down, forward), down, forward])
    T = reference.T.new_tensor([0.0, 0.0, distance]) - R @ centre
    return Camera(intrinsics(focal, size), R, T, size), centre


def camera_path(
    path: CameraPath,
    outline: Callable[[BodyPose], Tensor],
    reference: Camera,
    poses: BodyPose,
    frames: int,
    size: int,
) -> Camera:
    """Return one camera per frame, in world space, that keep the person in the frame in all poses.

    Args:
        path: a still camera, a full circle, or a swing to both sides and back.
        outline: maps a pose to points on the person's surface, clothes included (`Renderer.outline`).
        reference: as in `frame_person`.
        poses: one pose without a frame axis, or one for each frame.
        frames: number of cameras.
        size: height and width of the square images, pixels.
    """
    step = max(frames // MAX_FRAMED_POSES, 1)
    framed = [poses] if poses.joints.ndim == 2 else [poses[i] for i in range(0, frames, step)]
    surfaces = torch.stack([outline(pose).cpu() for pose in framed])
    base, centre = frame_person(surfaces, reference, (size, size))
    if path == "orbit":
        return orbit(base, centre, frames)
    return turntable(base, centre, frames, degrees=0.0 if path == "still" else 360.0)
