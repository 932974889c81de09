"""fit.json: the user's corrections are kept to, and invalid ones are named."""

from pathlib import Path
from typing import Any

import pytest
import torch
from stage import camera_in_front, observed, standing

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import joint_index
from sherf.camera.pinhole import project
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.errors import BadInput
from sherf.files.output import write_json
from sherf.photo import landmarks as marks
from sherf.photo.energy import camera_pitch, camera_rotation
from sherf.photo.fit import FitConstraints, FitOptions, fit_body
from sherf.photo.fit_file import FORMAT, Edits, apply_edits, edits_record, fit_record
from sherf.photo.fit_file_reader import edits_digest, read_fit_file
from sherf.photo.scores import score_fit

SIZE = (400, 300)
FOCAL = 1.35 * SIZE[0]
SHA = "0" * 64


def _file(path: Path, content: dict[str, Any]) -> Path:
    write_json(path, {"format": FORMAT, "photo": "me.jpg", "photo_sha256": SHA, "body_model": "openbody", **content})
    return path


def test_records_round_trip_through_the_file(body: BodyModel, tmp_path: Path) -> None:
    person = observed(body, standing(0.5))
    fit = fit_body(body, person, SIZE, FOCAL, FitOptions(20, 10))
    edits = Edits({"left_wrist": (30.0, 40.0), "nose": None}, {"head": (0.0, 0.4, 0.0)})
    content = {"size": [300, 400], "person": 2, **fit_record(fit, person), "edits": edits_record(edits)}
    again = read_fit_file(_file(tmp_path / "fit.json", content), SHA, SIZE, "openbody")
    assert again.edits == edits and again.person == 2
    assert again.start is not None
    torch.testing.assert_close(again.start.pose.joints, fit.pose.joints, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.start.camera.R, fit.camera.R, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.start.camera.K, fit.camera.K, atol=1e-3, rtol=0)
    torch.testing.assert_close(again.start.camera.T, fit.camera.T, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pitch", [-0.7, 0.0, 0.3])
def test_pitch_round_trips_through_the_rotation(pitch: float) -> None:
    assert float(camera_pitch(camera_rotation(torch.tensor(pitch)))) == pytest.approx(pitch, abs=1e-6)


def test_pixels_are_scaled_from_the_size_in_the_file(tmp_path: Path) -> None:
    """Pixels of an original of 900 x 1200 are scaled to the photo as read, a third as large."""
    content = {"size": [900, 1200], "edits": {"landmarks": {"nose": [300, 600]}}}
    read = read_fit_file(_file(tmp_path / "fit.json", content), SHA, SIZE, "openbody")
    assert read.edits.landmarks["nose"] == pytest.approx((100, 200))
    assert read.start is None and read.person is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"photo_sha256": "1" * 64}, "another photo"),
        ({"format": "sherf-fit-9"}, FORMAT),
        ({"size": [400, 300]}, "size"),
        ({"size": [300, 0]}, "size"),
        ({"person": 0}, "person"),
        ({"edits": ["nose"]}, "edits"),
        ({"edits": {"landmarks": {"tail": [1, 2]}}}, "tail"),
        ({"edits": {"landmarks": {"nose": [1, 2, 3]}}}, "nose"),
        ({"edits": {"landmarks": {"nose": ["1", 2]}}}, "nose"),
        ({"edits": {"landmarks": {"nose": [5000, 20]}}}, "outside"),
        ({"edits": {"joints": {"tail": [0, 0, 0]}}}, "tail"),
        ({"edits": {"joints": {"head": [0, 70, 0]}}}, "head"),
        ({"edits": {"mask": 3}}, "mask"),
        ({"edits": {"mask": "nowhere.png"}}, "nowhere.png"),
        ({"fit": {"betas": [0.0] * 10}}, "camera"),
        ({"fit": {"betas": [0.0] * 10}, "body_model": "smpl"}, "smpl"),
    ],
)
def test_invalid_values_are_refused_and_named(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_fit_file(_file(tmp_path / "fit.json", content), SHA, SIZE, "openbody")


@pytest.mark.parametrize("text", ["", "[]", '{"edits": ', "NaN", '{"format": "sherf-fit-1", "fit": {"betas": [NaN]}}'])
def test_a_file_that_is_not_a_fit_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "fit.json").write_text(text)
    with pytest.raises(BadInput):
        read_fit_file(tmp_path / "fit.json", SHA, SIZE, "openbody")
    with pytest.raises(BadInput, match="no file"):
        read_fit_file(tmp_path / "other.json", SHA, SIZE, "openbody")


def test_the_digest_depends_on_the_edits_alone(tmp_path: Path) -> None:
    """The fit and how the edits are written do not change it; another mask does."""
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"one")
    edits = {"landmarks": {"nose": [3, 4]}, "mask": "mask.png"}
    first = edits_digest(_file(tmp_path / "a.json", {"edits": edits}))
    again = {"landmarks": {"nose": [3.0, 4.0]}, "joints": {}, "mask": "mask.png"}
    assert edits_digest(_file(tmp_path / "b.json", {"fit": {"betas": []}, "edits": again})) == first
    mask.write_bytes(b"two")
    assert edits_digest(tmp_path / "a.json") != first


def test_another_person_changes_the_digest(tmp_path: Path) -> None:
    first, same, other = (_file(tmp_path / f"{i}.json", {"person": i} if i else {}) for i in (0, 1, 2))
    assert edits_digest(first) == edits_digest(same) != edits_digest(other)


def test_landmarks_too_close_together_are_refused(body: BodyModel) -> None:
    single_point = Edits(dict.fromkeys(marks.INDEX, (100.0, 100.0)))
    with pytest.raises(BadInput, match="within 8 pixels"):
        apply_edits(observed(body, standing()), single_point)
    with pytest.raises(BadInput, match="within 8 pixels"):
        apply_edits(observed(body, standing()), Edits(dict.fromkeys(marks.INDEX)))


def test_a_limb_moves_to_its_placed_landmarks(body: BodyModel) -> None:
    """The left arm is lifted but was detected hanging: placed landmarks outweigh the detection and the mask."""
    truth = standing()
    truth.joints[joint_index("left_shoulder"), 2] = -0.1
    camera = camera_in_front(SIZE)
    pixels, _ = project(camera, marks.body_landmarks(body, truth)[0])
    names = ("left_elbow", "left_wrist", "left_hand")
    edits = Edits({name: tuple(pixels[marks.INDEX[name]].tolist()) for name in names})
    hanging = observed(body, standing())
    misled = fit_body(body, hanging, SIZE, FOCAL, FitOptions(120, 60))
    corrected = fit_body(
        body, apply_edits(hanging, edits), SIZE, FOCAL, constraints=FitConstraints(misled, edits.placed)
    )
    for name in names:
        before, after = (
            project(fit.camera, marks.body_landmarks(body, fit.pose)[0])[0][marks.INDEX[name]]
            for fit in (misled, corrected)
        )
        true = pixels[marks.INDEX[name]]
        assert float((before - true).norm()) > 15
        assert float((after - true).norm()) < 8  # 3 % of the height: the mask still shows the arm hanging


def test_a_fixed_joint_keeps_its_rotation(body: BodyModel) -> None:
    fixed = {"left_elbow": (0.1, -1.2, 0.2), "head": (0.0, 0.5, 0.0)}
    fit = fit_body(
        body, observed(body, standing()), SIZE, FOCAL, FitOptions(30, 15), FitConstraints(fixed_joints=fixed)
    )
    for name, rotation in fixed.items():
        torch.testing.assert_close(fit.pose.joints[joint_index(name)], torch.tensor(rotation))
    other = axis_angle_to_matrix(fit.pose.joints[joint_index("right_elbow")])
    assert not torch.allclose(other, torch.eye(3), atol=1e-3)


def test_landmarks_marked_as_hidden_do_not_pull(body: BodyModel) -> None:
    person = observed(body, standing())
    gone = apply_edits(person, Edits({"left_wrist": None, "left_hand": None, "left_elbow": None}))
    scores = score_fit(body, fit_body(body, gone, SIZE, FOCAL, FitOptions(40, 20)), gone)
    assert "left hand" not in scores.errors and "right hand" in scores.errors
    assert scores.confidence["left hand"] == 0


def test_a_fit_continues_from_an_earlier_one(body: BodyModel) -> None:
    """Started from the true pose it stays there."""
    truth = standing(0.4)
    person = observed(body, truth)
    first = fit_body(body, person, SIZE, FOCAL)
    again = fit_body(body, person, SIZE, None, constraints=FitConstraints(first))
    joints, moved = (body.pose(fit.pose).joints @ fit.camera.R.T + fit.camera.T for fit in (first, again))
    assert float((joints - moved).norm(dim=1).mean()) < 0.02
    assert float(again.camera.K[0, 0]) == pytest.approx(FOCAL)
