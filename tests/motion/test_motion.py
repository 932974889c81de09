"""Motions: reading, refusing, editing and playing them."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sherf.api.choose_motion import choose_motion, find_subject_folder, is_video_motion
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.body.skeleton import joint_index
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.datasets.motions.author import PLANNERS, author_motion
from sherf.datasets.motions.rig import measure_rig
from sherf.errors import BadInput
from sherf.motion.edit import edit_motion, loop_motion, make_in_place, smooth_motion
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.motion_file import write_motion
from sherf.motion.options import MotionOptions
from sherf.motion.playback import MOTION_LEG_M, apply, leg_height, scale_to_legs
from sherf.motion.read import builtin_motions, read_motion
from sherf.motion.resample import repeat_motion, resample, trim
from sherf.scene import BodyPose

NAMES = ("bow", "dance", "disco", "idle", "jump", "run", "sit", "squat", "stretch", "turn", "walk", "wave")
LOOPS = tuple(name for name in NAMES if name not in ("run", "turn", "walk"))
GROUNDED = tuple(name for name in NAMES if name not in ("jump", "run"))


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model("openbody")


def some_motion(frames: int = 40, fps: float = 20.0, seed: int = 0) -> Motion:
    """Return a smooth motion in which every joint moves, starting at the origin."""
    random = torch.Generator().manual_seed(seed)
    time = torch.linspace(0, 1, frames)[:, None, None]
    joints = 0.8 * torch.sin(3 * time + 6 * torch.rand(24, 3, generator=random))
    translation = torch.cat([torch.sin(2 * time[:, :, 0]), 0.1 * time[:, :, 0], 2 * time[:, :, 0]], -1)
    return Motion("some", joints, translation, fps)


def some_pose(seed: int = 0) -> BodyPose:
    """Return a subject in a random pose at a random position."""
    random = torch.Generator().manual_seed(seed)
    rotation = torch.tensor(Rotation.random(rng=seed).as_matrix()).float()
    return BodyPose(
        betas=torch.randn(10, generator=random),
        joints=0.4 * torch.randn(24, 3, generator=random),
        R_world_body=rotation,
        T_world_body=torch.randn(3, generator=random),
    )


def heading(orientation: torch.Tensor) -> torch.Tensor:
    """Return the yaw of a world orientation, radians about +y."""
    return torch.atan2(orientation[..., 0, 2], orientation[..., 2, 2])


def world_orientation(pose: BodyPose) -> torch.Tensor:
    return pose.R_world_body @ axis_angle_to_matrix(pose.joints[..., 0, :])


def pelvis_of(body: BodyModel, pose: BodyPose) -> torch.Tensor:
    return body.pose(pose).joints[..., 0, :]


# --- the built-in motions -----------------------------------------------------------------------------------------


def test_the_built_in_motions_are_complete() -> None:
    assert builtin_motions() == NAMES
    for name in NAMES:
        motion = read_motion(name)
        assert motion.name == name and motion.fps == 30 and 2 <= motion.seconds <= 4
        assert "CC0" in motion.licence
        assert motion.joints.isfinite().all() and (motion.translation[0] == 0).all()


def test_shipped_files_are_reproduced_by_their_authoring_code(body: BodyModel) -> None:
    rig = measure_rig(body)
    assert sorted(PLANNERS) == list(NAMES)
    for name in PLANNERS:
        fresh, shipped = author_motion(name, rig), read_motion(name)
        torch.testing.assert_close(fresh.joints, shipped.joints, atol=1e-4, rtol=0)
        torch.testing.assert_close(fresh.translation, shipped.translation, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_no_joint_jumps_even_from_the_last_frame_to_the_first(name: str) -> None:
    """No joint rotates faster than in quick human movement, 650 degrees per second; in sport, 900."""
    motion = read_motion(name)
    rotations = axis_angle_to_matrix(motion.joints)
    between = rotations.transpose(-1, -2) @ rotations.roll(-1, 0)
    angle = ((between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos().rad2deg()
    assert angle.max() * motion.fps < (650 if name in GROUNDED else 900)
    if name in LOOPS:
        assert (motion.translation[-1] - motion.translation[0]).norm() < 0.02


@pytest.mark.parametrize("name", NAMES)
def test_knees_and_elbows_bend_within_their_limits(name: str) -> None:
    joints = read_motion(name).joints
    for side, sign in (("left", -1), ("right", 1)):
        knee, elbow = joints[:, joint_index(f"{side}_knee")], joints[:, joint_index(f"{side}_elbow")]
        assert (knee[:, 0] > 0).all() and knee[:, 1:].abs().max() < 1e-5
        assert (sign * elbow[:, 1] > 0).all() and elbow[:, [0, 2]].abs().max() < 1e-5
        assert knee.norm(dim=-1).max() < 2.4 and elbow.norm(dim=-1).max() < 2.5


@pytest.mark.parametrize("name", GROUNDED)
def test_feet_stay_on_the_ground_and_do_not_slide(body: BodyModel, name: str) -> None:
    """The lowest point of the body keeps its height, and points in contact with the ground do not move."""
    motion = read_motion(name)
    soles = _soles(body, motion)
    height = soles[..., 1].amin(1)
    assert height.max() - height.min() < 0.008
    on_ground = soles[..., 1] < height.min() + 0.008
    stays = on_ground[1:] & on_ground[:-1]
    speed = soles[..., [0, 2]].diff(dim=0).norm(dim=-1)[stays] * motion.fps
    assert stays.any(1).all()
    assert speed.median() < 0.01 and speed.quantile(0.9) < 0.25


def _soles(body: BodyModel, motion: Motion) -> torch.Tensor:
    """Return the vertices of both feet in each frame."""
    own = body.weights[:, [joint_index(f"{s}_{j}") for s in ("left", "right") for j in ("ankle", "foot")]].sum(1) > 0.5
    return body.pose(apply(motion, body.rest_pose())).vertices[:, own]


def test_a_jump_obeys_gravity(body: BodyModel) -> None:
    """0.4 s in the air, 20 cm high; before and after, the feet stay on the ground."""
    lowest = _soles(body, read_motion("jump"))[..., 1].amin(1)
    lowest = lowest - lowest.min()
    flying = (lowest > 0.015).nonzero()[:, 0]
    assert int(flying[-1] - flying[0]) + 1 == len(flying)
    assert len(flying) / 30 == pytest.approx(0.4, abs=0.08)
    assert float(lowest.max()) == pytest.approx(9.81 * 0.4**2 / 8, abs=0.03)
    grounded = torch.cat([lowest[: int(flying[0]) - 1], lowest[int(flying[-1]) + 2 :]])
    assert float(grounded.max()) < 0.012


def test_a_run_runs(body: BodyModel) -> None:
    """Faster than a walk, at most one foot on the ground, and points in contact with the ground do not move."""
    motion = read_motion("run")
    assert 2.2 < float(motion.translation[-1, 2]) / (motion.seconds - 1 / motion.fps) < 3.5
    soles = _soles(body, motion)
    height = soles[..., 1] - soles[..., 1].min()
    in_air = height.amin(1) > 0.02
    assert 0.06 < float(in_air.float().mean()) < 0.5
    stays = (height[1:] < 0.006) & (height[:-1] < 0.006)
    speed = soles[..., [0, 2]].diff(dim=0).norm(dim=-1)[stays] * motion.fps
    assert float(speed.median()) < 0.3


def test_a_walk_walks(body: BodyModel) -> None:
    """Forward at walking speed, arms opposite to legs, no sideways drift."""
    motion = read_motion("walk")
    speed = motion.translation[-1, 2] / (motion.seconds - 1 / motion.fps)
    assert 0.9 < speed < 1.5
    assert motion.translation[-1, [0, 1]].abs().max() < 0.02
    centres = body.pose(apply(make_in_place(motion), body.rest_pose())).joints[..., 2]
    left_ankle, left_wrist = centres[:, joint_index("left_ankle")], centres[:, joint_index("left_wrist")]
    assert torch.corrcoef(torch.stack([left_ankle, left_wrist]))[0, 1] < -0.8


def test_a_turn_is_one_whole_turn() -> None:
    yaw = np.unwrap(heading(axis_angle_to_matrix(read_motion("turn").joints[:, 0])).numpy())
    assert np.degrees(yaw[-1] - yaw[0]) == pytest.approx(360, abs=1)
    assert (np.diff(yaw) > -1e-3).all()


# --- playing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_motion_starts_at_the_subjects_pelvis(body: BodyModel, seed: int) -> None:
    subject, motion = some_pose(seed), some_motion(5)
    played = apply(motion, subject)
    torch.testing.assert_close(pelvis_of(body, played)[0], pelvis_of(body, subject), atol=1e-5, rtol=0)
    assert (played.betas == subject.betas).all() and played.betas.shape == (5, 10)
    torch.testing.assert_close(played.R_world_body, subject.R_world_body.expand(5, 3, 3))
    torch.testing.assert_close(played.joints[:, 1:], motion.joints[:, 1:])


@pytest.mark.parametrize("seed", range(4))
def test_only_the_subjects_heading_is_kept(body: BodyModel, seed: int) -> None:
    """For any tilt the motion plays upright: pelvis path and orientation are the motion's, rotated about +y."""
    subject, motion = some_pose(seed), some_motion(7)
    played = apply(motion, subject)
    angle = heading(world_orientation(subject))
    yaw = axis_angle_to_matrix(torch.stack([torch.zeros(()), angle, torch.zeros(())]))
    expected = yaw @ axis_angle_to_matrix(motion.joints[:, 0])
    torch.testing.assert_close(world_orientation(played), expected, atol=1e-5, rtol=0)
    path = pelvis_of(body, played) - pelvis_of(body, subject)
    torch.testing.assert_close(path, motion.translation @ yaw.T, atol=1e-5, rtol=0)


def test_a_subject_that_faces_away_walks_away(body: BodyModel) -> None:
    rest = body.rest_pose()
    joints = rest.joints.clone()
    joints[0] = torch.tensor([0.0, torch.pi, 0.0])
    played = apply(read_motion("walk"), BodyPose(rest.betas, joints, rest.R_world_body, rest.T_world_body))
    assert played.T_world_body[-1, 2] < -2
    # the same rotation by R_world_body instead of joint 0
    back = axis_angle_to_matrix(joints[0])
    placed = apply(read_motion("walk"), BodyPose(rest.betas, rest.joints, back, rest.T_world_body))
    torch.testing.assert_close(placed.T_world_body, played.T_world_body, atol=1e-5, rtol=0)


def test_a_lying_subject_plays_in_the_direction_it_faced_before_it_lay_down() -> None:
    """On its back, head towards -z, it has no facing direction; before lying down it faced +z."""
    identity = torch.eye(3)
    on_back = torch.zeros(24, 3)
    on_back[0, 0] = -torch.pi / 2
    played = apply(some_motion(3), BodyPose(torch.zeros(10), on_back, identity, torch.zeros(3)))
    torch.testing.assert_close(played.T_world_body, some_motion(3).translation, atol=1e-5, rtol=0)


@pytest.mark.parametrize("first_beta", [-2.0, 0.0, 2.0])
def test_short_and_long_legs_squat_on_the_ground(body: BodyModel, first_beta: float) -> None:
    betas = torch.zeros(10)
    betas[0] = first_beta
    height = leg_height(body.rest_joints(betas))
    assert height == pytest.approx(MOTION_LEG_M, abs=1e-3) or first_beta
    played = apply(read_motion("squat"), body.rest_pose(betas), leg_height_m=height)
    lowest = body.pose(played).vertices[..., 1].amin(1)
    assert lowest.max() - lowest.min() < 0.012


def test_a_range_of_frames_is_that_part_of_the_whole() -> None:
    subject, motion = some_pose(), some_motion(9)
    whole, part = apply(motion, subject), apply(motion, subject, slice(4, 7))
    assert len(part) == 3
    for name in ("betas", "joints", "R_world_body", "T_world_body"):
        torch.testing.assert_close(getattr(part, name), getattr(whole, name)[4:7])


def test_playing_changes_neither_the_motion_nor_the_subject() -> None:
    subject, motion = some_pose(), some_motion(4)
    before = motion.joints.clone(), subject.joints.clone()
    apply(motion, subject)
    assert (motion.joints == before[0]).all() and (subject.joints == before[1]).all()


# --- cutting, resampling ------------------------------------------------------------------------------------------


def test_resampling_to_a_multiple_and_back_changes_nothing() -> None:
    motion = some_motion()
    upsampled = resample(motion, 60.0)
    assert len(upsampled) == 3 * (len(motion) - 1) + 1 and upsampled.fps == 60
    back = resample(upsampled, motion.fps)
    torch.testing.assert_close(back.joints, motion.joints, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.translation, motion.translation, atol=1e-5, rtol=0)


def test_resampling_takes_the_shortest_arc() -> None:
    """From 170 degrees to -170 degrees the middle is 180, not 0."""
    joints = torch.zeros(2, 24, 3)
    joints[:, :, 1] = torch.tensor([[170.0], [-170.0]]).deg2rad()
    middle = resample(Motion("flip", joints, torch.zeros(2, 3), 1.0), 2.0).joints[1]
    torch.testing.assert_close(middle[:, 1].abs(), torch.full((24,), torch.pi), atol=1e-4, rtol=0)


def test_resampling_ends_no_later_than_the_motion() -> None:
    slow = resample(some_motion(frames=10, fps=30.0), 7.0)
    assert (len(slow) - 1) / 7 <= 9 / 30 < len(slow) / 7


def test_a_trimmed_motion_starts_at_the_origin_facing_z_and_moves_the_same() -> None:
    motion = some_motion()
    part = trim(motion, 10, 30)
    assert len(part) == 20 and (part.translation[0] == 0).all()
    torch.testing.assert_close(heading(axis_angle_to_matrix(part.joints[0, 0])), torch.zeros(()), atol=1e-5, rtol=0)
    steps = motion.translation[10:30].diff(dim=0)
    torch.testing.assert_close(part.translation.diff(dim=0).norm(dim=-1), steps.norm(dim=-1))
    torch.testing.assert_close(part.translation[:, 1], motion.translation[10:30, 1] - motion.translation[10, 1])
    torch.testing.assert_close(part.joints[:, 1:], motion.joints[10:30, 1:])


def test_an_empty_trim_says_how_many_frames_there_are() -> None:
    with pytest.raises(BadInput, match="40 frames"):
        trim(some_motion(), 40)


def test_a_repeated_walk_continues_at_the_same_speed() -> None:
    motion = read_motion("walk")
    long = repeat_motion(motion, 3 * len(motion) + 5)
    assert len(long) == 3 * len(motion) + 5
    ahead = long.translation[:, 2].diff()
    assert ahead.min() > 0.5 * ahead.mean() and ahead.max() < 1.5 * ahead.mean()
    torch.testing.assert_close(long.joints[-5:], motion.joints[:5])
    assert long.translation[:, [0, 1]].abs().max() < 0.08
    torch.testing.assert_close(repeat_motion(motion, 10).translation, motion.translation[:10])


def test_in_place_ends_where_it_starts_and_keeps_the_bob() -> None:
    motion = read_motion("walk")
    in_place = make_in_place(motion)
    assert in_place.translation[-1, [0, 2]].abs().max() < 1e-6
    assert in_place.translation[:, [0, 2]].abs().max() < 0.1
    torch.testing.assert_close(in_place.translation[:, 1], motion.translation[:, 1])


def circling(seconds: float = 12.0, radius: float = 1.0, fps: float = 30.0) -> Motion:
    """Return a walk in circles at 1.2 m/s that sways by 3 cm and bobs by 2 cm with its steps."""
    time = torch.arange(round(seconds * fps), dtype=torch.float64) / fps
    angle = 1.2 * time / radius
    away = radius + 0.03 * torch.sin(2 * torch.pi * 0.9 * time)
    bob = 0.02 * torch.sin(2 * torch.pi * 1.8 * time)
    trajectory = torch.stack([away * torch.cos(angle), bob, away * torch.sin(angle)], dim=1).float()
    return Motion("circling", torch.zeros(len(time), 24, 3), trajectory - trajectory[0], fps)


@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_in_place_removes_a_circle_and_keeps_height_and_sway(radius: float) -> None:
    motion = circling(radius=radius)
    spot = make_in_place(motion)
    assert spot.translation[:, [0, 2]].norm(dim=-1).max() < 0.1
    assert spot.translation[60:-60, [0, 2]].norm(dim=-1).max() < 0.06
    assert spot.translation[[0, -1]][:, [0, 2]].abs().max() < 1e-5
    assert torch.equal(spot.translation[:, 1], motion.translation[:, 1])
    sway = spot.translation[30:-30, [0, 2]]
    assert (sway - sway.mean(dim=0)).norm(dim=-1).max() > 0.02


def test_in_place_keeps_weight_shifts_of_a_standing_body() -> None:
    """Sitting down moves the pelvis back by a third of a metre over planted feet."""
    sit = read_motion("sit")
    assert (make_in_place(sit).translation - sit.translation).abs().max() < 0.02
    assert make_in_place(trim(sit, 0, 1)).translation.shape == (1, 3)


def test_resampling_to_too_many_frames_is_refused() -> None:
    slow = Motion("slow", torch.zeros(1000, 24, 3), torch.zeros(1000, 3), 0.05)
    with pytest.raises(BadInput, match="599401 frames at 30 frames per second"):
        resample(slow, 30.0)


# --- files --------------------------------------------------------------------------------------------------------


def test_writing_and_reading_returns_the_motion(tmp_path: Path) -> None:
    motion = some_motion()
    write_motion(tmp_path / "my.npz", motion)
    again = read_motion(tmp_path / "my.npz")
    torch.testing.assert_close(again.joints, motion.joints)
    torch.testing.assert_close(again.translation, motion.translation)
    assert (again.name, again.fps) == (motion.name, motion.fps)


@pytest.mark.parametrize("width", [72, 156, 165])
@pytest.mark.parametrize("z_up", [False, True])
def test_amass_files_become_y_up_and_face_z(tmp_path: Path, width: int, z_up: bool) -> None:
    """The same movement with either axis up, at any position and heading, reads the same."""
    motion = some_motion()
    joints, translation = motion.joints.double().numpy().copy(), motion.translation.double().numpy()
    joints[:, 0] *= 0.2  # upright, as people mostly are
    level = Rotation.from_rotvec(joints[:, 0])
    level = Rotation.from_rotvec([0, -float(heading(torch.tensor(level[0].as_matrix()))), 0]) * level
    poses = np.random.default_rng(0).normal(size=(len(motion), width))
    moved = Rotation.from_rotvec([np.pi / 2 * z_up, 0, 0]) * Rotation.from_rotvec([0, 1.1, 0])
    poses[:, :66] = joints[:, :22].reshape(-1, 66)
    poses[:, :3] = (moved * level).as_rotvec()
    np.savez(tmp_path / "a.npz", poses=poses, trans=5.0 + moved.apply(translation), mocap_framerate=np.array(60.0))
    read = read_motion(tmp_path / "a.npz")
    assert read.fps == 60 and read.name == "a"
    np.testing.assert_allclose(read.translation, translation, atol=1e-5)
    np.testing.assert_allclose(read.joints[:, 0], level.as_rotvec(), atol=1e-5)
    np.testing.assert_allclose(read.joints[:, 1:22], joints[:, 1:22], atol=1e-6)
    hands = poses[:, 66:72].reshape(-1, 2, 3) if width == 72 else np.zeros((len(motion), 2, 3))
    np.testing.assert_allclose(read.joints[:, 22:], hands, atol=1e-6)


@pytest.mark.parametrize(("name", "suggested"), [("wlak", "walk"), ("Dancing", "dance"), ("squatt", "squat")])
def test_an_unknown_name_lists_the_names_and_suggests_one(name: str, suggested: str) -> None:
    with pytest.raises(BadInput, match=f"Did you mean {suggested}") as error:
        read_motion(name)
    assert all(known in str(error.value) for known in NAMES)


def test_nonsense_names_are_unknown_too() -> None:
    for name in ("", "x" * 5000, "a\0b", "/"):
        with pytest.raises(BadInput, match="Choose one of"):
            read_motion(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/tmp/x", "tmpx"),
        ("../../x", "x"),
        ("a\0b", "ab"),
        ("..", "file"),
        ("\\\\?\\", "file"),
        ("a walk-2_b.c", "a walk-2_b.c"),
        ("é" * 300, "é" * 60),
    ],
)
def test_a_name_in_a_file_cannot_leave_its_folder(tmp_path: Path, name: str, expected: str) -> None:
    np.savez(tmp_path / "file.npz", name=np.array(name), **good())
    assert read_motion(tmp_path / "file.npz").name == expected


def test_a_built_in_name_takes_precedence_over_a_folder_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--motion dance --out dance` works twice, even if the folder is a data set's subject."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dance").mkdir()
    (tmp_path / "dance" / "annots.npy").touch()
    (tmp_path / "walk").write_bytes(b"no video")
    for name in ("dance", "walk"):
        motion = choose_motion(name, MotionOptions(), tmp_path)
        assert torch.equal(motion.joints, read_motion(name).joints)
        assert not is_video_motion(name) and find_subject_folder(name) is None
    assert find_subject_folder("./dance") == Path("dance")


def test_a_folder_that_is_not_a_subject_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"is a folder, but not a subject of a data set.*\n.*walk"):
        choose_motion(str(tmp_path), MotionOptions(), tmp_path)


@pytest.mark.parametrize("kind", ["x.npz", "x.bvh", "x.json", "x.npy"])
def test_a_motion_file_named_as_a_video_is_read_as_a_motion_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.mp4"
    content = {
        "x.npz": lambda file: np.savez(file, **good()),
        "x.npy": lambda file: np.save(file, np.zeros((5, 72))),
        "x.json": lambda file: file.write(
            b'{"poses": [' + b",".join([b"[" + b"0," * 71 + b"0]"] * 5) + b'], "fps": 30}'
        ),
        "x.bvh": lambda file: file.write(b"HIERARCHY\nROOT Hips\n"),
    }[kind]
    with path.open("wb") as file:
        content(file)
    assert not is_video_motion(str(path))
    if kind == "x.bvh":
        with pytest.raises(BadInput, match=r"too early.*BVH"):
            choose_motion(str(path), MotionOptions(), tmp_path)
    else:
        assert len(choose_motion(str(path), MotionOptions(), tmp_path)) == 5


def good() -> dict[str, np.ndarray]:
    return {"joints": np.zeros((5, 24, 3)), "translation": np.zeros((5, 3)), "fps": np.array(30.0)}


def with_nan() -> np.ndarray:
    joints = np.zeros((5, 24, 3))
    joints[3, 2, 1] = np.nan
    return joints


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": with_nan()}, "1 of 5 frames, first in frame 3"),
        ({"translation": np.full((5, 3), np.inf)}, "infinite"),
        ({"joints": np.zeros((0, 24, 3)), "translation": np.zeros((0, 3))}, "0 frames"),
        ({"joints": np.zeros((100_001, 24, 3), np.float16), "translation": np.zeros((100_001, 3))}, "100001 frames"),
        ({"joints": np.zeros((5, 22, 3))}, r"\(5, 22, 3\)"),
        ({"joints": np.zeros(5)}, r"\(frames, 24, 3\)"),
        ({"translation": np.zeros((4, 3))}, "5 frames of joints but 4"),
        ({"translation": np.linspace(0, 4000, 15).reshape(5, 3)}, "millimetres"),
        ({"fps": np.array(0.0)}, "frame rate is 0"),
        ({"fps": np.array([30.0, 30.0])}, "one number"),
        ({"joints": np.full((5, 24, 3), "x")}, "not numbers"),
        ({"fps": np.array([30], dtype=object)}, "holds no motion"),
    ],
)
def test_a_broken_motion_is_refused_with_the_reason(tmp_path: Path, change: dict, message: str) -> None:
    np.savez(tmp_path / "bad.npz", **(good() | change))
    with pytest.raises(BadInput, match=message):
        read_motion(tmp_path / "bad.npz")


def test_amass_files_are_checked_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", poses=np.zeros((5, 69)), trans=np.zeros((5, 3)), mocap_framerate=60)
    with pytest.raises(BadInput, match=r"\(5, 69\)"):
        read_motion(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", poses=np.zeros((5, 72)), trans=np.zeros((5, 3)))
    with pytest.raises(BadInput, match="frame rate"):
        read_motion(tmp_path / "b.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    cases = {"text.npz": b"hello", "empty.npz": b"", "dance.bvh": b"HIERARCHY", "pickled.npz": pickle.dumps([1])}
    whole = tmp_path / "whole.npz"
    write_motion(whole, some_motion())
    cases["cut.npz"] = whole.read_bytes()[:-200]
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=name):
            read_motion(tmp_path / name)


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    """40 million zeros compress to nothing; their size is read before they are."""
    np.savez_compressed(tmp_path / "bomb.npz", **(good() | {"joints": np.zeros((40_000_000,), np.float64)}))
    assert (tmp_path / "bomb.npz").stat().st_size < 2**20
    with pytest.raises(BadInput, match="unpacks to 305 MB"):
        read_motion(tmp_path / "bomb.npz")


def test_a_looped_motion_has_no_jump_at_the_seam(body: BodyModel) -> None:
    """Played twice, no joint moves further at the seam than elsewhere; a trimmed motion jumps there."""
    cut = edit_motion(read_motion("dance"), MotionOptions(begin=0.3, end=2.1))

    def steps(motion: Motion) -> torch.Tensor:
        joints = body.pose(_play_at_origin(repeat_motion(motion, 2 * len(motion)))).joints
        return (joints[1:] - joints[:-1]).norm(dim=-1).amax(dim=1)

    smooth, broken = loop_motion(cut), cut
    assert float(steps(smooth)[len(smooth) - 1]) < 1.3 * float(steps(smooth)[: len(smooth) - 1].max())
    assert float(steps(broken)[len(broken) - 1]) > 2 * float(steps(broken)[: len(broken) - 1].max())


def test_a_looped_walk_keeps_walking() -> None:
    walk = loop_motion(edit_motion(read_motion("walk"), MotionOptions(begin=0.1)))
    trajectory = repeat_motion(walk, 3 * len(walk)).translation
    steps = (trajectory[1:] - trajectory[:-1])[:, 2]
    assert float(steps.min()) > 0.3 * float(steps.mean())
    assert float((trajectory[1:] - trajectory[:-1])[:, 1].abs().max()) < 0.03


def test_smoothing_removes_jitter_and_keeps_movement() -> None:
    random = torch.Generator().manual_seed(0)
    calm = some_motion(60, 30.0)
    noisy = replace(calm, joints=calm.joints + 0.05 * torch.randn(calm.joints.shape, generator=random))
    smooth = smooth_motion(noisy, 0.1)

    def jitter(motion: Motion) -> float:
        return float((motion.joints[2:] - 2 * motion.joints[1:-1] + motion.joints[:-2]).abs().mean())

    assert jitter(smooth) < 0.1 * jitter(noisy)
    assert float((smooth.joints - calm.joints)[6:-6].abs().mean()) < 0.03


def test_speed_and_trimming() -> None:
    motion = read_motion("wave")
    fast = edit_motion(motion, MotionOptions(speed=2.0))
    assert fast.seconds == pytest.approx(motion.seconds / 2)
    excerpt = edit_motion(motion, MotionOptions(begin=0.5, end=1.5))
    assert excerpt.seconds == pytest.approx(1.0, abs=0.04)
    assert edit_motion(motion, MotionOptions()) == motion


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MotionOptions(speed=0.0), "speed"),
        (MotionOptions(speed=float("nan")), "speed"),
        (MotionOptions(smooth=-1.0), "smooth"),
        (MotionOptions(begin=2.0, end=1.0), "nothing"),
        (MotionOptions(begin=1e6), "nothing"),
        (MotionOptions(begin=-1.0), "nothing"),
        (MotionOptions(end=float("inf")), "--end inf"),
        (MotionOptions(begin=float("nan")), "--begin nan"),
        (MotionOptions(begin=float("-inf"), end=float("nan")), "--begin -inf"),
    ],
)
def test_options_out_of_range_are_refused(options: MotionOptions, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        edit_motion(read_motion("wave"), options)


def _play_at_origin(motion: Motion) -> BodyPose:
    count = len(motion)
    return BodyPose(torch.zeros(count, 10), motion.joints, torch.eye(3).expand(count, 3, 3), motion.translation)


@pytest.mark.parametrize("name", ["walk", "dance", "jump", "sit"])
def test_feet_are_on_the_ground_for_any_shape(name: str, body: BodyModel) -> None:
    betas = torch.linspace(-1.5, 1.5, 10)
    motion = resample(read_motion(name), 10.0)
    own = ground_motion(motion, body, betas)
    rest = body.rest_pose(betas)
    # scaled already
    poses = apply(own, rest)
    lowest = torch.stack([body.pose(poses[i]).vertices[:, 1].min() for i in range(len(motion))])
    sole = body.pose(rest).vertices[:, 1].min()
    assert abs(float(lowest.quantile(0.02) - sole)) < 0.01
    legs = leg_height(body.rest_joints(betas))
    moved = own.translation - scale_to_legs(motion, legs).translation
    assert float((moved - moved.median(dim=0).values).abs().max()) < 0.03, "a constant offset, except for planting feet"
    assert float(moved[:, [0, 2]].abs().max()) < 1e-6, "vertical only"
