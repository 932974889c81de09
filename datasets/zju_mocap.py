"""Read ZJU-MoCap (Peng et al., Neural Body, CVPR 2021) as the published evaluation does: `annots.npy`, SMPL by frame.

Cameras' translations are in millimetres. Lens distortion is not removed. x_world = smpl R^T + Th, with R from Rh. The
boundaries of the masks are uncertain.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sherf.datasets.annotation_values import get_flat_numbers, get_value, resolve_inside
from sherf.datasets.annotations import read_image, read_mask, read_npy
from sherf.datasets.annots_layout import AnnotsFolder, parse_frame_number, read_vertices
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import make_view, to_body_pose, to_camera, to_rotation_matrix
from sherf.scene import BodyPose

MILLIMETRE = 0.001
RENAMED_SUBJECTS = ("CoreView_313", "CoreView_315")
"""Their images are listed under long names and stored under the fifth field of those."""
BOUNDARY_PX = 5


class ZjuMocap(AnnotsFolder):
    """Adapter of ZJU-MoCap for `MultiviewData`. Poses are indices into `annots['ims']`."""

    name, body_model = "zju-mocap", "smpl"

    def __init__(self, root: Path):
        """Find the subjects: in the order of human_list.txt if it exists, else by name.

        Args:
            root: the data set's folder, or one subject's.

        Raises:
            BadInput: the folder does not exist or contains no subject.
        """
        super().__init__(root, "ZJU-MoCap")

    def view(self, subject: str, pose: int, view: int) -> View:
        """Return one image with its mask, camera and body.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        folder = self.root / subject
        path, annotations = self.annotations(subject)
        name = self.image_name(subject, pose, view)
        if subject in RENAMED_SUBJECTS:
            name = to_stored_name(name)
        image = read_image(resolve_inside(path, folder, name))
        mask_path = (folder / "mask_cihp" / name).with_suffix(".png")
        mask = read_mask(mask_path)
        camera = {key: get_value(path, annotations, "cams", key, view) for key in ("K", "R", "T")}
        frame = parse_frame_number(path, name)
        return make_view(
            image,
            mask,
            to_camera(path, camera, image.shape[:2], MILLIMETRE),
            _read_pose(folder / "new_params" / f"{frame}.npy"),
            read_vertices(folder, frame),
            mask_path,
            find_mask_boundary(mask),
        )


def _read_pose(path: Path) -> BodyPose:
    parameters = read_npy(path)
    return to_body_pose(
        get_flat_numbers(path, parameters, "poses", 72),
        get_flat_numbers(path, parameters, "shapes", 10),
        to_rotation_matrix(get_flat_numbers(path, parameters, "Rh", 3)),
        get_flat_numbers(path, parameters, "Th", 3),
    )


def to_stored_name(name: str) -> str:
    """Return where a listed image is: `Camera (1)/CoreView_313_Camera_(1)_0001_2019.jpg` -> `Camera (1)/0001.jpg`."""
    folder, _, file = name.rpartition("/")
    fields = file.split("_")
    return f"{folder}/{fields[4]}.jpg" if len(fields) > 4 else name


def find_mask_boundary(mask: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels where eroding and dilating the mask by 5 x 5 pixels disagree."""
    kernel = np.ones((BOUNDARY_PX, BOUNDARY_PX), np.uint8)
    return cv2.erode(mask, kernel) != cv2.dilate(mask, kernel)
