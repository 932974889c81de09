"""The layout that THuman's and ZJU-MoCap's published files share: `<subject>/annots.npy`, images, masks, SMPL by frame.

    annots.npy           cams: K, D, R, T of each camera; ims: for each frame, the image paths of all cameras
    mask_cihp/           masks, named like the images but .png
    <parameters>/<i>.npy SMPL parameters of frame i
    new_vertices/<i>.npy SMPL vertices of frame i, 6890 x 3, world space, metres

Neural Body (Peng et al., CVPR 2021) introduced it for ZJU-MoCap.
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float

from sherf.datasets.annotation_values import check_numbers, count_items, get_value
from sherf.datasets.annotations import read_cached, read_npy
from sherf.datasets.published_layouts import find_subjects, is_number
from sherf.errors import BadInput

ANNOTATIONS = "annots.npy"


class AnnotsFolder:
    """A data set's folder in this layout; base class of two adapters. Poses are indices into `annots['ims']`."""

    def __init__(self, root: Path, title: str):
        """Find the subjects.

        Args:
            root: the data set's folder, or one subject's.
            title: name of the data set, for errors.

        Raises:
            BadInput: the folder does not exist or contains no subject.
        """
        self.root, self.subjects = find_subjects(root, ANNOTATIONS, title)

    def poses(self, subject: str) -> tuple[int, ...]:
        """Return the indices of all frames.

        Raises:
            BadInput: the annotations are missing or damaged.
        """
        path, annotations = self.annotations(subject)
        return tuple(range(count_items(path, "ims", get_value(path, annotations, "ims"))))

    def views(self, subject: str) -> tuple[int, ...]:
        """Return the indices of all cameras.

        Raises:
            BadInput: the annotations are missing or damaged.
        """
        path, annotations = self.annotations(subject)
        return tuple(range(count_items(path, "cams", get_value(path, annotations, "cams", "K"))))

    def annotations(self, subject: str) -> tuple[Path, Any]:
        """Return the path and the content of a subject's annots.npy.

        Raises:
            BadInput: the file is missing or damaged.
        """
        path = self.root / subject / ANNOTATIONS
        return path, read_cached(read_npy, path)

    def image_name(self, subject: str, pose: int, view: int) -> str:
        """Return the image's path as listed, relative to the subject's folder.

        Raises:
            BadInput: there is no such frame or camera.
        """
        path, annotations = self.annotations(subject)
        return str(get_value(path, annotations, "ims", pose, "ims", view)).replace("\\", "/")


def read_vertices(folder: Path, frame: int) -> Float[torch.Tensor, "6890 3"]:
    """Return a frame's SMPL vertices in world space, metres.

    Raises:
        BadInput: the file is missing, damaged or of another shape.
    """
    path = folder / "new_vertices" / f"{frame}.npy"
    return torch.from_numpy(check_numbers(path, "vertices", read_npy(path), (6890, 3))).float()


def parse_frame_number(path: Path, name: str) -> int:
    """Return the number of the frame that an image is named after.

    Args:
        path: the annotation file, for errors.
        name: the image's path.

    Raises:
        BadInput: the file name is not a number.
    """
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if not is_number(stem):
        raise BadInput(f"{path} names an image {name[:80]!r}; expected a frame number as its file name.")
    return int(stem)
