"""Trainings of both networks, on the CPU and on the simulated GPU: losses, validation and resuming."""

import csv
import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from simulated_device import any_gpu

from sherf.errors import BadInput
from sherf.models.checkpoint import load_checkpoint
from sherf.training.options import TrainOptions
from sherf.training.run_training import run_training
from tests.training.conftest import TINY, TINY_PAPER

TRAININGS = {"sherf-small": TINY | {"maps_steps": 1}, "sherf-paper": TINY_PAPER}
STEPS = 2
LOSSES = {
    "sherf-small": ("texture", "stand_off", "colour", "mask", "ssim", "lpips", "occupancy", "surface"),
    "sherf-paper": ("colour", "mask", "ssim", "lpips"),
}


def _train(config: Path, crowd: Path, out: Path, device: str, duration: str = "") -> list[dict[str, str]]:
    """Train, and return the rows of log.csv."""
    with any_gpu() if device == "cuda" else nullcontext():
        run_training(str(config), TrainOptions(crowd, out, duration=duration, validation_steps=2, device=device))
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module", params=TRAININGS)
def whole(request: pytest.FixtureRequest, crowd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a complete training on the CPU, and its configuration."""
    out = tmp_path_factory.mktemp(request.param)
    config = out / f"{request.param}.json"
    config.write_text(json.dumps(TRAININGS[request.param] | {"steps": STEPS}))
    _train(config, crowd, out / "run", "cpu")
    return config


def test_every_loss_of_the_network_counts_in_every_step(whole: Path) -> None:
    with (whole.parent / "run/log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == STEPS
    for row in rows[1:]:
        losses = [float(row[name]) for name in LOSSES[whole.stem]]
        assert all(loss > 0 for loss in losses) and float(row["gradient"]) > 0
        assert float(row["loss"]) == pytest.approx(sum(losses), abs=1e-5)
    assert load_checkpoint(whole.parent / "run/checkpoint.safetensors").name == whole.stem
    assert (whole.parent / "run/validation/step_0000002.png").is_file()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_resumed_training_has_the_losses_of_an_uninterrupted_one(
    device: str, whole: Path, crowd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the GPU, losses are read once for several steps, and data come from a worker process (of one network)."""
    if whole.stem == "sherf-paper":
        monkeypatch.setattr("sherf.training.loader.MAX_WORKERS", 0)
    assert len(_train(whole, crowd, tmp_path, device, duration="0.001s")) == 1
    rows = _train(whole, crowd, tmp_path, device)
    with (whole.parent / "run/log.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    assert len(rows) == STEPS
    tolerance = 1e-5 if device == "cpu" else 1e-2
    for row, other in zip(rows, expected, strict=True):
        for name in ("loss", *LOSSES[whole.stem]):
            assert float(row[name] or 0) == pytest.approx(float(other[name] or 0), rel=tolerance, abs=1e-6), name


def test_half_precision_is_refused_for_the_published_network(crowd: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.json"
    config.write_text(json.dumps(TINY_PAPER))
    with pytest.raises(BadInput, match="bf16"):
        run_training(str(config), TrainOptions(crowd, tmp_path / "out", precision="bf16", device="cpu"))
