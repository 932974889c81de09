"""ZJU-MoCap as the published evaluation reads it: `CoreView_XXX/annots.npy`, pictures, masks, SMPL by frame.

Translations of cameras are in millimetres; the lenses' distortion is not taken out. x_world = smpl R^T + Th with R from
Rh. The masks' rims are unsure.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8

from sherf.datasets.annotations import (
    count,
    field,
    flat_numbers,
    inside,
    numbers,
    read_mask,
    read_npy,
    read_picture,
)
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import rotation, subject_folders, to_body_pose, to_camera, to_view
from sherf.datasets.thuman import frame_number

MILLIMETRE = 0.001
RENAMED = ("CoreView_313", "CoreView_315")
"""Their pictures are listed under the cameras' long names and lie under the fifth field of these."""
RIM_PX = 5


class ZjuMocap:
    """Adapter; see `MultiviewData`. Poses are indices into `annots['ims']`."""

    name, body_model = "zju-mocap", "smpl"

    def __init__(self, root: Path):
        self.root, self._subjects = subject_folders(root, "annots.npy", "ZJU-MoCap")

    @property
    def subjects(self) -> tuple[str, ...]:
        """As listed in human_list.txt, else by name."""
        return self._subjects

    def poses(self, subject: str) -> tuple[int, ...]:
        """All frames."""
        path = self.root / subject / "annots.npy"
        return tuple(range(count(path, "ims", field(path, _npy(path), "ims"))))

    def views(self, subject: str) -> tuple[int, ...]:
        """All cameras."""
        path = self.root / subject / "annots.npy"
        return tuple(range(count(path, "cams", field(path, _npy(path), "cams", "K"))))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Read one picture."""
        folder = self.root / subject
        path = folder / "annots.npy"
        name = str(field(path, _npy(path), "ims", pose, "ims", view)).replace("\\", "/")
        if subject in RENAMED:
            name = renamed(name)
        picture = read_picture(inside(path, folder, name))
        mask_path = (folder / "mask_cihp" / name).with_suffix(".png")
        mask = read_mask(mask_path)
        camera = {key: field(path, _npy(path), "cams", key, view) for key in ("K", "R", "T")}
        frame = frame_number(path, name)
        parameters_path, vertices_path = (folder / kind / f"{frame}.npy" for kind in ("new_params", "new_vertices"))
        parameters = read_npy(parameters_path)
        body_pose = to_body_pose(
            flat_numbers(parameters_path, parameters, "poses", 72),
            flat_numbers(parameters_path, parameters, "shapes", 10),
            rotation(flat_numbers(parameters_path, parameters, "Rh", 3)),
            flat_numbers(parameters_path, parameters, "Th", 3),
        )
        vertices = numbers(vertices_path, "vertices", read_npy(vertices_path), (6890, 3))
        return to_view(
            picture,
            mask,
            to_camera(path, camera, picture.shape[:2], MILLIMETRE),
            body_pose,
            torch.from_numpy(vertices).float(),
            mask_path,
            rim(mask),
        )


def renamed(name: str) -> str:
    """`Camera (1)/CoreView_313_Camera_(1)_0001_2019-08-23.jpg` lies at `Camera (1)/0001.jpg`."""
    folder, _, file = name.rpartition("/")
    fields = file.split("_")
    return f"{folder}/{fields[4]}.jpg" if len(fields) > 4 else name


def rim(mask: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where eroding and dilating the mask by 5 x 5 pixels disagree."""
    kernel = np.ones((RIM_PX, RIM_PX), np.uint8)
    return cv2.erode(mask, kernel) != cv2.dilate(mask, kernel)


@lru_cache(maxsize=8)
def _npy(path: Path) -> Any:
    return read_npy(path)
