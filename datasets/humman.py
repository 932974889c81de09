"""Read HuMMan (Cai et al., ECCV 2022) as the published evaluation does: `cameras.json`, colour, masks, SMPL by frame.

    cameras.json                            kinect_color_000 ...: K, R, T
    kinect_color/kinect_%03d/%06d.png       images
    kinect_mask/kinect_%03d/%06d.png        masks
    smpl_params/%06d.npz                    betas, body_pose, global_orient, transl

The global orientation becomes R, and the root joint's rotation zero. SMPL rotates about its pelvis but R about the
origin, so the translation compensates: Th = transl + J0 - R J0. Vertices come from the body model.
"""

from pathlib import Path

import numpy as np

from sherf.body.body_model import BodyModel
from sherf.datasets.annotation_values import count_items, get_flat_numbers, get_value
from sherf.datasets.annotations import read_cached, read_image, read_json, read_mask, read_npz
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import (
    find_subjects,
    is_number,
    list_frames,
    make_view,
    pose_vertices,
    to_body_pose,
    to_camera,
    to_rotation_matrix,
)
from sherf.scene import BodyPose

CAMERAS = "cameras.json"


class Humman:
    """Adapter of HuMMan for `MultiviewData`. Poses are frame numbers."""

    name, body_model = "humman", "smpl"

    def __init__(self, root: Path, body: BodyModel):
        """Find the subjects: in the order of human_list.txt if it exists, else by name.

        Args:
            root: the data set's folder, or one subject's.
            body: the SMPL model that poses and vertices are computed with.

        Raises:
            BadInput: the folder does not exist or contains no subject.
        """
        self.body = body
        self.root, self.subjects = find_subjects(root, CAMERAS, "HuMMan")

    def poses(self, subject: str) -> tuple[int, ...]:
        """Return the frames that have SMPL parameters.

        Raises:
            BadInput: their folder is missing.
        """
        return list_frames(self.root / subject / "smpl_params", ".npz")

    def views(self, subject: str) -> tuple[int, ...]:
        """Return the numbers of all colour cameras.

        Raises:
            BadInput: the cameras are missing or damaged.
        """
        path = self.root / subject / CAMERAS
        cameras = read_cached(read_json, path)
        count_items(path, "the content", cameras)
        numbers = [str(name).removeprefix("kinect_color_") for name in cameras if str(name).startswith("kinect_color_")]
        return tuple(sorted(int(number) for number in numbers if is_number(number)))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Return one image with its mask, camera and body.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        folder = self.root / subject
        image = read_image(folder / "kinect_color" / f"kinect_{view:03d}" / f"{pose:06d}.png")
        mask_path = folder / "kinect_mask" / f"kinect_{view:03d}" / f"{pose:06d}.png"
        cameras = folder / CAMERAS
        camera = get_value(cameras, read_cached(read_json, cameras), f"kinect_color_{view:03d}")
        body_pose = self._read_pose(folder / "smpl_params" / f"{pose:06d}.npz")
        return make_view(
            image,
            read_mask(mask_path),
            to_camera(cameras, camera, image.shape[:2]),
            body_pose,
            pose_vertices(self.body, body_pose),
            mask_path,
        )

    def _read_pose(self, path: Path) -> BodyPose:
        parameters = read_npz(path)
        betas = get_flat_numbers(path, parameters, "betas", 10)
        R = to_rotation_matrix(get_flat_numbers(path, parameters, "global_orient", 3))
        pelvis = self.body.rest_joints(self.body.v_template.new_tensor(betas))[0].double().numpy()
        T = get_flat_numbers(path, parameters, "transl", 3) + pelvis - R @ pelvis
        joints = np.concatenate([np.zeros(3), get_flat_numbers(path, parameters, "body_pose", 69)])
        return to_body_pose(joints, betas, R, T)
