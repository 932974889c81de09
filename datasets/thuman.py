"""Read THuman (Zheng et al., DeepHuman, ICCV 2019) as the published evaluation does: `annots.npy`, SMPL by frame.

Images and masks are undistorted. x_world = smpl(poses, shapes) R^T + Th; vertices are read from files and never
computed from the parameters.
"""

from pathlib import Path

from sherf.datasets.annotation_values import check_numbers, get_flat_numbers, get_value, resolve_inside
from sherf.datasets.annotations import read_image, read_mask, read_npy
from sherf.datasets.annots_layout import AnnotsFolder, parse_frame_number, read_vertices
from sherf.datasets.multiview import View
from sherf.datasets.published_layouts import make_view, to_body_pose, to_camera, undistort
from sherf.scene import BodyPose


class Thuman(AnnotsFolder):
    """Adapter of THuman for `MultiviewData`. Poses are indices into `annots['ims']`."""

    name, body_model = "thuman", "smpl"

    def __init__(self, root: Path):
        """Find the subjects: in the order of human_list.txt if it exists, else by name.

        Args:
            root: the data set's folder, or one subject's.

        Raises:
            BadInput: the folder does not exist or contains no subject.
        """
        super().__init__(root, "THuman")

    def view(self, subject: str, pose: int, view: int) -> View:
        """Return one undistorted image with its mask, camera and body.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        path, annotations = self.annotations(subject)
        name = self.image_name(subject, pose, view)
        folder, frame = self.root / subject, parse_frame_number(path, name)
        camera = {key: get_value(path, annotations, "cams", key, view) for key in ("K", "R", "T", "D")}
        K = check_numbers(path, "K", camera["K"], (3, 3))
        D = get_flat_numbers(path, camera, "D", None)
        mask_path = folder / "mask_cihp" / name.replace(".jpg", ".png")
        image = undistort(read_image(resolve_inside(path, folder, name)), K, D)
        mask = undistort(read_mask(mask_path), K, D)
        body_pose = _read_pose(folder / "new_params_neutral" / f"{frame}.npy")
        vertices = read_vertices(folder, frame)
        return make_view(image, mask, to_camera(path, camera, image.shape[:2]), body_pose, vertices, mask_path)


def _read_pose(path: Path) -> BodyPose:
    parameters = read_npy(path)
    return to_body_pose(
        get_flat_numbers(path, parameters, "poses", 72),
        get_flat_numbers(path, parameters, "shapes", 10),
        check_numbers(path, "R", get_value(path, parameters, "R"), (3, 3)),
        get_flat_numbers(path, parameters, "Th", 3),
    )
