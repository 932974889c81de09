"""Run `sherf` commands: as a real process, or in this one, which saves importing everything again."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from sherf.cli.main import main

Done = subprocess.CompletedProcess[str]


def run_process(*arguments: object, cwd: Path | None = None) -> Done:
    """Run `sherf ARGUMENTS` as a user does."""
    command = [sys.executable, "-m", "sherf.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def run_in_process(*arguments: object, cwd: Path | None = None) -> Done:
    """Run `sherf ARGUMENTS` by the same entry point within this process."""
    words, stdout, stderr, code = list(map(str, arguments)), io.StringIO(), io.StringIO(), 0
    before = Path.cwd()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        os.chdir(cwd or before)
        try:
            main(words)
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            os.chdir(before)
    return Done(words, code, stdout.getvalue(), stderr.getvalue())
