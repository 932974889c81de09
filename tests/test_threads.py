"""How the threads of numerical libraries wait."""

import os
import subprocess
import sys

import pytest

SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OPENBLAS_THREAD_TIMEOUT")
CODE = f"import sherf, os, sys; print(*(os.environ.get(name) for name in {SETTINGS}), 'torch' in sys.modules)"


def _run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these settings of threads alone."""
    plain = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run(
        [sys.executable, *arguments], env=plain | settings, capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, "1000 None 15 False"),
        ({"GOMP_SPINCOUNT": "5"}, "5 None 15 False"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None ACTIVE 15 False"),
        ({"OPENBLAS_THREAD_TIMEOUT": "20"}, "1000 None 20 False"),
    ],
)
def test_importing_sets_how_threads_wait_but_for_what_the_user_set(user: dict[str, str], expected: str) -> None:
    assert _run("-c", CODE, **user).stdout.strip() == expected


@pytest.mark.parametrize(
    "entry",
    [
        ("-c", "import sherf; sherf.Camera"),
        ("-c", "import sherf.batch.worker_process, torch"),
        ("-m", "sherf.cli", "motions"),
    ],
    ids=["api", "worker", "command"],
)
def test_the_library_of_threads_reads_it_at_every_entry(entry: tuple[str, ...]) -> None:
    """libgomp shows what it read when torch loads it."""
    assert "GOMP_SPINCOUNT = '1000'" in _run(*entry, OMP_DISPLAY_ENV="VERBOSE").stderr
