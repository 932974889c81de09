"""One subject of a data set as the photo of an avatar (`sherf render FOLDER`), or its poses as a motion.

The layout is told by what lies there.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import axis_angle_to_matrix
from sherf.datasets.multiview import MultiviewData, View
from sherf.datasets.open_data import DataName, open_data
from sherf.errors import BadInput
from sherf.motion.motion import MOTION_LEG_M, Motion, leg_height, started_at_origin
from sherf.progress import progress
from sherf.scene import Camera

CAMERAS_ASKED = 8
"""Whose mean tells where up is."""
FPS = 30.0
"""Of a subject's poses as a motion: none of the data sets says."""
LEVEL = 0.9
"""Cosine between +y and up above which a world is left as it is."""


def data_set_of(folder: Path) -> DataName | None:
    """Whose subject a folder is; None if it is none."""
    if (folder / "person.json").is_file():
        return "openpeople"
    if (folder / "annots.npy").is_file():
        return "thuman" if (folder / "new_params_neutral").is_dir() else "zju-mocap"
    if (folder / "cameras.json").is_file():
        return "humman" if (folder / "smpl_params").is_dir() else "renderpeople"
    return None


def read_subject_folder(folder: Path, body: BodyModel, pose: int | None, view: int | None) -> View:
    """A subject's picture, in a world whose y axis points up.

    Args:
        pose: number of the frame; None takes the first.
        view: number of the camera; None takes the first.

    Raises:
        BadInput: the folder is no data set's subject, or has no such picture.
    """
    data, subject = _opened(folder, body)
    chosen = [
        _chosen(what, there, wanted)
        for what, there, wanted in (("pose", data.poses(subject), pose), ("view", data.views(subject), view))
    ]
    return upright(data.view(subject, *chosen), _up(data, subject, chosen[0]))


def motion_of_subject(folder: Path, body: BodyModel) -> Motion:
    """All poses of a subject in their order, as a motion.

    Raises:
        BadInput: as of `read_subject_folder`.
    """
    data, subject = _opened(folder, body)
    numbers, first_view = data.poses(subject), _chosen("view", data.views(subject), None)
    up = _up(data, subject, _chosen("pose", numbers, None))
    joints, pelvis = [], []
    for number in progress(numbers, "poses"):
        pose = upright(data.view(subject, number, first_view), up).subject.pose
        root = Rotation.from_matrix((pose.R_world_body @ axis_angle_to_matrix(pose.joints[0])).double().numpy())
        joints.append(np.concatenate([root.as_rotvec()[None], pose.joints[1:].double().numpy()]))
        pelvis.append(body.pose(pose).joints[0].double().numpy())
    own_legs = leg_height(body.rest_joints(pose.betas))
    way = np.stack(pelvis) * (MOTION_LEG_M / own_legs)
    source = f"{len(numbers)} poses of {subject} of {data.name}, {FPS:.0f} a second"
    return Motion(subject, **started_at_origin(np.stack(joints), way), fps=FPS, source=source)


def _opened(folder: Path, body: BodyModel) -> tuple[MultiviewData, str]:
    name = data_set_of(folder)
    if name is None:
        raise BadInput(
            f"{folder} is no subject of a data set: it holds neither annots.npy, cameras.json nor person.json.\n"
            "Give a subject's folder of THuman, RenderPeople, HuMMan, ZJU-MoCap or OpenPeople."
        )
    return open_data(name, folder.resolve().parent, body), folder.resolve().name


def upright(view: View, up: Float[Tensor, "3"]) -> View:
    """The same view in a world turned so that `up` becomes +y, if it is far from that."""
    if float(up.norm()) < 1e-6:  # cameras that contradict each other tell nothing
        return view
    up = up / up.norm()
    if float(up[1]) > LEVEL:
        return view
    axis = torch.linalg.cross(up, up.new_tensor([0.0, 1.0, 0.0]))
    if float(axis.norm()) < 1e-6:  # upside down: about any horizontal axis
        axis = up.new_tensor([1.0, 0.0, 0.0])
    turn = axis_angle_to_matrix(axis / axis.norm() * torch.acos(up[1].clamp(-1, 1)))
    subject = view.subject
    camera = replace(subject.camera, R=subject.camera.R @ turn.T)
    pose = replace(
        subject.pose, R_world_body=turn @ subject.pose.R_world_body, T_world_body=turn @ subject.pose.T_world_body
    )
    return replace(view, subject=replace(subject, camera=camera, pose=pose), vertices=view.vertices @ turn.T)


def _up(data: MultiviewData, subject: str, pose: int) -> Float[Tensor, "3"]:
    """Cameras stand upright around a person: their mean up is the world's."""
    views = data.views(subject)
    some = [views[i] for i in np.unique(np.linspace(0, len(views) - 1, CAMERAS_ASKED).astype(int))]
    cameras: list[Camera] = [data.view(subject, pose, view).subject.camera for view in some]
    return -torch.stack([camera.R[1] for camera in cameras]).mean(dim=0)


def _chosen(what: str, there: tuple[int, ...], wanted: int | None) -> int:
    if not there:
        raise BadInput(f"the subject has no {what}s.")
    if wanted is None:
        return there[0]
    if wanted not in there:
        raise BadInput(f"the subject has no {what} {wanted}; it has {there[0]} to {there[-1]}.")
    return wanted
