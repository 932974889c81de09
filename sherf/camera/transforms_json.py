"""Read and write camera files in NeRF-studio's transforms.json format: camera paths that users bring.

Each frame has a camera-to-world 4x4 matrix with OpenGL axes (+x right, +y up, +z backward); fl_x, fl_y, cx, cy, w, h
are given in the frame or, for all frames, at the top level. World axes are not converted: metres, y up, as here.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.errors import BadInput
from sherf.files.output import write_json
from sherf.scene import Camera

MAX_SIZE = 16384
"""Pixels along an edge; larger images are taken for a mistake."""

ROTATION_TOLERANCE = 1e-3
"""Largest deviation of R R^T from the identity: files round their numbers."""

LENS_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
SHARED = ("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_model", *LENS_DISTORTION)
"""Keys that may be given at the top level for all frames."""
MAX_BYTES, MAX_FRAMES = 32 * 2**20, 20_000


def read_cameras(path: Path) -> Camera:
    """Read the cameras of a transforms.json file.

    Args:
        path: the file.

    Returns:
        Cameras with a view axis, one per frame in the file's order.

    Raises:
        BadInput: the file is missing, is not such a file, or contains something other than pinhole cameras of one size.
    """
    content = _read_document(path)
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
        raise BadInput(f'{path} has no "frames": a list with one entry per camera, each with a "transform_matrix".')
    if len(frames) > MAX_FRAMES:
        raise BadInput(f"{path} has {len(frames)} frames; at most {MAX_FRAMES} are read. Shorten it.")
    shared = {key: content[key] for key in SHARED if key in content}
    intrinsics, poses, sizes = [], [], []
    for number, frame in enumerate(frames):
        where = f"frame {number} of {path}"
        # a frame's own values override the file's
        values = shared | frame
        size = _whole(values, "h", where), _whole(values, "w", where)
        intrinsics.append(_intrinsics(values, size, where))
        poses.append(_camera_to_world(frame, where))
        sizes.append(size)
        if size != sizes[0]:
            raise BadInput(f"{where} is {size[1]}x{size[0]}, the first {sizes[0][1]}x{sizes[0][0]}: sizes must agree.")
    # camera to world, OpenGL -> world to camera, OpenCV; in double precision
    pose = torch.tensor(poses, dtype=torch.float64)
    R = (pose[:, :3, :3] * pose.new_tensor([1.0, -1.0, -1.0])).transpose(1, 2)
    T = -torch.einsum("fij,fj->fi", R, pose[:, :3, 3])
    return Camera(torch.tensor(intrinsics), R.float(), T.float(), sizes[0])


def _read_document(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        BadInput: it is missing, too large, or not JSON.
    """
    if not path.is_file():
        raise BadInput(f"no camera file at {path}: give a transforms.json as written by NeRF-studio.")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(f"{path} is too large for a camera file ({size >> 20} MB): give a transforms.json.")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as JSON ({error}): give a transforms.json.") from error


def write_cameras(path: Path, camera: Camera) -> None:
    """Write cameras to a transforms.json file, as `read_cameras` and NeRF-studio's viewers read it.

    Args:
        path: the file, replaced if it exists.
        camera: with a view axis; skew is not stored.

    Raises:
        OutputError: the file cannot be written.
    """
    height, width = camera.size
    frames = []
    for number in range(len(camera)):
        K = camera.K[number].tolist()
        frames.append(
            {
                "file_path": f"frames/{number:04d}.png",
                "fl_x": K[0][0],
                "fl_y": K[1][1],
                "cx": K[0][2],
                "cy": K[1][2],
                "transform_matrix": _opengl_matrix(camera[number]),
            }
        )
    write_json(path, {"camera_model": "PINHOLE", "w": width, "h": height, "frames": frames})


def _opengl_matrix(camera: Camera) -> list[list[float]]:
    """Return the camera-to-world matrix, with OpenGL axes, of one camera."""
    matrix = torch.eye(4, dtype=torch.float64)
    R = camera.R.detach().cpu().double()
    matrix[:3, :3] = R.T * R.new_tensor([1.0, -1.0, -1.0])
    matrix[:3, 3] = -R.T @ camera.T.detach().cpu().double()
    return matrix.tolist()


def _intrinsics(values: dict[str, Any], size: tuple[int, int], where: str) -> list[list[float]]:
    """Return the K of a frame.

    Defaults: fl_x from camera_angle_x, fl_y equal to fl_x, the principal point in the centre of the image.

    Raises:
        BadInput: it is not a pinhole camera without distortion, or a value is missing or out of range.
    """
    model = values.get("camera_model", "PINHOLE")
    distorted = [name for name in LENS_DISTORTION if name in values and _number(values, name, where) != 0]
    if model not in ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV") or distorted:
        found = f"distortion {', '.join(distorted)}" if distorted else f"camera_model {str(model)[:80]!r}"
        raise BadInput(f"{where} has {found}: only pinhole cameras are supported; undistort the images first.")
    height, width = size
    if "fl_x" not in values and "camera_angle_x" in values:
        angle = _number(values, "camera_angle_x", where)
        if not 0 < angle < math.pi:
            raise BadInput(f"{where}: camera_angle_x must be between 0 and pi (radians), found {angle}.")
        values = {**values, "fl_x": width / 2 / math.tan(angle / 2)}
    fl_x = _number(values, "fl_x", where)
    fl_y = _number(values, "fl_y", where) if "fl_y" in values else fl_x
    if fl_x <= 0 or fl_y <= 0:
        raise BadInput(f"{where}: focal lengths must be positive pixels, found fl_x {fl_x}, fl_y {fl_y}.")
    cx = _number(values, "cx", where) if "cx" in values else width / 2
    cy = _number(values, "cy", where) if "cy" in values else height / 2
    return [[fl_x, 0.0, cx], [0.0, fl_y, cy], [0.0, 0.0, 1.0]]


def _camera_to_world(frame: dict[str, Any], where: str) -> list[list[float]]:
    """Return the frame's 4x4 matrix.

    Raises:
        BadInput: it is missing, or not a rigid motion.
    """
    rows = frame.get("transform_matrix")
    if not isinstance(rows, list) or len(rows) != 4 or not all(isinstance(row, list) and len(row) == 4 for row in rows):
        raise BadInput(f'{where} has no "transform_matrix" of 4 rows with 4 numbers (camera to world, OpenGL axes).')
    matrix = [[_finite(value, f"transform_matrix of {where}") for value in row] for row in rows]
    if not _is_rotation(torch.tensor(matrix, dtype=torch.float64)[:3, :3]) or matrix[3] != [0, 0, 0, 1]:
        raise BadInput(
            f"the transform_matrix of {where} is not a rigid motion: its upper left 3x3 must be a rotation "
            "(no scaling, no mirroring) and its last row 0 0 0 1."
        )
    return matrix


def _is_rotation(R: Float[Tensor, "3 3"]) -> bool:
    close = (R @ R.T - torch.eye(3, dtype=R.dtype)).abs().max() < ROTATION_TOLERANCE
    return bool(close) and bool(torch.linalg.det(R) > 0)


def _whole(values: dict[str, Any], name: str, where: str) -> int:
    """Return a number of pixels along an edge.

    Raises:
        BadInput: it is missing, not a whole number, or out of range.
    """
    value = _number(values, name, where)
    if value != int(value) or not 1 <= value <= MAX_SIZE:
        raise BadInput(f"{where}: {name} must be a whole number of pixels from 1 to {MAX_SIZE}, found {value}.")
    return int(value)


def _number(values: dict[str, Any], name: str, where: str) -> float:
    """Return a finite number of a frame.

    Raises:
        BadInput: it is missing or not a finite number.
    """
    if name not in values:
        raise BadInput(f"{where} has no {name}: add it to the frame, or at the top level of the file for all frames.")
    return _finite(values[name], f"{name} of {where}")


def _finite(value: object, what: str) -> float:
    """Return the value as a float.

    Raises:
        BadInput: it is not a number below 1e9 in magnitude.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise BadInput(f"{what} must be finite numbers below 1e9, found {str(value)[:80]!r}.")
    return float(value)
