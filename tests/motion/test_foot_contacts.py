"""Feet planted in a motion are planted on every body; flight, deliberate slides and knee bends are preserved."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import joint_index
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.motion.edit import edit_motion, make_in_place
from sherf.motion.foot_contacts import estimate_stride_scale
from sherf.motion.ground import ground_motion
from sherf.motion.leg_ik import measure_legs
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.playback import apply, leg_height, scale_to_legs
from sherf.motion.read import read_motion
from sherf.motion.resample import repeat_motion, resample

MEAN = torch.zeros(10)
TALL, LONG_THIGHS, MIXED = (
    torch.tensor(first + (0.0,) * (10 - len(first))) for first in ((2.0,), (0.0, -2.0), (-2.0, -2.0, 2.0, -2.0, -2.0))
)
SHAPES = {"tall": TALL, "thighs": LONG_THIGHS, "mixed": MIXED}
NAMES = ("walk", "run", "dance", "squat", "turn", "sit", "jump")
LEGS = [joint_index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle")]
SLIDE_M = {"walk": 0.007, "run": 0.009, "jump": 0.008, "turn": 0.006}
"""Largest slide of 95 % of the sole points in contact; 1 mm for feet that do not roll."""


GroundedMotions = Callable[[str, str], Motion]


@pytest.fixture(scope="module")
def grounded(body: BodyModel) -> GroundedMotions:
    """Return a function from a built-in motion and a shape to the grounded motion."""
    return cache(lambda name, shape: ground_motion(read_motion(name), body, SHAPES[shape]))


def lifted(motion: Motion, body: BodyModel, betas: torch.Tensor) -> Motion:
    """Scale the steps to the legs and put the lowest 2 % of the frames on the ground, without planting feet."""
    steps = scale_to_legs(motion, leg_height(body.rest_joints(betas)))
    lowest = float(np.quantile(measure_legs(steps, body, betas).sole_heights.min(axis=1), 0.02))
    return replace(steps, translation=steps.translation - torch.tensor([0.0, lowest, 0.0]))


def sole_points(motion: Motion, body: BodyModel, betas: torch.Tensor, under: float) -> np.ndarray:
    """Return positions above the ground of every fifth foot vertex that is within `under` of the lowest at rest."""
    ids = torch.cat([(body.weights[:, joints].sum(dim=1) > 0.5).nonzero()[:, 0] for joints in ([7, 10], [8, 11])])
    chosen = ids[body.v_template[ids, 1] < body.v_template[:, 1].min() + under][::5]
    points = body.pose_vertices(apply(motion, body.rest_pose(betas)), chosen)[0].numpy()
    return points - [0.0, float(body.rest_vertices(betas)[:, 1].min()), 0.0]


def find_contacts(motion: Motion, body: BodyModel) -> np.ndarray:
    """Return which sole points are in contact on the body that the motion was authored on: low and slow."""
    points = sole_points(lifted(motion, body, MEAN), body, MEAN, under=0.02)
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * motion.fps
    both = (points[..., 1] < 0.012) & (np.concatenate([speed[:1], speed]) < 0.15)
    padded = np.pad(both, ((1, 1), (0, 0)))
    return both & (padded[:-2] | padded[2:])


def slide_extents(points: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Return the extent of each point's movement in each contact, the larger of both axes, metres."""
    found = []
    for k in range(0, points.shape[1], 2):
        edges = np.flatnonzero(np.diff(np.pad(contacts[:, k].astype(int), 1)))
        for first, end in edges.reshape(-1, 2):
            found.append(np.ptp(points[first:end, k][:, [0, 2]], axis=0).max())
    return np.array(found)


def angles_between(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the angles between rotations, degrees."""
    between = axis_angle_to_matrix(a.double()).transpose(-1, -2) @ axis_angle_to_matrix(b.double())
    return ((between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos().rad2deg()


def fastest_rotation(motion: Motion) -> float:
    """Return the largest rotation of a leg's joint between frames, degrees."""
    return float(angles_between(motion.joints[:-1, LEGS], motion.joints[1:, LEGS]).max())


# --- other bodies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_feet_stand_on_every_body(body: BodyModel, grounded: GroundedMotions, name: str, shape: str) -> None:
    """They slide less than with scaled steps alone, never sink, and float by a few millimetres at most."""
    motion, betas = read_motion(name), SHAPES[shape]
    contacts = find_contacts(motion, body)
    before = slide_extents(sole_points(lifted(motion, body, betas), body, betas, under=0.02), contacts)
    slid = slide_extents(sole_points(grounded(name, shape), body, betas, under=0.02), contacts)
    assert np.quantile(slid, 0.95) < SLIDE_M.get(name, 0.001)
    assert np.median(slid) < max(0.5 * np.median(before), 0.001) and slid.mean() < before.mean()
    heights = sole_points(grounded(name, shape), body, betas, under=1.0)[..., 1].min(axis=1)
    assert heights.min() > -0.003
    assert np.median(heights[contacts.any(axis=1)]) < 0.004 and np.quantile(heights[contacts.any(axis=1)], 0.9) < 0.007


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_no_joint_jumps(grounded: GroundedMotions, name: str, shape: str) -> None:
    """No leg joint changes by more than 10 degrees, or rotates a third faster than the fastest did."""
    motion, planted = read_motion(name), grounded(name, shape)
    assert angles_between(planted.joints[:, LEGS], motion.joints[:, LEGS]).max() < 10
    assert fastest_rotation(planted) < 1.35 * fastest_rotation(motion)
    others = [joint for joint in range(24) if joint not in LEGS]
    assert torch.equal(planted.joints[:, others], motion.joints[:, others])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_knees_bend_forwards_and_feet_keep_their_rotation(
    body: BodyModel, grounded: GroundedMotions, name: str, shape: str
) -> None:
    planted = grounded(name, shape)
    knees = planted.joints[:, [joint_index("left_knee"), joint_index("right_knee")]]
    assert (knees[..., 0] > 0).all() and knees[..., 1:].abs().max() < 0.05
    before, after = (measure_legs(x, body, SHAPES[shape]).rotations[:, :, 2] for x in (read_motion(name), planted))
    assert np.abs(after - before).max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_the_flight_of_a_jump_is_unchanged(body: BodyModel, grounded: GroundedMotions, shape: str) -> None:
    """From 0.1 s after take-off to 0.1 s before landing."""
    motion, betas = read_motion("jump"), SHAPES[shape]
    before, planted = lifted(motion, body, betas), grounded("jump", shape)
    flies = np.flatnonzero(measure_legs(before, body, betas).sole_heights.min(axis=1) > 0.05)
    middle = slice(int(flies[0]) + 3, int(flies[-1]) - 2)
    assert angles_between(planted.joints[middle], motion.joints[middle]).max() < 1
    height = (planted.translation - before.translation)[middle, 1]
    assert (height - height.mean()).abs().max() < 0.001


def test_other_body_models_work_too(toy_body: BodyModel) -> None:
    """A model with shape and pose offsets and other leg proportions."""
    grounded = ground_motion(read_motion("walk"), toy_body, torch.linspace(-1, 1, 10))
    assert grounded.joints.isfinite().all() and grounded.translation.isfinite().all()


# --- left unchanged -----------------------------------------------------------------------------------------------


def test_a_handstand_is_unchanged(body: BodyModel) -> None:
    """No contacts: the feet never come near the ground."""
    motion = read_motion("wave")
    joints = motion.joints.clone()
    joints[:, 0] = torch.tensor([torch.pi, 0.0, 0.0])
    upside_down = replace(motion, joints=joints)
    grounded = ground_motion(upside_down, body, TALL)
    assert torch.equal(grounded.joints, joints)
    moved = grounded.translation - lifted(upside_down, body, TALL).translation
    assert (moved - moved[0]).abs().max() < 1e-6 and moved[0, [0, 2]].abs().max() < 1e-6


@pytest.mark.parametrize("name", ["walk", "run"])
def test_feet_slide_in_place_and_keep_their_height(body: BodyModel, name: str) -> None:
    spot = make_in_place(read_motion(name))
    before, after = (measure_legs(f(spot, body, LONG_THIGHS), body, LONG_THIGHS) for f in (lifted, ground_motion))
    assert np.abs((after.joints - before.joints)[:, :, 2][..., [0, 2]]).max() < 0.001
    rests = measure_legs(lifted(spot, body, MEAN), body, MEAN).sole_heights.min(axis=1) < 0.01
    assert rests.mean() > 0.5 and np.median(after.sole_heights.min(axis=1)[rests]) < 0.002
    assert np.median(after.sole_heights.min(axis=1)[rests]) < np.median(before.sole_heights.min(axis=1)[rests])
    assert after.sole_heights.min() > -0.001


def test_gliding_is_preserved(body: BodyModel) -> None:
    """As on skates: at 1 m/s, with both feet on the ground."""
    idle = read_motion("idle")
    ahead = torch.arange(len(idle))[:, None] / idle.fps * torch.tensor([0.0, 0.0, 1.0])
    glides = replace(idle, translation=idle.translation + ahead)
    grounded = ground_motion(glides, body, TALL)
    before, after = (measure_legs(x, body, TALL).joints[:, :, 2] for x in (lifted(glides, body, TALL), grounded))
    assert np.abs((after - before)[..., [0, 2]]).max() < 1e-4


# --- other motions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smooth", [0.1, 0.2])
def test_feet_of_a_smoothed_dance_are_planted(body: BodyModel, smooth: float) -> None:
    """Smoothing makes feet slide on any body."""
    dance = edit_motion(read_motion("dance"), MotionOptions(smooth=smooth))
    before, after = (measure_legs(f(dance, body, MEAN), body, MEAN) for f in (lifted, ground_motion))
    low = (before.sole_heights < 0.02)[1:]

    def sliding(slid: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(np.diff(slid, axis=0), axis=-1)[low])) * dance.fps

    assert sliding(before.sole_slides) > 0.01 and sliding(after.sole_slides) < 0.2 * sliding(before.sole_slides)


def test_slow_motion_has_the_contacts_of_the_motion(body: BodyModel, grounded: GroundedMotions) -> None:
    """Feet that are slow only because of slow motion are not in contact: speeds refer to the recorded movement."""
    walk = read_motion("walk")
    slow = ground_motion(resample(edit_motion(walk, MotionOptions(speed=0.25)), walk.fps), body, LONG_THIGHS)
    same = slow.joints[::4]
    assert angles_between(same, grounded("walk", "thighs").joints[: len(same)]).max() < 2


@pytest.mark.parametrize("size", [0.87, 1.0, 1.14])
@pytest.mark.parametrize("name", ["walk", "run", "sit", "dance"])
def test_the_stride_scale_of_longer_and_shorter_legs_is_estimated(body: BodyModel, name: str, size: float) -> None:
    """For a file without leg lengths, sliding feet reveal the scale; in place, they reveal nothing and it stays 1."""
    motion = read_motion(name)
    foreign = lifted(replace(motion, translation=size * motion.translation), body, MEAN)
    assert estimate_stride_scale(measure_legs(foreign, body, MEAN), foreign) == pytest.approx(1 / size, rel=0.025)
    spot = make_in_place(foreign)
    if name in ("walk", "run"):
        assert estimate_stride_scale(measure_legs(spot, body, MEAN), spot) == 1


def test_a_long_motion_is_the_same_in_chunks(body: BodyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    long = repeat_motion(read_motion("walk"), 100)
    whole = ground_motion(long, body, TALL)
    monkeypatch.setattr("sherf.motion.leg_ik.MAX_POSED_FRAMES", 37)
    chunks = ground_motion(long, body, TALL)
    torch.testing.assert_close(chunks.joints, whole.joints, atol=1e-5, rtol=0)
    torch.testing.assert_close(chunks.translation, whole.translation, atol=1e-5, rtol=0)


def test_a_single_frame_works_too(body: BodyModel) -> None:
    walk = read_motion("walk")
    one = replace(walk, joints=walk.joints[3:4], translation=walk.translation[3:4])
    grounded = ground_motion(one, body, TALL)
    assert len(grounded) == 1 and abs(measure_legs(grounded, body, TALL).sole_heights.min()) < 0.005


def test_grounding_does_not_modify_its_argument(body: BodyModel) -> None:
    walk = read_motion("walk")
    joints, trajectory = walk.joints.clone(), walk.translation.clone()
    ground_motion(walk, body, TALL)
    assert torch.equal(walk.joints, joints) and torch.equal(walk.translation, trajectory)
