"""Videos of people: read at a constant rate, tracked, and fitted as one motion."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from power_cuts import POWER_CUTS
from stage import camera_in_front, observed, standing

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput, NoPerson
from sherf.motion.from_video import estimate_motion_from_video, obtain_motion_from_video
from sherf.motion.motion_file import write_motion
from sherf.motion.read import read_motion
from sherf.photo.detect import PersonLandmarks
from sherf.photo.fit_video import fit_video
from sherf.photo.track import track_person
from sherf.photo.video_reader import is_video, read_video, video_info
from sherf.progress import report_progress_to

PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"
SIZE = (400, 300)


def _write_video(path: Path, frames: list[np.ndarray], ticks: list[int] | None = None, rate: int = 10) -> Path:
    """Write an MP4; `ticks` are the times of its frames in 1/1000 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "12"}
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = (ticks[i] if ticks else 1000 * i // rate), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _grey(value: int, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_a_variable_rate_is_resampled_to_a_constant_one(tmp_path: Path) -> None:
    """At each time the frame that was shown then; frames shown for longer are repeated."""
    path = _write_video(tmp_path / "a.mp4", [_grey(v) for v in (30, 90, 150, 210)], [0, 100, 400, 500])
    shades = [int(frame.mean()) for frame in read_video(path, 10.0)]
    assert np.allclose(shades, [30, 90, 90, 90, 150, 210], atol=4)


def test_the_header_gives_size_rate_and_duration(tmp_path: Path) -> None:
    info = video_info(_write_video(tmp_path / "a.mp4", [_grey(100)] * 12, rate=12))
    assert (
        info.size == (64, 96)
        and info.fps == pytest.approx(12, rel=0.01)
        and info.seconds == pytest.approx(1.0, abs=0.1)
    )


def test_files_that_are_not_videos_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(BadInput, match=r"text.mp4 cannot be read as a video"):
        video_info(text)
    assert not is_video(PHOTO)
    whole = _write_video(tmp_path / "whole.mp4", [_grey(i * 9) for i in range(20)])
    unnamed = tmp_path / "whole"
    unnamed.write_bytes(whole.read_bytes())
    assert is_video(unnamed)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(BadInput, match=r"broken.mp4"):
        video_info(broken)


def test_too_long_a_video_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = _write_video(tmp_path / "long.mp4", [_grey(9), _grey(99)], [0, 200_000])
    with pytest.raises(BadInput, match="200 s"):
        video_info(path)


def test_a_damaged_remainder_is_skipped_with_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    path = _write_video(tmp_path / "a.mp4", [random.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(40)])
    content = bytearray(path.read_bytes())
    begin, end = content.index(b"mdat"), content.index(b"moov") - 4
    half = (begin + end) // 2
    content[half:end] = b"\xff" * (end - half)
    path.write_bytes(content)
    frames = list(read_video(path, 10.0))
    assert 1 <= len(frames) < 40
    assert re.search(r"a\.mp4: damaged after \d+ frames \(", capsys.readouterr().err)


def test_a_video_longer_than_its_header_says_is_cut_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write_video(tmp_path / "a.mp4", [_grey(9)] * 25)
    assert len(list(read_video(path, 10.0))) == 25 and not capsys.readouterr().err
    monkeypatch.setattr("sherf.photo.video_reader.MAX_SECONDS", 2.0)
    assert len(list(read_video(path, 10.0))) == 20
    assert "a.mp4: longer than 2 s; only the first 20 frames are used." in capsys.readouterr().err


@pytest.fixture(scope="module")
def walking_by() -> list[np.ndarray]:
    """The person of a shipped example, moving to the right from frame to frame."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB").resize((256, 256)))
    wide = np.pad(photo, [(0, 0), (128, 128), (0, 0)], mode="edge")
    return [wide[:, 64 - 8 * i : 448 - 8 * i] for i in range(6)]


def test_a_person_is_tracked_lost_and_reacquired(walking_by: list[np.ndarray]) -> None:
    empty = np.full_like(walking_by[0], 128)
    people = list(track_person([empty, *walking_by[:3], empty, *walking_by[4:]], 10.0, None))
    assert [p is not None for p in people] == [False, True, True, True, False, True, True]
    positions = [float(p.landmarks[[23, 24], 0].mean()) for p in people if p is not None]
    assert np.allclose(np.diff(positions), [8, 8, 16, 8], atol=3)
    with pytest.raises(BadInput, match="number 4"):
        list(track_person(walking_by[:1], 10.0, 4))


def test_a_video_without_a_person_is_refused(body: BodyModel, tmp_path: Path) -> None:
    with pytest.raises(NoPerson, match="0 of 6"):
        estimate_motion_from_video(_write_video(tmp_path / "empty.mp4", [_grey(128, (128, 128))] * 6), body)


def test_the_motion_of_a_video_is_cached(
    body: BodyModel, tmp_path: Path, walking_by: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same video is not analysed again; another one is."""
    path = _write_video(tmp_path / "by.mp4", walking_by)
    motion = obtain_motion_from_video(path, tmp_path / "motion.npz", body)
    assert len(motion) == len(walking_by) and motion.fps == pytest.approx(10)
    with np.load(tmp_path / "motion.npz") as arrays:
        assert arrays["poses"].shape == (len(walking_by), 72) and arrays["trans"].shape == (len(walking_by), 3)
    monkeypatch.setattr("sherf.motion.from_video.estimate_motion_from_video", lambda *_: pytest.fail("analysed again"))
    again = obtain_motion_from_video(path, tmp_path / "motion.npz", body)
    torch.testing.assert_close(again.joints, motion.joints)
    monkeypatch.setattr("sherf.motion.from_video.estimate_motion_from_video", lambda *_: read_motion("idle"))
    other = obtain_motion_from_video(_write_video(tmp_path / "b.mp4", walking_by[1:]), tmp_path / "motion.npz", body)
    assert len(other) == len(read_motion("idle"))


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_a_damaged_motion_of_a_video_is_estimated_again(
    body: BodyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    path, cache = _write_video(tmp_path / "by.mp4", [_grey(128, (128, 128))] * 3), tmp_path / "motion.npz"
    monkeypatch.setattr("sherf.motion.from_video.estimate_motion_from_video", lambda *_: read_motion("idle"))
    obtain_motion_from_video(path, cache, body)
    cache.write_bytes(damage(cache.read_bytes()))
    again = obtain_motion_from_video(path, cache, body)
    torch.testing.assert_close(again.joints, read_motion("idle").joints)
    torch.testing.assert_close(read_motion(cache).joints, again.joints)


def test_a_users_motion_file_is_not_overwritten(body: BodyModel, tmp_path: Path) -> None:
    """Although it has the name of the cache; a damaged file may be replaced."""
    path, kept = _write_video(tmp_path / "empty.mp4", [_grey(128, (128, 128))] * 3), tmp_path / "motion.npz"
    write_motion(kept, read_motion("idle"), "my own")
    before = kept.read_bytes()
    with pytest.raises(BadInput, match="would be lost"):
        obtain_motion_from_video(path, kept, body)
    assert kept.read_bytes() == before
    kept.write_bytes(before[:100])
    with pytest.raises(NoPerson):
        obtain_motion_from_video(path, kept, body)


def test_a_progress_callback_can_cancel_the_fit(body: BodyModel, tmp_path: Path, walking_by: list[np.ndarray]) -> None:
    """Both stages report progress; a cancelled one leaves no file."""
    path, reports = _write_video(tmp_path / "by.mp4", walking_by), []

    def report(what: str, done: int, count: int | None) -> None:
        reports.append((what, done, count))
        if what == "fitting the motion" and done == 3:
            raise KeyboardInterrupt

    with report_progress_to(report), pytest.raises(KeyboardInterrupt):
        obtain_motion_from_video(path, tmp_path / "motion.npz", body)
    assert reports[: len(walking_by)] == [("following the person", i, len(walking_by)) for i in range(len(walking_by))]
    assert [done for what, done, _ in reports if what == "fitting the motion"] == [0, 1, 2, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["by.mp4"]


def _detections(body: BodyModel, frames: int, noise: float = 0.0) -> tuple[list[PersonLandmarks | None], torch.Tensor]:
    """Landmarks of a person who turns and lifts an arm, and the true joints in camera axes."""
    random = torch.Generator().manual_seed(0)
    camera = camera_in_front(SIZE)
    people: list[PersonLandmarks | None] = []
    joints = []
    for i in range(frames):
        pose = standing(0.6 * i / frames)
        pose.joints[16, 2] += 1.2 * math.sin(math.pi * i / frames)
        person = observed(body, pose, SIZE)
        moved = person.landmarks + noise * torch.randn(33, 2, generator=random)
        people.append(PersonLandmarks(landmarks=moved, visibility=person.visibility, world=person.world))
        joints.append(body.pose(pose).joints @ camera.R.T)
    return people, torch.stack(joints)


def _joint_error(body: BodyModel, fit_pose, pitch_free_truth: torch.Tensor) -> float:
    """Mean distance of root-relative joints, metres."""
    fitted = body.pose(fit_pose).joints
    fitted = fitted - fitted[:, :1]
    true = (pitch_free_truth - pitch_free_truth[:, :1]) * torch.tensor([1.0, -1.0, -1.0])
    return float((fitted - true).norm(dim=-1).mean())


def test_a_motion_is_recovered_and_a_gap_interpolated(body: BodyModel) -> None:
    """Although many frames are coupled, each is as accurate as it would be alone."""
    people, truth = _detections(body, 48)
    with_gap = [None if 20 <= i < 28 else person for i, person in enumerate(people)]
    fit = fit_video(body, with_gap, SIZE, 24.0)
    assert fit.seen.tolist() == [0.0 if 20 <= i < 28 else 1.0 for i in range(48)]
    for some in (slice(0, 20), slice(28, 48)):
        assert _joint_error(body, fit.pose[some], truth[some]) < 0.035
    assert _joint_error(body, fit.pose[slice(19, 29)], truth[19:29]) < 0.1


def test_detection_noise_is_smoothed(body: BodyModel) -> None:
    """With two pixels of noise (12 mm) the joints jitter less than a third as much as the landmarks."""
    people, truth = _detections(body, 24, noise=2.0)
    fit = fit_video(body, people, SIZE, 12.0)
    joints = body.pose(fit.pose).joints
    joints = joints - joints[:, :1]
    jitter = float((joints[2:] - 2 * joints[1:-1] + joints[:-2]).norm(dim=-1).mean())
    noise_m = 2.0 / (1.35 * SIZE[0] / 3.2)
    assert jitter < noise_m * math.sqrt(6) * math.sqrt(math.pi / 2) / 3
    assert _joint_error(body, fit.pose, truth) < 0.08


def test_a_motion_file_reads_in_both_layouts(tmp_path: Path) -> None:
    motion = read_motion("wave")
    write_motion(tmp_path / "wave.npz", motion)
    with np.load(tmp_path / "wave.npz") as arrays:
        amass = {key: arrays[key] for key in ("poses", "trans", "mocap_framerate")}
    np.savez(tmp_path / "amass.npz", **amass)
    again = read_motion(tmp_path / "amass.npz")
    torch.testing.assert_close(again.joints, motion.joints, atol=2e-5, rtol=0)
    torch.testing.assert_close(again.translation, motion.translation, atol=1e-5, rtol=0)
