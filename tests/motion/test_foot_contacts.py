"""Feet that stand in a motion stand on every body; what flies, slides on purpose or bends stays what it is."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.body.lbs import axis_angle_to_matrix
from sherf.body.skeleton import joint_index
from sherf.motion.edit import edited_motion
from sherf.motion.foot_contacts import stride
from sherf.motion.ground import grounded
from sherf.motion.leg_ik import legs_of
from sherf.motion.motion import Motion, apply, leg_height, on_the_spot, read_motion, repeated, resample, scaled
from sherf.motion.options import MotionOptions

MEAN = torch.zeros(10)
TALL, LONG_THIGHS, MIXED = (
    torch.tensor(first + (0.0,) * (10 - len(first))) for first in ((2.0,), (0.0, -2.0), (-2.0, -2.0, 2.0, -2.0, -2.0))
)
SHAPES = {"tall": TALL, "thighs": LONG_THIGHS, "mixed": MIXED}
NAMES = ("walk", "run", "dance", "squat", "turn", "sit", "jump")
LEGS = [joint_index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle")]
SLIDE_M = {"walk": 0.007, "run": 0.009, "jump": 0.008, "turn": 0.006}
"""At most, of the points of a sole while they stand, 19 of 20; where a foot does not roll, 1 mm."""


Own = Callable[[str, str], Motion]


@pytest.fixture(scope="module")
def own(body: BodyModel) -> Own:
    """A built-in motion on a body of one of these shapes."""
    return cache(lambda name, shape: grounded(read_motion(name), body, SHAPES[shape]))


def lifted(motion: Motion, body: BodyModel, betas: torch.Tensor) -> Motion:
    """Steps scaled to the legs, nothing more; the lowest of all is on the ground but for a fiftieth of the frames."""
    steps = scaled(motion, leg_height(body.rest_joints(betas)))
    lowest = float(np.quantile(legs_of(steps, body, betas).heights.min(axis=1), 0.02))
    return replace(steps, translation=steps.translation - torch.tensor([0.0, lowest, 0.0]))


def feet(motion: Motion, body: BodyModel, betas: torch.Tensor, under: float) -> np.ndarray:
    """Every fifth of the vertices of both feet that lie so little over the lowest at rest, over the ground, metres."""
    ids = torch.cat([(body.weights[:, joints].sum(dim=1) > 0.5).nonzero()[:, 0] for joints in ([7, 10], [8, 11])])
    chosen = ids[body.v_template[ids, 1] < body.v_template[:, 1].min() + under][::5]
    points = body.pose_vertices(apply(motion, body.rest_pose(betas)), chosen)[0].numpy()
    return points - [0.0, float(body.shaped(betas)[:, 1].min()), 0.0]


def standing(motion: Motion, body: BodyModel) -> np.ndarray:
    """Which points of the soles stand on the body that the motion was authored on: low, and slow."""
    points = feet(lifted(motion, body, MEAN), body, MEAN, under=0.02)
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * motion.fps
    both = (points[..., 1] < 0.012) & (np.concatenate([speed[:1], speed]) < 0.15)
    padded = np.pad(both, ((1, 1), (0, 0)))
    return both & (padded[:-2] | padded[2:])


def slides(points: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """How far each point gets in each stretch of standing, metres: across, along either axis."""
    found = []
    for k in range(0, points.shape[1], 2):
        edges = np.flatnonzero(np.diff(np.pad(stands[:, k].astype(int), 1)))
        for first, end in edges.reshape(-1, 2):
            found.append(np.ptp(points[first:end, k][:, [0, 2]], axis=0).max())
    return np.array(found)


def turns(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Degrees between rotations."""
    between = axis_angle_to_matrix(a.double()).transpose(-1, -2) @ axis_angle_to_matrix(b.double())
    return ((between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos().rad2deg()


def quickest(motion: Motion) -> float:
    """Degrees that a leg's joint turns from one frame to the next, at most."""
    return float(turns(motion.joints[:-1, LEGS], motion.joints[1:, LEGS]).max())


# --- on other bodies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_feet_stand_on_every_body(body: BodyModel, own: Own, name: str, shape: str) -> None:
    """They slide less than where steps are scaled alone, sink nowhere, and float nowhere by more than a few mm."""
    motion, betas = read_motion(name), SHAPES[shape]
    stands = standing(motion, body)
    before = slides(feet(lifted(motion, body, betas), body, betas, under=0.02), stands)
    slid = slides(feet(own(name, shape), body, betas, under=0.02), stands)
    assert np.quantile(slid, 0.95) < SLIDE_M.get(name, 0.001)
    assert np.median(slid) < max(0.5 * np.median(before), 0.001) and slid.mean() < before.mean()
    heights = feet(own(name, shape), body, betas, under=1.0)[..., 1].min(axis=1)
    assert heights.min() > -0.003
    assert np.median(heights[stands.any(axis=1)]) < 0.004 and np.quantile(heights[stands.any(axis=1)], 0.9) < 0.007


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_pops(own: Own, name: str, shape: str) -> None:
    """No joint of a leg is more than 10 degrees from what it was, or turns a third more quickly than some did."""
    motion, planted = read_motion(name), own(name, shape)
    assert turns(planted.joints[:, LEGS], motion.joints[:, LEGS]).max() < 10
    assert quickest(planted) < 1.35 * quickest(motion)
    others = [joint for joint in range(24) if joint not in LEGS]
    assert torch.equal(planted.joints[:, others], motion.joints[:, others])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_knees_bend_forwards_and_feet_keep_their_angle(body: BodyModel, own: Own, name: str, shape: str) -> None:
    planted = own(name, shape)
    knees = planted.joints[:, [joint_index("left_knee"), joint_index("right_knee")]]
    assert (knees[..., 0] > 0).all() and knees[..., 1:].abs().max() < 0.05
    before, after = (legs_of(x, body, SHAPES[shape]).turns[:, :, 2] for x in (read_motion(name), planted))
    assert np.abs(after - before).max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_jump_flies_as_it_did(body: BodyModel, own: Own, shape: str) -> None:
    """From 0.1 s after the feet have left the ground to 0.1 s before they are back."""
    motion, betas = read_motion("jump"), SHAPES[shape]
    before, planted = lifted(motion, body, betas), own("jump", shape)
    flies = np.flatnonzero(legs_of(before, body, betas).heights.min(axis=1) > 0.05)
    middle = slice(int(flies[0]) + 3, int(flies[-1]) - 2)
    assert turns(planted.joints[middle], motion.joints[middle]).max() < 1
    height = (planted.translation - before.translation)[middle, 1]
    assert (height - height.mean()).abs().max() < 0.001


def test_other_bodies_models_are_played_too(toy_body: BodyModel) -> None:
    """With shape and pose offsets, and whatever legs."""
    own = grounded(read_motion("walk"), toy_body, torch.linspace(-1, 1, 10))
    assert own.joints.isfinite().all() and own.translation.isfinite().all()


# --- what is let be -----------------------------------------------------------------------------------------------


def test_who_stands_on_the_hands_is_let_be(body: BodyModel) -> None:
    """In contact nowhere: the feet do not come near to the ground."""
    motion = read_motion("wave")
    joints = motion.joints.clone()
    joints[:, 0] = torch.tensor([torch.pi, 0.0, 0.0])
    upside_down = replace(motion, joints=joints)
    own = grounded(upside_down, body, TALL)
    assert torch.equal(own.joints, joints)
    moved = own.translation - lifted(upside_down, body, TALL).translation
    assert (moved - moved[0]).abs().max() < 1e-6 and moved[0, [0, 2]].abs().max() < 1e-6


@pytest.mark.parametrize("name", ["walk", "run"])
def test_on_the_spot_feet_slide_and_keep_their_height(body: BodyModel, name: str) -> None:
    spot = on_the_spot(read_motion(name))
    before, after = (legs_of(f(spot, body, LONG_THIGHS), body, LONG_THIGHS) for f in (lifted, grounded))
    assert np.abs((after.joints - before.joints)[:, :, 2][..., [0, 2]]).max() < 0.001
    rests = legs_of(lifted(spot, body, MEAN), body, MEAN).heights.min(axis=1) < 0.01
    assert rests.mean() > 0.5 and np.median(after.heights.min(axis=1)[rests]) < 0.002
    assert np.median(after.heights.min(axis=1)[rests]) < np.median(before.heights.min(axis=1)[rests])
    assert after.heights.min() > -0.001


def test_who_glides_glides_on(body: BodyModel) -> None:
    """On skates: at a metre a second, both feet on the ground."""
    stands = read_motion("idle")
    ahead = torch.arange(len(stands))[:, None] / stands.fps * torch.tensor([0.0, 0.0, 1.0])
    glides = replace(stands, translation=stands.translation + ahead)
    own = grounded(glides, body, TALL)
    before, after = (legs_of(x, body, TALL).joints[:, :, 2] for x in (lifted(glides, body, TALL), own))
    assert np.abs((after - before)[..., [0, 2]]).max() < 1e-4


# --- other motions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smooth", [0.1, 0.2])
def test_a_smoothed_dance_stands_again(body: BodyModel, smooth: float) -> None:
    """Smoothing lets feet slide on any body."""
    dance = edited_motion(read_motion("dance"), MotionOptions(smooth=smooth))
    before, after = (legs_of(f(dance, body, MEAN), body, MEAN) for f in (lifted, grounded))
    low = (before.heights < 0.02)[1:]

    def sliding(slid: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(np.diff(slid, axis=0), axis=-1)[low])) * dance.fps

    assert sliding(before.slid) > 0.01 and sliding(after.slid) < 0.2 * sliding(before.slid)


def test_slow_motion_stands_where_the_motion_does(body: BodyModel, own: Own) -> None:
    """Slow feet in slow motion do not stand for that: what is slow is told by the motion's own pace."""
    walk = read_motion("walk")
    slow = grounded(resample(edited_motion(walk, MotionOptions(speed=0.25)), walk.fps), body, LONG_THIGHS)
    same = slow.joints[::4]
    assert turns(same, own("walk", "thighs").joints[: len(same)]).max() < 2


@pytest.mark.parametrize("size", [0.87, 1.0, 1.14])
@pytest.mark.parametrize("name", ["walk", "run", "sit", "dance"])
def test_steps_of_longer_and_shorter_legs_are_found(body: BodyModel, name: str, size: float) -> None:
    """A file that says nothing of the legs it was walked on: its feet tell. Where they tell nothing, it is kept."""
    motion = read_motion(name)
    foreign = lifted(replace(motion, translation=size * motion.translation), body, MEAN)
    assert stride(legs_of(foreign, body, MEAN), foreign) == pytest.approx(1 / size, rel=0.025)
    spot = on_the_spot(foreign)
    if name in ("walk", "run"):
        assert stride(legs_of(spot, body, MEAN), spot) == 1


def test_a_long_motion_is_the_same_in_pieces(body: BodyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    long = repeated(read_motion("walk"), 100)
    whole = grounded(long, body, TALL)
    monkeypatch.setattr("sherf.motion.leg_ik.CHUNK", 37)
    pieces = grounded(long, body, TALL)
    torch.testing.assert_close(pieces.joints, whole.joints, atol=1e-5, rtol=0)
    torch.testing.assert_close(pieces.translation, whole.translation, atol=1e-5, rtol=0)


def test_one_frame_is_a_motion_too(body: BodyModel) -> None:
    walk = read_motion("walk")
    one = replace(walk, joints=walk.joints[3:4], translation=walk.translation[3:4])
    own = grounded(one, body, TALL)
    assert len(own) == 1 and abs(legs_of(own, body, TALL).heights.min()) < 0.005


def test_grounding_changes_no_motion_that_it_is_given(body: BodyModel) -> None:
    walk = read_motion("walk")
    joints, way = walk.joints.clone(), walk.translation.clone()
    grounded(walk, body, TALL)
    assert torch.equal(walk.joints, joints) and torch.equal(walk.translation, way)
