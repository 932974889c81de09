"""Conversions that the published data sets share: cameras, lenses, SMPL parameters, subject folders, frame numbers."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.spatial.transform import Rotation

from sherf.body.body_model import BodyModel
from sherf.datasets.annotation_values import check_numbers, get_flat_numbers, get_value
from sherf.datasets.multiview import View
from sherf.errors import BadInput
from sherf.files.names import check_name
from sherf.scene import BodyPose, Camera, Subject

PIXEL_CENTRE = 0.5
"""The published cameras put the top-left pixel's centre at (0, 0); ours at (0.5, 0.5)."""
DISTORTION_LENGTHS = (4, 5, 8, 12, 14)
"""How many distortion coefficients OpenCV accepts."""


def to_camera(path: Path, camera: dict[str, Any], size: tuple[int, int], unit: float = 1.0) -> Camera:
    """Return the camera of a published world-to-camera K, R, T (OpenCV axes, integer pixel centres).

    Args:
        path: the file that it comes from, for errors.
        camera: K (3 x 3), R (3 x 3) and T (3 numbers).
        size: image (height, width), pixels.
        unit: metres per unit of T.

    Raises:
        BadInput: an entry is missing or is not numbers, R is not a rotation, or a focal length is not positive.
    """
    K = check_numbers(path, "K", get_value(path, camera, "K"), (3, 3)).copy()
    R = check_numbers(path, "R", get_value(path, camera, "R"), (3, 3))
    T = get_flat_numbers(path, camera, "T", 3) * unit
    if np.abs(R @ R.T - np.eye(3)).max() > 1e-2 or not abs(np.linalg.det(R) - 1) < 1e-3:
        raise BadInput(f"{path}: a camera's R is not a rotation (determinant {np.linalg.det(R):.3g}).")
    if not min(K[0, 0], K[1, 1]) > 0:
        raise BadInput(f"{path}: a camera's K has no positive focal lengths.")
    K[:2, 2] += PIXEL_CENTRE
    return Camera(torch.from_numpy(K).float(), torch.from_numpy(R).float(), torch.from_numpy(T).float(), size)


def undistort(image: np.ndarray, K: Float[np.ndarray, "3 3"], D: Float[np.ndarray, " coefficient"]) -> np.ndarray:
    """Return an image without lens distortion, as `cv2.undistort` does; K stays the same.

    Args:
        image: h x w or h x w x 3, 8 bits.
        K: intrinsics in pixels, integer pixel centres.
        D: OpenCV's distortion coefficients; all zero returns the image itself.

    Raises:
        BadInput: OpenCV has no distortion model with so many coefficients.
    """
    if not D.any():
        return image
    if len(D) not in DISTORTION_LENGTHS:
        raise BadInput(f"a lens has {len(D)} distortion coefficients; OpenCV supports 4, 5, 8, 12 or 14.")
    first, second = _undistortion_maps(tuple(K.ravel()), tuple(D.ravel()), image.shape[:2])
    return cv2.remap(image, first, second, cv2.INTER_LINEAR)


@lru_cache(maxsize=64)
def _undistortion_maps(K: tuple, D: tuple, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.array(K).reshape(3, 3)
    return cv2.initUndistortRectifyMap(matrix, np.array(D), None, matrix, size[::-1], cv2.CV_16SC2)


def to_body_pose(
    joints: Float[np.ndarray, "72"],
    betas: Float[np.ndarray, "10"],
    R: Float[np.ndarray, "3 3"],
    T: Float[np.ndarray, "3"],
) -> BodyPose:
    """Return the pose x_world = R x_body + T.

    Args:
        joints: 24 parent-relative rotations, axis-angle in radians; the root's is about the pelvis.
        betas: SMPL shape coefficients.
        R: world-from-body rotation about the body's origin.
        T: world-from-body translation, metres.
    """
    betas_, joints_, R_, T_ = (
        torch.from_numpy(np.ascontiguousarray(x)).float() for x in (betas, joints.reshape(24, 3), R, T)
    )
    return BodyPose(betas_, joints_, R_, T_)


def to_rotation_matrix(axis_angle: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Convert an axis-angle rotation in radians to a matrix (Rodrigues' formula)."""
    return Rotation.from_rotvec(axis_angle).as_matrix()


def make_view(
    image: UInt8[np.ndarray, "h w 3"],
    mask: UInt8[np.ndarray, "mask_h mask_w"],
    camera: Camera,
    pose: BodyPose,
    vertices: Float[torch.Tensor, "vertex 3"],
    mask_path: Path,
    uncertain: Bool[np.ndarray, "h w"] | None = None,
) -> View:
    """Return the view of a person with an SMPL body.

    Args:
        image: sRGB.
        mask: any value but 0 is the person.
        camera: of the image.
        pose: of the SMPL body.
        vertices: world space, metres.
        mask_path: the mask's file, for errors.
        uncertain: pixels that the data set excludes, if any.

    Raises:
        BadInput: mask and image have different sizes.
    """
    if mask.shape != image.shape[:2]:
        raise BadInput(
            f"{mask_path} is {mask.shape[1]} x {mask.shape[0]}, its image {image.shape[1]} x {image.shape[0]}.\n"
            "Recreate the mask from that image."
        )
    pixels = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    subject = Subject(pixels.contiguous(), torch.from_numpy(mask != 0).float(), camera, pose, "smpl")
    return View(subject, vertices, None if uncertain is None else torch.from_numpy(uncertain))


def pose_vertices(body: BodyModel, pose: BodyPose) -> Float[torch.Tensor, "vertex 3"]:
    """Return world-space vertices from the body model, for data sets that store none, metres."""
    return body.pose(pose).vertices


def find_subjects(root: Path, marker: str, name: str) -> tuple[Path, tuple[str, ...]]:
    """Return a data set's folder and its subjects: in the order of human_list.txt if it exists, else by name.

    Args:
        root: the data set's folder; or one subject's, as the published evaluation takes it: then that subject alone.
        marker: the file that makes a folder a subject.
        name: of the data set, for errors.

    Raises:
        BadInput: the folder does not exist or contains no subject, or a name in human_list.txt is a path.
    """
    if (root / marker).is_file():
        return root.parent, (root.name,)
    if not root.is_dir():
        raise BadInput(f"the folder {root} does not exist.\nPass the folder of {name} with --data.")
    listing = root / "human_list.txt"
    if listing.is_file():
        return root, tuple(_read_names(listing))
    present = sorted(path.parent.name for path in root.glob(f"*/{marker}"))
    if not present:
        found = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
        raise BadInput(
            f"{root} is not a {name} folder: no subject with a {marker} in it; found {found}.\n"
            "Pass the folder that contains the subjects' folders."
        )
    return root, tuple(present)


def _read_names(listing: Path) -> Iterator[str]:
    """Yield the names of a list, one a line; a slash may follow each.

    Raises:
        BadInput: a name is a path.
    """
    for number, line in enumerate(listing.read_text(errors="replace").split("\n"), start=1):
        if line.strip():
            yield check_name(line.strip().rstrip("/"), f"{listing}, line {number}")


def list_frames(folder: Path, suffix: str) -> tuple[int, ...]:
    """Return the numbers of the files in a folder that are named by frame, ascending.

    Raises:
        BadInput: the folder is missing.
    """
    if not folder.is_dir():
        raise BadInput(f"the folder {folder} is missing.\nCopy or download the subject again.")
    return tuple(sorted(int(path.stem) for path in folder.glob(f"*{suffix}") if is_number(path.stem)))


def is_number(text: str) -> bool:
    """Return whether a name is the number of a frame or a camera."""
    return text.isdecimal() and len(text) < 10
