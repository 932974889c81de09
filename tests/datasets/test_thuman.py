"""The THuman adapter reproduces the inputs of the published evaluation."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sherf.benchmark.published_inputs import PublishedInputs, published_inputs
from sherf.datasets.thuman import Thuman
from sherf.errors import BadInput

GOLDEN = Path(__file__).parents[1] / "golden"
SUBJECT = "subject_000"
TARGETS = {"same_pose": (0, 6), "novel_pose": (2, 4)}
SCALE = 0.25


def _named(inputs: PublishedInputs) -> dict[str, np.ndarray]:
    """Return our arrays by their published names."""
    found = {
        "obs_img_all": inputs.observed_image, "obs_K_all": inputs.observed_camera.K,
        "obs_R_all": inputs.observed_camera.R, "obs_T_all": inputs.observed_camera.T,
        "obs_vertices": inputs.observed_vertices, "vertices": inputs.vertices, "img_all": inputs.image,
        "bkgd_msk_all": inputs.mask, "ray_o_all": inputs.rays.origins, "ray_d_all": inputs.rays.directions,
        "near_all": inputs.rays.near, "far_all": inputs.rays.far, "mask_at_box_all": inputs.rays.hit,
        "mask_at_box_large_all": inputs.rays.hit,
    }  # fmt: skip
    for prefix, pose in (("params", inputs.pose), ("obs_params", inputs.observed_pose)):
        found |= {
            f"{prefix}/poses": pose.joints, f"{prefix}/R": pose.R_world_body, f"{prefix}/Th": pose.T_world_body,
            f"{prefix}/shapes": pose.betas,
        }  # fmt: skip
    return {name: np.asarray(array, np.float64) for name, array in found.items()}


@pytest.mark.parametrize("which", TARGETS)
def test_inputs_equal_those_of_the_published_network(which: str) -> None:
    data = Thuman(GOLDEN / "thuman_layout")
    inputs = _named(published_inputs(data.view(SUBJECT, 0, 0), data.view(SUBJECT, *TARGETS[which]), SCALE))
    with np.load(GOLDEN / f"thuman_inputs_{which}.npz") as golden:
        assert set(golden.files) == set(inputs)
        for name in golden.files:
            wanted = golden[name].astype(np.float64)
            scale = max(1.0, float(np.abs(wanted).max()))
            np.testing.assert_allclose(
                inputs[name].reshape(wanted.shape), wanted, rtol=0, atol=1e-6 * scale, err_msg=name
            )


def test_subjects_poses_and_views_are_listed() -> None:
    data = Thuman(GOLDEN / "thuman_layout")
    assert data.subjects == (SUBJECT,)
    assert len(data.views(SUBJECT)) == 24
    assert data.poses(SUBJECT) == tuple(range(len(data.poses(SUBJECT))))


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (f"{SUBJECT}/annots.npy", "cut"),
        (f"{SUBJECT}/new_vertices/0.npy", "cut"),
        (f"{SUBJECT}/new_vertices/0.npy", "shape"),
        (f"{SUBJECT}/new_params_neutral/0.npy", "remove"),
        (f"{SUBJECT}/images/00/000000.jpg", "cut"),
        (f"{SUBJECT}/mask_cihp/images/00/000000.png", "remove"),
        (f"{SUBJECT}/mask_cihp/images/00/000000.png", "other size"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, damage: str) -> None:
    root = tmp_path / "thuman"
    shutil.copytree(GOLDEN / "thuman_layout", root)
    path = root / file
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "remove":
            path.unlink()
        case "shape":
            np.save(path, np.zeros((6889, 3)))
        case "other size":
            from PIL import Image

            Image.new("L", (5, 7)).save(path)
    with pytest.raises(BadInput, match=Path(file).name):
        Thuman(root).view(SUBJECT, 0, 0)
