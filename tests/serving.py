"""The web page, served by a process of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_S, ENDS_S = 90, 20


@contextmanager
def served(folder: Path, attacked: bool = False) -> Iterator[str]:
    """`sherf app` at a free port; its address. Afterwards it has ended by itself, without a traceback in its log.

    Args:
        folder: its log is in there, and in "tmp" all that its visitors bring and make: nothing in the end.
        attacked: Gradio may tell in the log what it refused.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log, address, temporary = folder / "log", f"http://127.0.0.1:{port}", folder / "tmp"
    temporary.mkdir()
    with log.open("w") as file:
        command = [sys.executable, "-m", "sherf.cli", "app", "--port", str(port)]
        environment = os.environ | {"TMPDIR": str(temporary)}
        running = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            deadline = time.monotonic() + STARTS_S
            while True:
                try:
                    asked(f"{address}/health")
                    break
                except OSError:
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.3)
            yield address
        finally:
            running.terminate()
        running.wait(timeout=ENDS_S)
    assert attacked or "Traceback" not in log.read_text(), log.read_text()
    assert not list(temporary.iterdir())


def asked(address: str) -> str:
    """What is answered there."""
    with urllib.request.urlopen(address, timeout=20) as reply:
        return reply.read().decode()
