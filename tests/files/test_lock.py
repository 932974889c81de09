"""One program at a time in a folder that is gone on with."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sherf.benchmark.options import BenchmarkOptions
from sherf.benchmark.run_benchmark import run_benchmark
from sherf.datasets.openpeople.generate import generate_openpeople
from sherf.datasets.openpeople.options import GenerateOptions
from sherf.errors import OutputError
from sherf.files.lock import alone_in
from sherf.training.run_training import run_training
from sherf.training.train_options import TrainOptions

HOLD = """
import sys, time
from pathlib import Path
from sherf.files.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""
COMMANDS: dict[str, Callable[[Path], object]] = {
    "generate": lambda out: generate_openpeople(GenerateOptions(out=out, people=1)),
    "benchmark": lambda out: run_benchmark("openpeople", BenchmarkOptions(data=out / "none", out=out)),
    "train": lambda out: run_training("sherf-small", TrainOptions(data=out / "none", out=out)),
}


def test_the_lock_of_a_killed_program_is_no_lock(tmp_path: Path) -> None:
    """Alive it is named to whoever comes; killed it is in nobody's way."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "in\n"
    with pytest.raises(OutputError, match=rf"(?s)works in .*\(process {holder.pid} on .*choose another --out"):
        alone_in(tmp_path).__enter__()
    holder.kill()
    holder.wait()
    with alone_in(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()


def test_those_who_share_meet_and_whoever_wants_it_alone_waits(tmp_path: Path) -> None:
    with alone_in(tmp_path, shared=True):
        with alone_in(tmp_path, shared=True):
            pass
        with pytest.raises(OutputError), alone_in(tmp_path):
            pass
    with alone_in(tmp_path), pytest.raises(OutputError), alone_in(tmp_path, shared=True):
        pass


@pytest.mark.parametrize("command", COMMANDS)
def test_a_second_run_in_a_folder_is_refused_before_it_touches_anything(command: str, tmp_path: Path) -> None:
    before = tmp_path / ".part-of-the-first-run"
    before.mkdir()
    with alone_in(tmp_path), pytest.raises(OutputError, match=r"another `sherf` works in"):
        COMMANDS[command](tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", before.name]
