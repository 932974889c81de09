"""`sherf train` in real processes: exact resuming after a kill, several processes like one, readable errors."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sherf.errors import BadInput
from sherf.files.duration import parse_duration
from sherf.models.checkpoint import load_checkpoint, read_about
from sherf.training.loop import compute_learning_rate
from sherf.training.options import TRAININGS
from sherf.training.read_options import read_training
from tests.training.conftest import TINY, command, sherf

CURVE = ("loss", "texture", "stand_off", "colour", "mask", "ssim", "lpips", "occupancy", "gradient", "learning_rate")


def curve(out: Path) -> dict[int, list[float]]:
    """Return the numbers of each step in log.csv; 0 for losses that a step does not have."""
    with (out / "log.csv").open(newline="") as file:
        return {int(row["step"]): [float(row.get(name) or 0) for name in CURVE] for row in csv.DictReader(file)}


def assert_same_curve(a: Path, b: Path, tolerance: float = 1e-5) -> None:
    first, second = curve(a), curve(b)
    assert first.keys() == second.keys()
    for step, numbers in first.items():
        assert numbers == pytest.approx(second[step], rel=tolerance, abs=tolerance), f"step {step}"


@pytest.fixture(scope="module")
def whole(crowd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a complete training, with the JSON file of its options."""
    out = tmp_path_factory.mktemp("whole")
    config = out / "tiny.json"
    config.write_text(json.dumps(TINY))
    done = sherf(command(config, crowd, out / "run", "--validation-steps", "4"))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return out


def test_a_training_writes_a_usable_checkpoint_logs_and_images(whole: Path) -> None:
    run = whole / "run"
    assert sorted(curve(run)) == list(range(1, 9))
    model = load_checkpoint(run / "checkpoint.safetensors")
    assert model.config.name == "sherf-small" and model.config.plane_resolution == 32
    about = read_about(run / "checkpoint.safetensors")["training"]
    assert about["step"] == 8 and about["people"] == 2 and about["training"]["patch"] == 16
    assert [p.name for p in sorted((run / "validation").iterdir())] == ["step_0000004.png", "step_0000008.png"]
    with (run / "validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["4", "8"] and all(float(row["psnr"]) > 3 for row in rows)
    assert list((run / "tensorboard").iterdir())


def test_the_learning_rate_warms_up_decays_with_the_root_of_the_step_and_ends_near_zero() -> None:
    options = replace(TRAININGS["sherf-small"], learning_rate=1.0, warm_up=10, slow_after=100, steps=10_000, decay=0.5)
    assert compute_learning_rate(options, 4) == pytest.approx(0.5)
    assert compute_learning_rate(options, 99) == pytest.approx(1.0)
    assert compute_learning_rate(options, 399) == pytest.approx(0.5)
    assert compute_learning_rate(options, 4899) == pytest.approx(1 / 7)
    assert compute_learning_rate(options, 9999) == pytest.approx(0.001, rel=0.01)


def test_the_checkpoint_is_the_running_average(whole: Path) -> None:
    tensors = load_file(whole / "run" / "state.safetensors")
    saved = load_file(whole / "run" / "checkpoint.safetensors")
    for name, value in saved.items():
        assert torch.equal(value, tensors[f"average.{name}"])
    assert any(not torch.equal(value, tensors[f"model.{name}"]) for name, value in saved.items())


def test_a_killed_training_resumes_exactly(whole: Path, crowd: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    arguments = command(whole / "tiny.json", crowd, out, "--validation-steps", "4", "--save-minutes", "0.0001")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "sherf.cli", *arguments], env=environment, stderr=subprocess.DEVNULL
    )
    while process.poll() is None:
        if (out / "log.csv").exists() and (out / "state.safetensors").exists() and len(curve(out)) >= 3:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert 3 <= len(curve(out)) < 8, "killed in the middle"
    done = sherf(arguments)
    assert done.returncode == 0, done.stderr
    assert "continuing after step" in done.stderr
    assert_same_curve(out, whole / "run")
    again = load_file(out / "checkpoint.safetensors")
    for name, value in load_file(whole / "run" / "checkpoint.safetensors").items():
        torch.testing.assert_close(again[name], value, rtol=1e-5, atol=1e-6)


def test_two_processes_have_the_losses_of_one(whole: Path, crowd: Path, tmp_path: Path) -> None:
    out = tmp_path / "two"
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "sherf.cli")
    done = sherf(command(whole / "tiny.json", crowd, out, "--validation-steps", "0"), launcher)
    assert done.returncode == 0, done.stderr
    assert_same_curve(out, whole / "run")


def test_ctrl_c_saves_the_state_and_the_duration_is_kept(
    config: Callable[..., Path], crowd: Path, tmp_path: Path
) -> None:
    out, endless = tmp_path / "out", config(steps=100_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "sherf.cli", *command(endless, crowd, out, "--validation-steps", "0")],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not (out / "log.csv").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130 and "run the same command again" in errors and "Traceback" not in errors
    before = max(curve(out))
    done = sherf(command(endless, crowd, out, "--for", "1s", "--validation-steps", "0"))
    assert done.returncode == 0, done.stderr
    assert f"continuing after step {before}," in done.stderr and max(curve(out)) > before


def test_a_loss_that_is_not_finite_stops_the_training_and_its_batch_is_written(
    config: Callable[..., Path], crowd: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    wild = config(learning_rate=1e30, warm_up=0, clip=0.0, steps=50)
    done = sherf(command(wild, crowd, out, "--validation-steps", "0", "--save-minutes", "0.0001"))
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "training stopped at step" in done.stderr and "learning_rate" in done.stderr
    (kept,) = out.glob("bad_batch_*.safetensors")
    tensors = load_file(kept)
    assert tensors["0.observation.image"].shape[0] == 3 and "1.target.mask" in tensors


def test_a_full_disk_leaves_the_old_checkpoint(whole: Path, crowd: Path, tmp_path: Path) -> None:
    """A limit on file sizes replaces the full disk; a finished training only saves again."""
    out = tmp_path / "run"
    shutil.copytree(whole / "run", out)
    before = {name: (out / name).read_bytes() for name in ("state.safetensors", "checkpoint.safetensors")}
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from sherf.training import state, loop\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from sherf.cli.main import main; main(sys.argv[1:])\n"
    )
    arguments = command(whole / "tiny.json", crowd, out, "--validation-steps", "0")
    done = sherf(arguments, ("-c", code))
    assert done.returncode == 1 and "cannot write" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert {name: (out / name).read_bytes() for name in before} == before
    assert not list(out.glob(".part-*"))


def test_a_folder_of_another_training_is_refused_naming_the_differences(
    whole: Path, crowd: Path, config: Callable[..., Path]
) -> None:
    done = sherf(command(config(patch=20), crowd, whole / "run"))
    assert done.returncode == 1 and "patch differ" in done.stderr and "--overwrite" in done.stderr


def test_changed_data_is_refused_unless_accepted(whole: Path, crowd: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    shutil.copytree(crowd, data)
    shutil.copytree(whole / "run", out)
    manifest = json.loads((data / "manifest.json").read_text())
    del manifest["people"]["000007"]
    (data / "manifest.json").write_text(json.dumps(manifest))
    refused = sherf(command(whole / "tiny.json", data, out))
    assert refused.returncode == 1 and "had 2 people, now 1" in refused.stderr
    accepted = sherf(command(whole / "tiny.json", data, out, "--changed-data", "--validation-steps", "0"))
    assert accepted.returncode == 0, accepted.stderr


def test_a_damaged_image_stops_the_training_and_is_named(
    config: Callable[..., Path], crowd: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(crowd, data)
    for path in data.glob("00000[67]/*.png"):
        path.write_bytes(b"not an image")
    done = sherf(command(config(), data, tmp_path / "out", "--validation-steps", "0"))
    assert done.returncode == 1 and "p0" in done.stderr and ".png" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "sherf-huge"}, '"base" must name'),
        ({"steps": "many"}, "'steps' of the training cannot be many"),
        ({"momentum": 0.9}, "no option 'momentum'"),
        ({"model": {"blend": 3}}, "'blend'"),
        ({"losses": {"beauty": 1.0}}, "no option 'beauty'"),
        ({"batch": 0}, "'batch'"),
    ],
)
def test_invalid_options_are_named(
    config: Callable[..., Path], crowd: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read_training(str(config(**changes)))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2.5h", 9000)])
def test_durations_are_parsed(text: str, seconds: float) -> None:
    assert parse_duration(text, "--for") == seconds


@pytest.mark.parametrize("text", ["2", "h", "-1h", "0s", "two hours"])
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a duration"):
        parse_duration(text, "--for")
