"""Two people to train on, one to validate, and a network that trains in a second."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running import run_in_process

TINY = {
    "base": "sherf-small",
    "model": {
        "encoder_width": 8, "plane_resolution": 32, "unwrap_width": 8, "token_width": 8, "decoder_width": 16,
        "observation_size": 32, "heads": 1, "head_width": 8,
    },
    "batch": 2,
    "patch": 16,
    "rays": 64,
    "steps": 8,
    "step_m": 0.02,
    "maps_steps": 3,
}  # fmt: skip

TINY_PAPER = {
    "base": "sherf-paper",
    "model": {
        "body_model": "openbody", "encoder_width": 16, "plane_resolution": 16, "synthesis_base": 128,
        "synthesis_most": 32, "volume_channels": [8, 8, 8], "token_width": 16, "decoder_width": 32, "decoder_depth": 6,
        "samples": 16,
    },
    "batch": 2,
    "steps": 8,
}  # fmt: skip


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OpenPeople's persons 6, 7 (train) and 8 (validation): 2 poses, 3 views of 48 x 48."""
    out = tmp_path_factory.mktemp("crowd")
    options = ("--people", "3", "--seed-start", "6", "--views", "3", "--poses", "2", "--size", "48")
    done = run_in_process("generate", "openpeople", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the tiny training's options, with changes, as JSON."""

    def write(**changes: object) -> Path:
        path = tmp_path / "tiny.json"
        path.write_text(json.dumps(TINY | changes))
        return path

    return write


def command(config: Path | str, data: Path, out: Path, *more: str) -> list[str]:
    """Return the arguments of `sherf train`."""
    return ["train", str(config), "--data", str(data), "--out", str(out), "--device", "cpu", *more]


def sherf(arguments: list[str], launcher: tuple[str, ...] = ("-m", "sherf.cli")) -> subprocess.CompletedProcess[str]:
    """Run the command line in a separate process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = [sys.executable, *launcher, *arguments]
    return subprocess.run(done, capture_output=True, text=True, check=False, env=environment)
