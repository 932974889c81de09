"""The command line: as a real process, or in this one, which saves loading everything anew."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from sherf.cli.main import main

Done = subprocess.CompletedProcess[str]


def process(*arguments: object, cwd: Path | None = None) -> Done:
    """`sherf ARGUMENTS` as a user runs it."""
    command = [sys.executable, "-m", "sherf.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


def here(*arguments: object, cwd: Path | None = None) -> Done:
    """What `process` gives, by the same entry point, without another process."""
    words, said, told, code = list(map(str, arguments)), io.StringIO(), io.StringIO(), 0
    before = Path.cwd()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        os.chdir(cwd or before)
        try:
            main(words)
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            os.chdir(before)
    return Done(words, code, said.getvalue(), told.getvalue())
