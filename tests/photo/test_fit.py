"""The body fit, against bodies of known pose."""

import dataclasses
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import torch
from stage import camera_in_front, observed, standing

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.photo import landmarks as marks
from sherf.photo.energy import camera_rotation
from sherf.photo.fit import BodyFit, FitOptions, fit_body
from sherf.photo.joint_limits import LOWER, STANCE, UPPER
from sherf.photo.pose_prior import pose_energy
from sherf.photo.scores import Scores, score_fit
from sherf.photo.single_thread import single_threaded
from sherf.scene import BodyPose

SIZE = (400, 300)
MIRRORED = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


@pytest.mark.parametrize("degrees", [0, 75, 180, 250])
def test_a_known_body_is_recovered_from_any_side(body: BodyModel, degrees: int) -> None:
    """Exact landmarks, mask and focal length: the joints are recovered to 4 cm on average, root-relative."""
    truth = standing(math.radians(degrees))
    person = observed(body, truth)
    fit = fit_body(body, person, SIZE, 1.35 * SIZE[0])
    scores = score_fit(body, fit, person)
    assert scores.keypoint_error < 1.0
    assert scores.silhouette_iou > 0.88
    assert scores.verdict == "good"

    def joints_in_camera(pose: BodyPose, R: torch.Tensor) -> torch.Tensor:
        joints = body.pose(pose).joints
        return (joints - joints[0]) @ R.T

    difference = joints_in_camera(fit.pose, fit.camera.R) - joints_in_camera(truth, camera_in_front(SIZE).R)
    assert float(difference.norm(dim=-1).mean()) < 0.04


def test_hidden_landmarks_do_not_pull(body: BodyModel) -> None:
    """An arm that the detector calls hidden may be reported anywhere: the rest of the body stays."""
    person = observed(body, standing())
    wrong = person.landmarks.clone()
    wrong[[13, 15, 17, 19, 21]] += torch.tensor([90.0, -120.0])
    hidden = person.visibility.clone()
    hidden[[13, 15, 17, 19, 21]] = 0.02
    misled = dataclasses.replace(person, landmarks=wrong, visibility=hidden)
    fit = fit_body(body, misled, SIZE, 1.35 * SIZE[0])
    points, _ = marks.body_landmarks(body, fit.pose)
    pixels, _ = project(fit.camera, points)
    right = [i for i, landmark in enumerate(marks.LANDMARKS) if not landmark.name.startswith("left")]
    error = (pixels - marks.from_blazepose(person.landmarks))[right].norm(dim=-1)
    assert float(error.mean()) < 6.0


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_overlapping_fits_leave_every_thread_its_number_of_threads() -> None:
    """One fit starts and ends while another runs, and a further thread uses torch for the first time meanwhile."""
    with ExitStack() as pools:
        first, second, other = (pools.enter_context(ThreadPoolExecutor(1)) for _ in range(3))
        fits = [(pool, single_threaded()) for pool in (first, second)]
        for pool, fit in fits:
            pool.submit(fit.__enter__).result()
        counts = [pool.submit(torch.get_num_threads).result() for pool in (first, second, other)]
        assert counts == [1, 1, 3] and torch.get_num_threads() == 3
        for pool, fit in fits:
            pool.submit(fit.__exit__, None, None, None).result()
        assert [pool.submit(torch.get_num_threads).result() for pool in (first, second, other)] == [3, 3, 3]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_a_failing_fit_restores_the_number_of_threads() -> None:
    with pytest.raises(ZeroDivisionError), single_threaded():
        assert torch.get_num_threads() == 1
        _ = 1 / 0
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_a_fit_is_the_same_with_any_number_of_threads(body: BodyModel) -> None:
    person = observed(body, standing(math.radians(20)))
    fits = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        fits.append(fit_body(body, person, SIZE, None, FitOptions(landmark_steps=20, silhouette_steps=5)))
    assert torch.equal(fits[0].pose.joints, fits[1].pose.joints)
    assert torch.equal(fits[0].pose.betas, fits[1].pose.betas)


@pytest.mark.parametrize("pitch", [-0.4, 0.0, 0.3])
def test_a_pitched_camera_looks_down_by_its_pitch(pitch: float) -> None:
    R = camera_rotation(torch.tensor(pitch))
    torch.testing.assert_close(R @ R.T, torch.eye(3))
    forward = R[2]
    assert math.asin(-float(forward[1])) == pytest.approx(pitch, abs=1e-6)
    assert float(forward[2]) < 0


def test_the_prior_is_symmetric_in_left_and_right() -> None:
    joints = torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    mirrored = joints[MIRRORED] * torch.tensor([1.0, -1.0, -1.0])
    torch.testing.assert_close(pose_energy(mirrored), pose_energy(joints))
    torch.testing.assert_close(-UPPER[MIRRORED][:, 1:], LOWER[:, 1:])


def test_the_prior_prefers_standing_and_sitting_to_broken_or_twisted_limbs() -> None:
    assert float(pose_energy(STANCE)) == pytest.approx(0.0, abs=1e-3)

    def bent(knees: float, hips: float) -> float:
        joints = STANCE.clone()
        joints[[4, 5], 0], joints[[1, 2], 0] = knees, -hips
        return float(pose_energy(joints))

    standing, sitting, broken, half_way = bent(0.05, 0.05), bent(1.5, 1.5), bent(-0.8, 0.0), bent(0.8, 0.0)
    assert standing < sitting < broken
    assert standing < half_way, "a person with bent knees below straight hips would fall over"
    twisted = STANCE.clone()
    twisted[[16, 17], 0] = 2.0
    assert float(pose_energy(twisted)) > sitting


def test_the_prior_is_finite_for_any_pose() -> None:
    joints = torch.randn(5, 24, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    energy = pose_energy(joints)
    energy.sum().backward()
    assert energy.isfinite().all()
    assert joints.grad is not None
    assert joints.grad.isfinite().all()


@pytest.mark.parametrize(
    ("error", "iou", "seen", "verdict"),
    [(1.0, 0.9, 1.0, "good"), (1.0, 0.9, 0.4, "usable"), (5.0, 0.7, 1.0, "usable"), (9.0, 0.9, 1.0, "poor")],
)
def test_verdicts(error: float, iou: float, seen: float, verdict: str) -> None:
    assert Scores(error, iou, seen).verdict == verdict


def test_reasons_name_the_misplaced_part_and_hopeless_fits_are_flagged() -> None:
    fine = Scores(1.0, 0.9, 1.0, errors={"left arm": 2.0})
    assert fine.reasons == [] and not fine.is_hopeless
    off = Scores(4.0, 0.9, 0.5, errors={"left arm": 14.0, "head": 1.0})
    assert [word in " ".join(off.reasons) for word in ("left arm", "head", "50%")] == [True, False, True]
    assert Scores(2.0, 0.2, 1.0).is_hopeless and Scores(20.0, 0.9, 1.0).is_hopeless


def test_scores_include_the_visibility_of_each_part(body: BodyModel) -> None:
    """From the front a little less than half of the surface is visible; a hidden arm is not scored."""
    person = observed(body, standing())
    hidden = person.visibility.clone()
    hidden[[13, 15, 17, 19, 21]] = 0.02
    scores = score_fit(body, fit_body(body, person, SIZE, None), dataclasses.replace(person, visibility=hidden))
    assert 0.35 < scores.surface_seen < 0.5
    assert scores.confidence["left arm"] < 0.1 and scores.confidence["right arm"] > 0.9
    assert "left arm" not in scores.errors and scores.errors["right leg"] < 2.0
    little = dataclasses.replace(scores, seen=0.6)
    assert little.reasons == ["only 60% of the landmarks are visible: left arm, left hand hidden or cut off"]


def test_a_lying_person_is_measured_like_a_standing_one(body: BodyModel) -> None:
    """The same error in pixels gives the same score, whichever way up the person is."""
    errors = []
    for turn in (0.0, math.pi / 2):
        pose = standing()
        pose.joints[0] = torch.tensor([0.0, 0.0, turn])
        person, camera = observed(body, pose), camera_in_front(SIZE)
        off = dataclasses.replace(person, landmarks=person.landmarks + torch.tensor([6.0, 0.0]))
        errors.append(score_fit(body, BodyFit(pose, camera), off).keypoint_error)
    assert errors[1] == pytest.approx(errors[0], rel=0.15) and 1.5 < errors[0] < 6


def test_legs_that_the_photo_crops_hang_down(body: BodyModel) -> None:
    """For a person cropped at the hips, whatever the detector guesses below the photo."""
    person = observed(body, standing())
    cut = int(person.landmarks[[23, 24], 1].mean()) + 5
    visible = torch.where(person.landmarks[:, 1] > cut, 0.1, 1.0)
    guessed = person.landmarks.clone()
    guessed[[25, 27, 29, 31]] += torch.tensor([120.0, -40.0])
    x0, y0, x1, _ = person.box
    seen = dataclasses.replace(
        person, box=(x0, y0, x1, float(cut)), landmarks=guessed, visibility=visible, mask=person.mask[:cut]
    )
    fit = fit_body(body, seen, (cut, SIZE[1]), 1.35 * SIZE[0])
    joints = body.pose(fit.pose).joints
    for hip, ankle in ((1, 7), (2, 8)):
        leg = joints[ankle] - joints[hip]
        assert float(-leg[1] / leg.norm()) > math.cos(math.radians(20))


def test_a_body_with_other_vertex_numbers_is_fitted_by_its_joints(body: BodyModel) -> None:
    """On a mesh with shuffled vertices the landmarks of face and feet are ignored, and the joints still work."""
    order = torch.randperm(len(body.v_template), generator=torch.Generator().manual_seed(0))
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    shuffled = dataclasses.replace(
        body,
        v_template=body.v_template[order],
        shapedirs=body.shapedirs[order],
        J_regressor=body.J_regressor[:, order],
        weights=body.weights[order],
        faces=place[body.faces],
    )
    assert bool(marks.available_on(body).all())
    assert not bool(marks.available_on(shuffled).all())
    person = observed(body, standing(0.4))
    scores = score_fit(shuffled, fit_body(shuffled, person, SIZE, 1.35 * SIZE[0]), person)
    assert scores.keypoint_error < 1.0 and scores.silhouette_iou > 0.85
