"""RenderPeople as the published evaluation reads it: cameras.json, img/, mask/, one file of SMPL parameters a subject.

The global orientation is the root joint's, R is the identity, Th is transl. Vertices come from the body model.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sherf.body.body_model import BodyModel
from sherf.datasets.annotations import (
    count,
    field,
    flat_numbers,
    numbers,
    read_json,
    read_mask,
    read_npz,
    read_picture,
)
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import (
    frames_in,
    posed_vertices,
    subject_folders,
    to_body_pose,
    to_camera,
    to_view,
)
from sherf.errors import BadInput
from sherf.scene import BodyPose

CAMERAS = "cameras.json"
PARAMETERS = Path("outputs_re_fitting/refit_smpl_2nd.npz")


class RenderPeople:
    """Adapter; see `MultiviewData`. Poses are frame numbers."""

    name, body_model = "renderpeople", "smpl"

    def __init__(self, root: Path, body: BodyModel):
        self.body = body
        self.root, self._subjects = subject_folders(root, CAMERAS, "RenderPeople")

    @property
    def subjects(self) -> tuple[str, ...]:
        """As listed in human_list.txt, else by name."""
        return self._subjects

    def poses(self, subject: str) -> tuple[int, ...]:
        """Frames that the first camera has a picture of."""
        return frames_in(self.root / subject / "img" / "camera0000", ".jpg")

    def views(self, subject: str) -> tuple[int, ...]:
        """All cameras."""
        path = self.root / subject / CAMERAS
        return tuple(range(count(path, "it", _json(path))))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Read one picture."""
        folder, camera_name = self.root / subject, f"camera{view:04d}"
        picture = read_picture(folder / "img" / camera_name / f"{pose:04d}.jpg")
        mask_path = folder / "mask" / camera_name / f"{pose:04d}.png"
        camera = field(folder / CAMERAS, _json(folder / CAMERAS), camera_name)
        body_pose = self._pose(folder / PARAMETERS, pose)
        return to_view(
            picture,
            read_mask(mask_path),
            to_camera(folder / CAMERAS, camera, picture.shape[:2]),
            body_pose,
            posed_vertices(self.body, body_pose),
            mask_path,
        )

    def _pose(self, path: Path, frame: int) -> BodyPose:
        parameters = field(path, _npz(path), "smpl")
        rows = {
            key: numbers(path, key, field(path, parameters, key), (None, width))
            for key, width in (("global_orient", 3), ("body_pose", 69), ("transl", 3))
        }
        shortest = min(len(row) for row in rows.values())
        if frame >= shortest:
            raise BadInput(f"{path} has the parameters of {shortest} frames; frame {frame} is not among them.")
        joints = np.concatenate([rows["global_orient"][frame], rows["body_pose"][frame]])
        return to_body_pose(joints, flat_numbers(path, parameters, "betas", 10), np.eye(3), rows["transl"][frame])


@lru_cache(maxsize=8)
def _json(path: Path) -> Any:
    return read_json(path)


@lru_cache(maxsize=8)
def _npz(path: Path) -> Any:
    return read_npz(path)
