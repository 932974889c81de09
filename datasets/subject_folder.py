"""Use one subject of a data set directly: one of its images as the photo, or its poses as a motion.

`sherf render FOLDER` takes a subject's folder in place of a photo, and `--motion FOLDER` in place of a motion file. The
files in the folder show which data set it belongs to. Its world is rotated, if necessary, so that +y points up.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.datasets.multiview import MultiviewData, View
from sherf.datasets.open_data import DataName, open_data
from sherf.errors import BadInput
from sherf.motion.motion import Motion, move_to_origin
from sherf.motion.playback import MOTION_LEG_M, leg_height
from sherf.progress import progress
from sherf.scene import BodyPose

CAMERAS_FOR_UP = 8
"""Number of cameras whose mean gives the up direction."""
FPS = 30.0
"""Frame rate assumed for a subject's poses: no data set states one."""
UPRIGHT_COSINE = 0.9
"""Cosine between +y and the up direction above which the world is left unchanged."""
SMALLEST_NORM = 1e-6
"""Vectors shorter than this have no usable direction."""


def identify_data_set(folder: Path) -> DataName | None:
    """Return the data set that a subject's folder belongs to, judging by its files; None for any other folder."""
    if (folder / "person.json").is_file():
        return "openpeople"
    if (folder / "annots.npy").is_file():
        return "thuman" if (folder / "new_params_neutral").is_dir() else "zju-mocap"
    if (folder / "cameras.json").is_file():
        return "humman" if (folder / "smpl_params").is_dir() else "renderpeople"
    return None


def read_subject_folder(folder: Path, body: BodyModel, pose: int | None, view: int | None) -> View:
    """Return one image of a subject, in a world whose y axis points up.

    Args:
        folder: one subject's folder, in the layout of its data set.
        body: the body model of the data set's poses.
        pose: frame number; None takes the first.
        view: camera number; None takes the first.

    Raises:
        BadInput: the folder is not a subject of a data set, has no such pose or view, or a file is damaged.
    """
    data, subject = _open_subject(folder, body)
    pose_number = _choose("pose", data.poses(subject), pose)
    view_number = _choose("view", data.views(subject), view)
    return make_upright(data.view(subject, pose_number, view_number), _estimate_up(data, subject, pose_number))


def read_subject_motion(folder: Path, body: BodyModel) -> Motion:
    """Return all poses of a subject, in their order, as a motion at `FPS`, its steps scaled to `MOTION_LEG_M`.

    Args:
        folder: one subject's folder, in the layout of its data set.
        body: the body model of the data set's poses.

    Raises:
        BadInput: as for `read_subject_folder`.
    """
    data, subject = _open_subject(folder, body)
    numbers, first_view = data.poses(subject), _choose("view", data.views(subject), None)
    up = _estimate_up(data, subject, _choose("pose", numbers, None))
    poses = [
        make_upright(data.view(subject, number, first_view), up).subject.pose for number in progress(numbers, "poses")
    ]
    pelvis = np.stack([body.pose(pose).joints[0].double().numpy() for pose in poses])
    root_trajectory = pelvis * (MOTION_LEG_M / leg_height(body.rest_joints(poses[-1].betas)))
    joints, translation = move_to_origin(np.stack([_joints_in_world(pose) for pose in poses]), root_trajectory)
    source = f"{len(numbers)} poses of {subject} of {data.name}, {FPS:.0f} fps"
    return Motion(subject, joints, translation, fps=FPS, source=source)


def _joints_in_world(pose: BodyPose) -> Float[np.ndarray, "24 3"]:
    """Return joint rotations, axis-angle, with the placement's rotation folded into the root joint."""
    root = Rotation.from_matrix((pose.R_world_body @ axis_angle_to_matrix(pose.joints[0])).double().numpy())
    return np.concatenate([root.as_rotvec()[None], pose.joints[1:].double().numpy()])


def make_upright(view: View, up: Float[Tensor, "3"]) -> View:
    """Return the view in a world rotated so that `up` becomes +y; unchanged if `up` is close to +y already.

    Args:
        view: in the data set's world.
        up: the up direction in that world, any length; a zero vector leaves the view unchanged.
    """
    if float(up.norm()) < SMALLEST_NORM:  # the cameras contradict each other
        return view
    up = up / up.norm()
    if float(up[1]) > UPRIGHT_COSINE:
        return view
    axis = torch.linalg.cross(up, up.new_tensor([0.0, 1.0, 0.0]))
    if float(axis.norm()) < SMALLEST_NORM:  # upside down: rotate about any horizontal axis
        axis = up.new_tensor([1.0, 0.0, 0.0])
    R_upright_world = axis_angle_to_matrix(axis / axis.norm() * torch.acos(up[1].clamp(-1, 1)))
    subject = view.subject
    camera = replace(subject.camera, R=subject.camera.R @ R_upright_world.T)
    pose = replace(
        subject.pose,
        R_world_body=R_upright_world @ subject.pose.R_world_body,
        T_world_body=R_upright_world @ subject.pose.T_world_body,
    )
    return replace(view, subject=replace(subject, camera=camera, pose=pose), vertices=view.vertices @ R_upright_world.T)


def _open_subject(folder: Path, body: BodyModel) -> tuple[MultiviewData, str]:
    """Return the data set that a subject's folder belongs to, and the subject's name.

    Raises:
        BadInput: the folder is not a subject of a data set.
    """
    name = identify_data_set(folder)
    if name is None:
        raise BadInput(
            f"{folder} is not a subject of a data set: it contains neither annots.npy, cameras.json nor person.json.\n"
            "Pass a subject's folder of THuman, RenderPeople, HuMMan, ZJU-MoCap or OpenPeople."
        )
    return open_data(name, folder.resolve().parent, body), folder.resolve().name


def _estimate_up(data: MultiviewData, subject: str, pose: int) -> Float[Tensor, "3"]:
    """Return the mean up direction of some cameras in world space: cameras around a person stand upright."""
    views = data.views(subject)
    chosen = [views[i] for i in np.unique(np.linspace(0, len(views) - 1, CAMERAS_FOR_UP).astype(int))]
    cameras = [data.view(subject, pose, view).subject.camera for view in chosen]
    return -torch.stack([camera.R[1] for camera in cameras]).mean(dim=0)


def _choose(what: str, numbers: tuple[int, ...], wanted: int | None) -> int:
    """Return the wanted number, or the first one.

    Raises:
        BadInput: there are no numbers, or the wanted one is not among them.
    """
    if not numbers:
        raise BadInput(f"the subject has no {what}s.")
    if wanted is None:
        return numbers[0]
    if wanted not in numbers:
        raise BadInput(f"the subject has no {what} {wanted}; it has {numbers[0]} to {numbers[-1]}.")
    return wanted
