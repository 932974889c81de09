"""THuman as the published evaluation reads it: `<subject>/annots.npy`, pictures, masks, SMPL by frame.

Vertices come from file and are never computed from the parameters. x_world = smpl(poses, shapes) R^T + Th.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from sherf.datasets.annotations import (
    count,
    field,
    flat_numbers,
    inside,
    numbers,
    read_mask,
    read_npy,
    read_picture,
    undistort,
)
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import is_number, subject_folders, to_body_pose, to_camera, to_view
from sherf.errors import BadInput


class Thuman:
    """Adapter; see `MultiviewData`. Poses are indices into `annots['ims']`."""

    name, body_model = "thuman", "smpl"

    def __init__(self, root: Path):
        self.root, self._subjects = subject_folders(root, "annots.npy", "THuman")

    @property
    def subjects(self) -> tuple[str, ...]:
        """As listed in human_list.txt."""
        return self._subjects

    def poses(self, subject: str) -> tuple[int, ...]:
        """All frames."""
        path, annotations = self._of(subject)
        return tuple(range(count(path, "ims", field(path, annotations, "ims"))))

    def views(self, subject: str) -> tuple[int, ...]:
        """All cameras."""
        path, annotations = self._of(subject)
        return tuple(range(count(path, "cams", field(path, annotations, "cams", "K"))))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Read one picture, undistorted."""
        path, annotations = self._of(subject)
        name = str(field(path, annotations, "ims", pose, "ims", view)).replace("\\", "/")
        folder, frame = self.root / subject, frame_number(path, name)
        camera = {key: field(path, annotations, "cams", key, view) for key in ("K", "R", "T", "D")}
        K = numbers(path, "K", camera["K"], (3, 3))
        D = flat_numbers(path, camera, "D", None)
        mask_path = folder / "mask_cihp" / name.replace(".jpg", ".png")
        picture, mask = undistort(read_picture(inside(path, folder, name)), K, D), undistort(read_mask(mask_path), K, D)
        parameters_path = folder / "new_params_neutral" / f"{frame}.npy"
        parameters = read_npy(parameters_path)
        body_pose = to_body_pose(
            flat_numbers(parameters_path, parameters, "poses", 72),
            flat_numbers(parameters_path, parameters, "shapes", 10),
            numbers(parameters_path, "R", field(parameters_path, parameters, "R"), (3, 3)),
            flat_numbers(parameters_path, parameters, "Th", 3),
        )
        vertices_path = folder / "new_vertices" / f"{frame}.npy"
        vertices = torch.from_numpy(numbers(vertices_path, "vertices", read_npy(vertices_path), (6890, 3))).float()
        return to_view(picture, mask, to_camera(path, camera, picture.shape[:2]), body_pose, vertices, mask_path)

    def _of(self, subject: str) -> tuple[Path, Any]:
        path = self.root / subject / "annots.npy"
        return path, _annotations(path)


@lru_cache(maxsize=8)
def _annotations(path: Path) -> Any:
    return read_npy(path)


def frame_number(path: Path, name: str) -> int:
    """The number of the frame that a picture's name ends with."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if not is_number(stem):
        raise BadInput(f"{path} names a picture {name[:80]!r}, whose name is no frame number.")
    return int(stem)
