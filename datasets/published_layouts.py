"""What the published data sets have in common: cameras, subjects' folders, frames by index."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.spatial.transform import Rotation

from sherf.body.body_model import BodyModel
from sherf.datasets.annotations import field, flat_numbers, numbers
from sherf.datasets.multiview import View
from sherf.errors import BadInput
from sherf.scene import BodyPose, Camera, Subject

PIXEL_CENTRE = 0.5
"""The published cameras put the top-left pixel's centre at (0, 0); ours at (0.5, 0.5)."""


def to_camera(path: Path, camera: dict[str, Any], size: tuple[int, int], unit: float = 1.0) -> Camera:
    """A published world-to-camera K, R, T (OpenCV) as a camera.

    Args:
        path: the file that it comes from, for errors.
        unit: metres per unit of T.
    """
    K = numbers(path, "K", field(path, camera, "K"), (3, 3)).copy()
    R = numbers(path, "R", field(path, camera, "R"), (3, 3))
    T = flat_numbers(path, camera, "T", 3) * unit
    if np.abs(R @ R.T - np.eye(3)).max() > 1e-2 or not abs(np.linalg.det(R) - 1) < 1e-3:
        raise BadInput(f"{path}: a camera's R is no rotation (determinant {np.linalg.det(R):.3g}).")
    if not min(K[0, 0], K[1, 1]) > 0:
        raise BadInput(f"{path}: a camera's K has no positive focal lengths.")
    K[:2, 2] += PIXEL_CENTRE
    return Camera(*(torch.from_numpy(x).float() for x in (K, R, T)), size)


def to_body_pose(
    joints: Float[np.ndarray, "72"],
    betas: Float[np.ndarray, "10"],
    R: Float[np.ndarray, "3 3"],
    T: Float[np.ndarray, "3"],
) -> BodyPose:
    """x_world = R x_body + T, the body with these joint rotations, the root's about its pelvis."""
    tensors = (torch.from_numpy(np.ascontiguousarray(x)).float() for x in (betas, joints.reshape(24, 3), R, T))
    return BodyPose(*tensors)


def rotation(axis_angle: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Rodrigues' formula."""
    return Rotation.from_rotvec(axis_angle).as_matrix()


def to_view(
    picture: UInt8[np.ndarray, "h w 3"],
    mask: UInt8[np.ndarray, "mask_h mask_w"],
    camera: Camera,
    pose: BodyPose,
    vertices: Float[torch.Tensor, "vertex 3"],
    mask_path: Path,
    unsure: Bool[np.ndarray, "h w"] | None = None,
) -> View:
    """Assemble a view; any mask value but 0 is the person."""
    if mask.shape != picture.shape[:2]:
        raise BadInput(
            f"{mask_path} is {mask.shape[1]} x {mask.shape[0]}, its picture {picture.shape[1]} x {picture.shape[0]}.\n"
            "Make the mask anew from that picture."
        )
    image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    subject = Subject(image.contiguous(), torch.from_numpy(mask != 0).float(), camera, pose, "smpl")
    return View(subject, vertices, None if unsure is None else torch.from_numpy(unsure))


def posed_vertices(body: BodyModel, pose: BodyPose) -> Float[torch.Tensor, "vertex 3"]:
    """World-space vertices where the data set has none of its own."""
    return body.pose(pose).vertices


def subject_folders(root: Path, marker: str, name: str) -> tuple[Path, tuple[str, ...]]:
    """The data set's folder and its subjects: in the order of human_list.txt where there is one, else by name.

    Args:
        root: the data set's folder, or one subject's, as the published evaluation takes it: then only that subject.
        marker: the file that makes a folder a subject.
        name: of the data set, for errors.
    """
    if (root / marker).is_file():
        return root.parent, (root.name,)
    if not root.is_dir():
        raise BadInput(f"there is no folder {root}.\nGive the folder of {name} with --data.")
    present = sorted(path.parent.name for path in root.glob(f"*/{marker}"))
    listing = root / "human_list.txt"
    if listing.is_file():
        named = [line.strip().strip("/") for line in listing.read_text(errors="replace").splitlines() if line.strip()]
        return root, tuple(named)
    if not present:
        found = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
        raise BadInput(
            f"{root} is no {name} folder: no subject with a {marker} in it; found {found}.\n"
            f"Give the folder that holds the subjects' folders."
        )
    return root, tuple(present)


def frames_in(folder: Path, suffix: str) -> tuple[int, ...]:
    """Numbers of the files in a folder that are named by frame."""
    if not folder.is_dir():
        raise BadInput(f"the folder {folder} is missing.\nCopy or download the subject again.")
    return tuple(sorted(int(path.stem) for path in folder.glob(f"*{suffix}") if is_number(path.stem)))


def is_number(text: str) -> bool:
    """Whether a name is that of a frame or a camera."""
    return text.isdecimal() and len(text) < 10
