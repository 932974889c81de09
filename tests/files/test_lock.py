"""Only one program at a time works in an output folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sherf.api.score import score_model
from sherf.benchmark.options import BenchmarkOptions
from sherf.datasets.openpeople.generate import generate_openpeople
from sherf.datasets.openpeople.options import GenerateOptions
from sherf.errors import OutputError
from sherf.files.lock import lock_folder
from sherf.training.options import TrainOptions
from sherf.training.run_training import run_training

HOLD = """
import sys, time
from pathlib import Path
from sherf.files.lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""
COMMANDS: dict[str, Callable[[Path], object]] = {
    "generate": lambda out: generate_openpeople(GenerateOptions(out=out, people=1)),
    "benchmark": lambda out: score_model("openpeople", BenchmarkOptions(data=out / "none", out=out)),
    "train": lambda out: run_training("sherf-small", TrainOptions(data=out / "none", out=out)),
}


def test_the_lock_of_a_killed_program_is_released(tmp_path: Path) -> None:
    """While it runs, the message names it."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "in\n"
    with pytest.raises(OutputError, match=rf"(?s)is using .*\(process {holder.pid} on .*choose another --out"):
        lock_folder(tmp_path).__enter__()
    holder.kill()
    holder.wait()
    with lock_folder(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()


def test_shared_locks_coexist_and_exclude_an_exclusive_one(tmp_path: Path) -> None:
    with lock_folder(tmp_path, shared=True):
        with lock_folder(tmp_path, shared=True):
            pass
        with pytest.raises(OutputError), lock_folder(tmp_path):
            pass
    with lock_folder(tmp_path), pytest.raises(OutputError), lock_folder(tmp_path, shared=True):
        pass


@pytest.mark.parametrize("command", COMMANDS)
def test_a_second_run_in_a_folder_is_refused_before_it_touches_anything(command: str, tmp_path: Path) -> None:
    before = tmp_path / ".part-of-the-first-run"
    before.mkdir()
    with lock_folder(tmp_path), pytest.raises(OutputError, match=r"another `sherf` is using"):
        COMMANDS[command](tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", before.name]
