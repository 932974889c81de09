"""The command line on the shipped photograph: what it writes, what it says, and how it ends."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from running import run_in_process, run_process

from sherf.api.avatar import Avatar
from sherf.api.sources import obtain_avatar
from sherf.camera.pinhole import intrinsics, look_at
from sherf.camera.transforms_json import read_cameras, write_cameras
from sherf.files.options import OutputOptions
from sherf.render.devices import cpu_backend
from sherf.scene import Camera

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "examples" / "darknet_person.jpg"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the avatar of the shipped photograph."""
    out = tmp_path_factory.mktemp("made")
    done = run_process("reconstruct", PHOTO, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def _no_leftovers(folder: Path) -> bool:
    return not [p for p in folder.rglob("*") if p.name.startswith(".part-")]


def test_help_comes_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, runpy; sys.argv = ['sherf', '--help']\n"
        "try: runpy.run_module('sherf.cli', run_name='__main__')\n"
        "except SystemExit as stop: code = stop.code\n"
        "print('loaded:', *[m for m in ('torch', 'open3d', 'cv2', 'numpy') if m in sys.modules])\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 2.0
    assert done.stdout.strip().splitlines()[-1] == "loaded:"
    for command in ("doctor", "reconstruct", "render", "animate"):
        assert command in done.stdout


def test_a_reader_who_has_seen_enough_is_no_bug() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sherf.cli", "motions"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 141 and done.stderr == ""


def test_reconstruct_writes_avatar_overlay_and_report(made: Path) -> None:
    report = json.loads((made / "report.json").read_text())
    assert report["verdict"] == "good"
    assert report["keypoint_error"] < 2.5 and report["silhouette_iou"] > 0.75
    assert report["model"] == "sherf-small" and report["body_model"] == "openbody"
    assert 0 < report["seconds"] < 60
    assert (made / "avatar.safetensors").stat().st_size > 100_000
    with Image.open(made / "overlay.png") as overlay:
        assert overlay.width > overlay.height
    assert _no_leftovers(made)


def test_reconstructing_again_does_nothing_again(made: Path) -> None:
    before = (made / "avatar.safetensors").stat().st_mtime_ns
    done = run_in_process("reconstruct", PHOTO, "--out", made, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "good"
    assert (made / "avatar.safetensors").stat().st_mtime_ns == before


def test_a_mask_that_is_not_there_is_told_also_where_all_is_done(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    done = run_in_process("reconstruct", PHOTO, "--mask", "nowhere.png", "--out", tmp_path / "copy")
    assert done.returncode == 1
    assert "nowhere.png" in done.stderr and "Traceback" not in done.stderr


def test_a_body_that_lies_elsewhere_is_refused_with_a_picture_of_it_unless_forced(tmp_path: Path) -> None:
    with Image.open(PHOTO) as photo:
        wrong = Image.new("L", photo.size)
    wrong.paste(255, (0, 0, 40, 40))
    wrong.save(tmp_path / "mask.png")
    out = tmp_path / "out"
    refused = run_in_process("reconstruct", PHOTO, "--mask", tmp_path / "mask.png", "--out", out)
    assert refused.returncode == 1 and "--force" in refused.stderr and "Traceback" not in refused.stderr
    assert sorted(p.name for p in out.iterdir()) == ["fit.json", "overlay.png", "report.json"]
    report = json.loads((out / "report.json").read_text())
    assert report["verdict"] == "poor" and any("silhouette" in reason for reason in report["reasons"])
    assert (
        run_in_process("reconstruct", PHOTO, "--mask", tmp_path / "mask.png", "--out", out, "--force").returncode == 0
    )
    assert (out / "avatar.safetensors").exists()


def test_a_corrected_fit_is_kept_and_not_lost(made: Path, tmp_path: Path) -> None:
    """Edited and given again: the hand goes there, the same command does nothing more, without --edit it is refused."""
    out = tmp_path / "copy"
    shutil.copytree(made, out)
    fit = json.loads((out / "fit.json").read_text())
    assert fit["edits"]["landmarks"] == {} and set(fit["landmarks"]) >= {"nose", "left_wrist"}
    x, y = fit["landmarks"]["left_wrist"]["pixel"]
    fit["edits"]["landmarks"]["left_wrist"] = [x + 6, y - 4]
    (out / "fit.json").write_text(json.dumps(fit))
    edit = ("reconstruct", PHOTO, "--out", out, "--edit", out / "fit.json")
    assert run_in_process(*edit).returncode == 0
    again = json.loads((out / "fit.json").read_text())
    assert again["edits"]["landmarks"]["left_wrist"] == [x + 6, y - 4]
    assert again["fit"]["joints"] != fit["fit"]["joints"]
    done = run_in_process(*edit)
    assert done.returncode == 0 and "reconstructing" not in done.stderr
    refused = run_in_process("reconstruct", PHOTO, "--out", out)
    assert refused.returncode == 1 and "your corrections" in refused.stderr
    assert json.loads((out / "fit.json").read_text()) == again


def test_another_option_reconstructs_anew(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    before = (tmp_path / "copy" / "report.json").read_text()
    done = run_in_process("reconstruct", PHOTO, "--out", tmp_path / "copy", "--allow-partial")
    assert done.returncode == 0
    assert (tmp_path / "copy" / "report.json").read_text() != before


def test_another_photos_avatar_is_not_replaced_unasked(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    other = ROOT / "examples" / "person_2.jpg"
    refused = run_in_process("reconstruct", other, "--out", tmp_path / "copy")
    assert refused.returncode == 1
    assert "darknet_person.jpg" in refused.stderr and "--overwrite" in refused.stderr
    assert (tmp_path / "copy" / "avatar.safetensors").read_bytes() == (made / "avatar.safetensors").read_bytes()
    assert run_in_process("reconstruct", other, "--out", tmp_path / "copy", "--overwrite").returncode == 0
    assert json.loads((tmp_path / "copy" / "report.json").read_text())["photo"] == "person_2.jpg"


def test_the_avatar_of_a_photo_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    """What lets an interrupted rendering of a photo go on."""
    first, second = (Avatar(*obtain_avatar(PHOTO, OutputOptions(tmp_path)), cpu_backend()) for _ in range(2))
    assert first.identity == second.identity


def test_a_preview_is_one_small_picture_from_six_sides(made: Path, tmp_path: Path) -> None:
    done = run_in_process("render", made / "avatar.safetensors", "--preview", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["preview.png"]
    sheet = np.asarray(Image.open(tmp_path / "preview.png").convert("RGB"), dtype=float)
    assert sheet.shape == (192, 6 * 192, 3)
    sides = np.split(sheet, 6, axis=1)
    assert all((side.min(axis=2) < 60).sum() > 200 for side in sides)
    assert np.abs(sides[0] - sides[3]).mean() > 1


def test_a_turntable_of_an_avatar_is_a_playable_video_and_resumes(made: Path, tmp_path: Path) -> None:
    turntable = ("render", made / "avatar.safetensors", "--frames", "4", "--size", "96", "--out", tmp_path)
    done = run_in_process(*turntable)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "video.mp4")
    with av.open(str(tmp_path / "video.mp4")) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in video.decode(video=0)) == 4
    frames = sorted((tmp_path / "frames").iterdir())
    assert [p.name for p in frames] == ["0000.png", "0001.png", "0002.png", "0003.png"]
    pictures = [np.asarray(Image.open(p).convert("RGB"), dtype=float) for p in frames]
    assert all(p.min() < 60 and p[0, 0].min() == 255 for p in pictures), "a dark-dressed person on white"
    assert np.abs(pictures[0] - pictures[2]).mean() > 1

    frames[1].unlink()
    kept = frames[2].stat().st_mtime_ns
    assert run_in_process(*turntable).returncode == 0
    assert frames[2].stat().st_mtime_ns == kept
    np.testing.assert_array_equal(np.asarray(Image.open(frames[1]).convert("RGB"), dtype=float), pictures[1])
    assert _no_leftovers(tmp_path)

    assert run_in_process(*turntable, "--fps", "12").returncode == 0
    with av.open(str(tmp_path / "video.mp4")) as video:
        assert video.streams.video[0].average_rate == 12
    assert frames[2].stat().st_mtime_ns == kept


def test_frames_of_another_rendering_are_not_mixed_in(made: Path, tmp_path: Path) -> None:
    base = ("render", made / "avatar.safetensors", "--frames", "2", "--out", tmp_path)
    assert run_in_process(*base, "--size", "64").returncode == 0
    refused = run_in_process(*base, "--size", "80")
    assert refused.returncode == 1
    assert "another rendering" in refused.stderr and "size" in refused.stderr and "--overwrite" in refused.stderr
    assert Image.open(tmp_path / "frames" / "0000.png").size == (64, 64)
    assert run_in_process(*base, "--size", "80", "--overwrite").returncode == 0
    assert Image.open(tmp_path / "frames" / "0001.png").size == (80, 80)


def test_ones_own_cameras_are_used(made: Path, tmp_path: Path) -> None:
    """Three cameras in a file: three frames of the file's size; the second looks away and sees nobody."""
    eyes = torch.tensor([[0.0, 0.0, 4.0], [0.0, 0.0, 4.0], [4.0, 0.0, 0.0]])
    targets = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    R, T = look_at(eyes, targets)
    write_cameras(tmp_path / "transforms.json", Camera(intrinsics(110.0, (120, 80)).expand(3, 3, 3), R, T, (120, 80)))
    out = tmp_path / "out"
    done = run_in_process(
        "render", made / "avatar.safetensors", "--cameras", tmp_path / "transforms.json", "--out", out
    )
    assert done.returncode == 0, done.stderr
    pictures = [np.asarray(Image.open(p).convert("RGB")) for p in sorted((out / "frames").iterdir())]
    assert [p.shape for p in pictures] == [(120, 80, 3)] * 3
    assert [bool((p < 255).any()) for p in pictures] == [True, False, True]


def test_a_motion_moves_the_person_before_any_background(made: Path, tmp_path: Path) -> None:
    done = run_process(
        "animate", made / "avatar.safetensors", "--motion", "wave", "--frames", "3", "--fps", "4", "--size", "96",
        "--background", "transparent", "--gif", "--layers", "depth", "visibility", "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / f"video.{kind}") for kind in ("mp4", "gif", "webm")]
    assert [p.name for p in sorted((tmp_path / "depth").iterdir())] == ["0000.png", "0001.png", "0002.png"]
    assert len(read_cameras(tmp_path / "transforms.json")) == 3
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["model"] == "sherf-small" and record["seen_by_the_photo"] + record["invented"] == pytest.approx(1)
    pictures = [Image.open(p) for p in sorted((tmp_path / "frames").iterdir())]
    assert [p.mode for p in pictures] == ["RGBA"] * 3
    alpha = [np.asarray(p)[..., 3] for p in pictures]
    assert alpha[0].max() == 255 and alpha[0][0, 0] == 0
    assert (alpha[0] != alpha[2]).any()


def test_a_motion_is_shown_on_a_plain_body(tmp_path: Path) -> None:
    done = run_in_process("motions", "bow", "--end", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["bow: 30 frames, 30 frames per second, 1.0 s", str(tmp_path / "bow.mp4")]
    with av.open(str(tmp_path / "bow.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(pictures) == 15 and np.abs(pictures[0].astype(float) - pictures[-1]).mean() > 1
    assert run_in_process("motions", "moonwalk", "--out", tmp_path).returncode == 1


def test_an_interrupted_rendering_leaves_whole_frames_and_goes_on(made: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sherf.cli", "render", str(made / "avatar.safetensors")]
    command += ["--frames", "60", "--size", "256", "--out", str(tmp_path)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "frames").glob("[0-9]*.png")) and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130
    assert "run the same command again" in errors and "Traceback" not in errors
    frames = sorted((tmp_path / "frames").iterdir())
    assert 1 <= len(frames) < 60
    for path in frames:
        Image.open(path).load()
    assert not (tmp_path / "video.mp4").exists()
    assert _no_leftovers(tmp_path)


def test_a_data_sets_subject_becomes_an_avatar(people: Path, tmp_path: Path) -> None:
    """Its body is given: there is no fit that could be good or poor."""
    done = run_in_process("reconstruct", people / "000009", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / name) for name in ("overlay.png", "avatar.safetensors")]


def test_a_photo_with_nobody_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (300, 400), "white").save(tmp_path / "wall.png")
    done = run_in_process("render", tmp_path / "wall.png", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "\nerror: no person was found" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "avatar.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("reconstruct", "nowhere.jpg"), "does not exist"),
        (("reconstruct", "."), "folder"),
        (("reconstruct", "text.jpg"), "text.jpg"),
        (("reconstruct", "empty.jpg"), "empty"),
        (("reconstruct", "truncated.jpg"), "truncated"),
        (("reconstruct", "photo.jpg", "--out", "text.jpg/below"), "file, not a folder"),
        (("reconstruct", "photo.jpg", "--mask", "photo.png"), "photo.png"),
        (("reconstruct", "photo.jpg", "--person", "7"), "person number 7"),
        (("reconstruct", "photo.jpg", "--person", "0"), "numbered from 1"),
        (("reconstruct", "whole.safetensors"), "is an avatar already"),
        (("reconstruct", "overlay.png", "--out", "."), "overlay.png"),
        (("reconstruct", "photo.jpg", "--edit", "fit.json", "--person", "2"), "corrects person 1"),
        (("reconstruct", "photo.jpg", "--body-model", "gingerbread"), "gingerbread"),
        (("animate", "photo.jpg", "--motion", "wlak"), "walk"),
        (("render", "photo.jpg", "--size", "100000"), "--size"),
        (("render", "photo.jpg", "--frames", "0"), "--frames"),
        (("render", "photo.jpg", "--background", "reddish"), "reddish"),
        (("render", "photo.jpg", "--cameras", "text.jpg"), "text.jpg"),
        (("render", "photo.jpg", "--cameras", "huge.json"), "16384x16384: that is not possible: choose 16 to 2048"),
        (("render", "photo.jpg", "--cameras", "transforms.json", "--out", "."), "transforms.json would be overwritten"),
        (("render", "frames/0000.png", "--out", "."), "0000.png would be overwritten"),
        (("render", "preview.png", "--preview", "--out", "."), "preview.png would be overwritten"),
        (("animate", "photo.jpg", "--motion", "video.mp4", "--out", "."), "video.mp4 would be overwritten"),
        (("animate", "photo.jpg", "--mask", "overlay.png", "--out", "."), "overlay.png would be overwritten"),
        (("motions", "video.mp4", "--out", "."), "video.mp4 would be overwritten"),
        (("export", "me.png", "--out", "me.obj"), "me.png would be overwritten"),
        (("export", "photo.jpg", "--format", "glb", "--out", "photo.jpg"), "photo.jpg would be overwritten"),
        (("export", "photo.jpg", "--motion", "walk.bvh", "--out", "walk.bvh"), "walk.bvh would be overwritten"),
        (("render", "avatar.safetensors"), "damaged"),
        (("render", "photo.jpg", "--path", "corkscrew"), "corkscrew"),
        (("dance",), "dance"),
    ],
)
def test_a_users_mistake_is_told_in_words(tmp_path: Path, made: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "photo.jpg").write_bytes(PHOTO.read_bytes())
    (tmp_path / "truncated.jpg").write_bytes(PHOTO.read_bytes()[:30_000])
    whole = (made / "avatar.safetensors").read_bytes()
    (tmp_path / "whole.safetensors").write_bytes(whole)
    (tmp_path / "avatar.safetensors").write_bytes(whole[:50_000])
    (tmp_path / "fit.json").write_text((made / "fit.json").read_text())
    shutil.copyfile(made / "overlay.png", tmp_path / "overlay.png")
    for name in ("video.mp4", "me.png", "overlay.png", "preview.png", "frames/0000.png", "walk.bvh", "transforms.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("the user's own")
    camera = Camera(intrinsics(9e3, (16384, 16384))[None], torch.eye(3)[None], torch.zeros(1, 3), (16384, 16384))
    write_cameras(tmp_path / "huge.json", camera)
    before = set(tmp_path.rglob("*"))
    done = (run_process if arguments == ("dance",) else run_in_process)(*arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    new = {p.name for p in set(tmp_path.rglob("*")) - before}
    assert new <= {"out"}, "nothing half-written"
    assert (tmp_path / "video.mp4").read_text() == (tmp_path / "me.png").read_text() == "the user's own"


def test_a_full_disk_is_told_and_leaves_nothing_half_written(made: Path, tmp_path: Path) -> None:
    """A limit on file sizes stands in for the full disk: every write beyond 20 kB fails."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from sherf.cli.main import main\n"
        "import sherf.cli.doctor, open3d, cv2\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "reconstruct", str(PHOTO), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stderr and "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_doctor_finds_everything_that_is_required() -> None:
    done = run_in_process("doctor", "--json")
    assert done.returncode == 0, done.stdout
    findings = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    for name in ("torch", "nerfacc", "open3d", "body model openbody", "system libraries", "device"):
        assert findings[name]["ok"]
    assert not findings["body model smpl"]["required"]
