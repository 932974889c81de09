"""A data set's subject as a photo, and as a motion."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sherf.api.choose_motion import choose_motion
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.datasets.multiview import View
from sherf.datasets.subject_folder import identify_data_set, make_upright, read_subject_folder, read_subject_motion
from sherf.errors import BadInput
from sherf.motion.options import MotionOptions
from sherf.motion.playback import MOTION_LEG_M, leg_height
from sherf.scene import Subject

THUMAN = Path(__file__).parents[1] / "golden" / "thuman_layout" / "subject_000"


def test_the_files_identify_the_data_set(people: Path, tmp_path: Path) -> None:
    assert identify_data_set(THUMAN) == "thuman"
    assert identify_data_set(people / "000008") == "openpeople"
    assert identify_data_set(tmp_path) is None
    (tmp_path / "cameras.json").touch()
    assert identify_data_set(tmp_path) == "renderpeople"
    (tmp_path / "smpl_params").mkdir()
    assert identify_data_set(tmp_path) == "humman"
    (tmp_path / "annots.npy").touch()
    assert identify_data_set(tmp_path) == "zju-mocap"


def test_a_persons_first_view_is_the_photo(people: Path, body: BodyModel) -> None:
    view = read_subject_folder(people / "000008", body, None, None)
    assert view.subject.camera.size == (64, 64) and view.subject.body_model == "openbody"
    other = read_subject_folder(people / "000008", body, 1, 2)
    assert not torch.equal(view.subject.pose.joints, other.subject.pose.joints)


@pytest.mark.parametrize(("pose", "view", "message"), [(7, None, "no pose 7; it has 0 to 1"), (0, 9, "no view 9")])
def test_a_missing_pose_or_view_is_reported(
    people: Path, body: BodyModel, pose: int, view: int | None, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read_subject_folder(people / "000008", body, pose, view)


def test_another_folder_is_refused_with_the_expected_files(tmp_path: Path, body: BodyModel) -> None:
    with pytest.raises(BadInput, match=r"annots\.npy, cameras\.json nor person\.json"):
        read_subject_folder(tmp_path, body, None, None)


@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (1.0, 0.1, 0.0), (0.0, -1.0, 0.0), (0.0, 1.0, 0.1)])
def test_rotating_the_world_changes_no_image(subject: Subject, body: BodyModel, up: tuple[float, ...]) -> None:
    """Vertices, pose and camera rotate together; `up` becomes +y unless it was close to it."""
    vertices = body.pose(subject.pose).vertices
    before = View(subject, vertices)
    after = make_upright(before, torch.tensor(up))
    pixels, depth = project(subject.camera, vertices)
    for seen in (after.vertices, body.pose(after.subject.pose).vertices):
        rotated_pixels, rotated_depth = project(after.subject.camera, seen)
        torch.testing.assert_close(rotated_pixels, pixels, atol=2e-3, rtol=0)
        torch.testing.assert_close(rotated_depth, depth, atol=1e-5, rtol=0)
    assert (after is before) == (up == (0.0, 1.0, 0.1))
    again = make_upright(replace(after), torch.tensor([0.0, 1.0, 0.0]))
    assert torch.equal(again.vertices, after.vertices)


def test_a_subjects_poses_are_a_motion(people: Path, body: BodyModel) -> None:
    folder = people / "000008"
    motion = read_subject_motion(folder, body)
    assert len(motion) == 2 and motion.source.startswith("2 poses of 000008")
    shown = [read_subject_folder(folder, body, pose, 0).subject.pose for pose in (0, 1)]
    for frame, pose in enumerate(shown):
        torch.testing.assert_close(motion.joints[frame, 1:], pose.joints[1:], atol=1e-5, rtol=0)
    # the rotation between the two poses, and the root trajectory, are those of the data set
    roots = [pose.R_world_body @ axis_angle_to_matrix(pose.joints[0]) for pose in shown]
    found = axis_angle_to_matrix(motion.joints[:, 0])
    torch.testing.assert_close(found[0].T @ found[1], roots[0].T @ roots[1], atol=1e-4, rtol=0)
    pelvis = [body.pose(pose).joints[0] for pose in shown]
    legs = leg_height(body.rest_joints(shown[0].betas))
    travel = float((pelvis[1] - pelvis[0]).norm()) * MOTION_LEG_M / legs
    assert float(motion.translation[1].norm()) == pytest.approx(travel, abs=1e-5)
    assert choose_motion(str(folder), MotionOptions(), people).joints.shape == motion.joints.shape
