"""Read rendered RenderPeople scans as the published evaluation does: `cameras.json`, images, masks, one SMPL file.

    cameras.json                                camera0000 ...: K, R, T
    img/camera%04d/%04d.jpg                     images
    mask/camera%04d/%04d.png                    masks
    outputs_re_fitting/refit_smpl_2nd.npz       betas, and for each frame global_orient, body_pose, transl

The global orientation is the root joint's rotation, R is the identity, Th is transl. Vertices come from the body model.
"""

from pathlib import Path

import numpy as np

from sherf.body.body_model import BodyModel
from sherf.datasets.annotation_values import check_numbers, count_items, get_flat_numbers, get_value
from sherf.datasets.annotations import read_cached, read_image, read_json, read_mask, read_npz
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import (
    find_subjects,
    list_frames,
    make_view,
    pose_vertices,
    to_body_pose,
    to_camera,
)
from sherf.errors import BadInput
from sherf.scene import BodyPose

CAMERAS = "cameras.json"
PARAMETERS = Path("outputs_re_fitting/refit_smpl_2nd.npz")


class RenderPeople:
    """Adapter of RenderPeople for `MultiviewData`. Poses are frame numbers."""

    name, body_model = "renderpeople", "smpl"

    def __init__(self, root: Path, body: BodyModel):
        """Find the subjects: in the order of human_list.txt if it exists, else by name.

        Args:
            root: the data set's folder, or one subject's.
            body: the SMPL model that vertices are computed with.

        Raises:
            BadInput: the folder does not exist or contains no subject.
        """
        self.body = body
        self.root, self.subjects = find_subjects(root, CAMERAS, "RenderPeople")

    def poses(self, subject: str) -> tuple[int, ...]:
        """Return the frames that the first camera has an image of.

        Raises:
            BadInput: the first camera's folder is missing.
        """
        return list_frames(self.root / subject / "img" / "camera0000", ".jpg")

    def views(self, subject: str) -> tuple[int, ...]:
        """Return the numbers of all cameras.

        Raises:
            BadInput: the cameras are missing or damaged.
        """
        path = self.root / subject / CAMERAS
        return tuple(range(count_items(path, "the content", read_cached(read_json, path))))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Return one image with its mask, camera and body.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        folder, camera_name = self.root / subject, f"camera{view:04d}"
        image = read_image(folder / "img" / camera_name / f"{pose:04d}.jpg")
        mask_path = folder / "mask" / camera_name / f"{pose:04d}.png"
        cameras = folder / CAMERAS
        camera = get_value(cameras, read_cached(read_json, cameras), camera_name)
        body_pose = _read_pose(folder / PARAMETERS, pose)
        return make_view(
            image,
            read_mask(mask_path),
            to_camera(cameras, camera, image.shape[:2]),
            body_pose,
            pose_vertices(self.body, body_pose),
            mask_path,
        )


def _read_pose(path: Path, frame: int) -> BodyPose:
    """Return one frame's pose.

    Raises:
        BadInput: the file is missing or damaged, or ends before the frame.
    """
    parameters = get_value(path, read_cached(read_npz, path), "smpl")
    rows = {
        key: check_numbers(path, key, get_value(path, parameters, key), (None, width))
        for key, width in (("global_orient", 3), ("body_pose", 69), ("transl", 3))
    }
    shortest = min(len(row) for row in rows.values())
    if frame >= shortest:
        raise BadInput(f"{path} has SMPL parameters for {shortest} frames, but not for frame {frame}.")
    joints = np.concatenate([rows["global_orient"][frame], rows["body_pose"][frame]])
    return to_body_pose(joints, get_flat_numbers(path, parameters, "betas", 10), np.eye(3), rows["transl"][frame])
