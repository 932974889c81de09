"""HuMMan as the published evaluation reads it: cameras.json, kinect_color/, kinect_mask/, SMPL parameters by frame.

The global orientation is R, the root joint's rotation zero. SMPL turns about its pelvis and R about the origin, so the
translation makes up for it: Th = transl + J0 - R J0. Vertices come from the body model.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sherf.body.body_model import BodyModel
from sherf.datasets.annotations import count, field, flat_numbers, read_json, read_mask, read_npz, read_picture
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import (
    frames_in,
    is_number,
    posed_vertices,
    rotation,
    subject_folders,
    to_body_pose,
    to_camera,
    to_view,
)
from sherf.scene import BodyPose

CAMERAS = "cameras.json"


class Humman:
    """Adapter; see `MultiviewData`. Poses are frame numbers."""

    name, body_model = "humman", "smpl"

    def __init__(self, root: Path, body: BodyModel):
        self.body = body
        self.root, self._subjects = subject_folders(root, CAMERAS, "HuMMan")

    @property
    def subjects(self) -> tuple[str, ...]:
        """As listed in human_list.txt, else by name."""
        return self._subjects

    def poses(self, subject: str) -> tuple[int, ...]:
        """Frames that have parameters."""
        return frames_in(self.root / subject / "smpl_params", ".npz")

    def views(self, subject: str) -> tuple[int, ...]:
        """All colour cameras."""
        cameras = _json(self.root / subject / CAMERAS)
        count(self.root / subject / CAMERAS, "it", cameras)
        numbers = [str(name).removeprefix("kinect_color_") for name in cameras if str(name).startswith("kinect_color_")]
        return tuple(sorted(int(number) for number in numbers if is_number(number)))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Read one picture."""
        folder = self.root / subject
        picture = read_picture(folder / "kinect_color" / f"kinect_{view:03d}" / f"{pose:06d}.png")
        mask_path = folder / "kinect_mask" / f"kinect_{view:03d}" / f"{pose:06d}.png"
        camera = field(folder / CAMERAS, _json(folder / CAMERAS), f"kinect_color_{view:03d}")
        body_pose = self._pose(folder / "smpl_params" / f"{pose:06d}.npz")
        return to_view(
            picture,
            read_mask(mask_path),
            to_camera(folder / CAMERAS, camera, picture.shape[:2]),
            body_pose,
            posed_vertices(self.body, body_pose),
            mask_path,
        )

    def _pose(self, path: Path) -> BodyPose:
        parameters = read_npz(path)
        betas = flat_numbers(path, parameters, "betas", 10)
        R = rotation(flat_numbers(path, parameters, "global_orient", 3))
        pelvis = self.body.rest_joints(self.body.v_template.new_tensor(betas))[0].double().numpy()
        T = flat_numbers(path, parameters, "transl", 3) + pelvis - R @ pelvis
        joints = np.concatenate([np.zeros(3), flat_numbers(path, parameters, "body_pose", 69)])
        return to_body_pose(joints, betas, R, T)


@lru_cache(maxsize=8)
def _json(path: Path) -> Any:
    return read_json(path)
