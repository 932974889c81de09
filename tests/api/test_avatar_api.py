"""The Python API: what it offers without PyTorch, and an avatar rendered, animated, exported, saved and loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import sherf
from sherf.export.options import ExportOptions
from sherf.progress import report_progress_to

PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"


@pytest.fixture(scope="module")
def avatar() -> sherf.Avatar:
    return sherf.reconstruct(PHOTO, model="template", device="cpu")


def test_importing_it_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, sherf; print(*{'torch', 'numpy', 'tyro'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_can_be_imported() -> None:
    assert dir(sherf) == sorted(sherf.__all__)
    for name in sherf.__all__:
        assert getattr(sherf, name) is not None
    with pytest.raises(AttributeError, match="wings"):
        sherf.wings  # noqa: B018 - the access is what is tested


def test_errors_are_sherf_errors(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a photo")
    for call in (sherf.reconstruct, sherf.load_avatar):
        for path in (tmp_path / "missing.jpg", tmp_path, tmp_path / "text.jpg"):
            with pytest.raises(sherf.SherfError):
                call(path)
    assert issubclass(sherf.NoPerson, sherf.SherfError) and issubclass(sherf.HopelessFit, sherf.SherfError)


def test_reconstructing_without_a_folder_writes_nothing(
    avatar: sherf.Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert avatar.report["verdict"] in ("good", "usable") and avatar.report["model"] == "template"
    assert avatar.subject.image.shape[1:] == avatar.subject.mask.shape
    assert list(tmp_path.iterdir()) == []


def test_frames_are_rendered_one_by_one_and_iterated_again_from_the_start(avatar: sherf.Avatar) -> None:
    frames = avatar.render(frames=4, size=48)
    assert len(frames) == 4
    first = next(frames)
    assert first.rgb.shape == (3, 48, 48) and first.opacity.max() > 0.9
    torch.testing.assert_close(next(iter(frames)).rgb, first.rgb)
    assert len([frame.opacity for frame in frames]) == 4
    assert not torch.equal(next(frames).rgb, first.rgb), "next() goes on from where it was"
    torch.testing.assert_close(frames[0].depth, first.depth)
    assert len([*[next(frames) for _ in range(2)]]) == 2
    with pytest.raises(StopIteration):
        next(frames)


def test_own_cameras_may_be_given(avatar: sherf.Avatar) -> None:
    cameras = avatar.render(frames=3, size=32).cameras
    again = avatar.render(cameras=cameras)
    assert len(again) == 3 and again[1].rgb.shape == (3, 32, 32)


def test_a_motion_is_played_at_the_frame_rate_that_was_asked_for(avatar: sherf.Avatar) -> None:
    motion = sherf.read_motion("wave")
    assert len(avatar.animate("wave", size=32, fps=10.0)) == pytest.approx(motion.seconds * 10, abs=1)
    assert len(avatar.animate(motion, size=32, frames=5)) == 5
    short = avatar.animate("wave", size=32, fps=10.0, options=sherf.MotionOptions(begin=0.5, end=1.0))
    assert len(short) == pytest.approx(5, abs=1)
    poses = avatar.poses(motion)
    assert poses.joints.shape == (len(motion), 24, 3)


def test_sequences_are_saved_as_videos_or_images_with_progress(avatar: sherf.Avatar, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int | None]] = []
    frames = avatar.animate("wave", size=32, frames=3)
    for name in ("wave.mp4", "wave.webm", "wave.gif", "deep/images"):
        assert frames.save(tmp_path / name, progress=lambda *now: heard.append(now)) == tmp_path / name
    assert (tmp_path / "wave.mp4").stat().st_size > 500
    assert sorted(p.name for p in (tmp_path / "deep/images").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    assert heard[:3] == [("frames", 0, 3), ("frames", 1, 3), ("frames", 2, 3)]
    with pytest.raises(sherf.BadInput, match="colour"):
        frames.save(tmp_path / "x.mp4", background="no such colour")
    assert not (tmp_path / "x.mp4").exists()


def test_a_progress_callback_may_stop_the_work(avatar: sherf.Avatar, tmp_path: Path) -> None:
    def stop(description: str, done: int, total: int | None) -> None:
        if done == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        avatar.render(frames=3, size=32).save(tmp_path / "turn.mp4", progress=stop)
    assert not (tmp_path / "turn.mp4").exists()
    with report_progress_to(stop), pytest.raises(InterruptedError):
        avatar.render(frames=3, size=32).save(tmp_path / "turn.mp4")


def test_it_is_saved_and_loaded(avatar: sherf.Avatar, tmp_path: Path) -> None:
    again = sherf.load_avatar(avatar.save(tmp_path / "new" / "me.safetensors"), device="cpu")
    assert again.report == avatar.report and again.body.name == avatar.body.name
    before, after = (one.render(frames=2, size=48)[0] for one in (avatar, again))
    torch.testing.assert_close(before.opacity, after.opacity, rtol=0, atol=0.05)


def test_motions_are_exported_on_its_skeleton(avatar: sherf.Avatar, tmp_path: Path) -> None:
    files = avatar.export(tmp_path / "wave.bvh", motions=["wave"])
    assert files[0].read_text().startswith("HIERARCHY") and len(files) == 2
    assert avatar.export(tmp_path / "wave", motions=["wave"], options=ExportOptions(format="npz"))[0].suffix == ".npz"
    with pytest.raises(sherf.BadInput, match="one motion"):
        avatar.export(tmp_path / "two.bvh", motions=["wave", "walk"])
    with pytest.raises(sherf.BadInput, match=r"\.glb"):
        avatar.export(tmp_path / "me.stl")
    assert not (tmp_path / "two.bvh").exists()


@pytest.mark.parametrize(
    "call",
    [
        lambda avatar: avatar.render(frames=0),
        lambda avatar: avatar.render(size=5),
        lambda avatar: avatar.animate("moonwalk"),
        lambda avatar: avatar.animate("wave", frames=10**9),
    ],
)
def test_impossible_requests_are_refused_before_any_work(avatar: sherf.Avatar, call: object) -> None:
    with pytest.raises(sherf.BadInput):
        call(avatar)
