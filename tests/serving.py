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


@contextmanager
def served(folder: Path, attacked: bool = False) -> Iterator[str]:
    """Run `sherf app` on a free port; afterwards it must have ended by itself, without a traceback in its log.

    Args:
        folder: for the log, and "tmp" with all that users upload and make, which must be empty in the end.
        attacked: Gradio may log tracebacks of requests that it rejected.

    Yields:
        The page's address.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log, address, temporary = folder / "log", f"http://127.0.0.1:{port}", folder / "tmp"
    temporary.mkdir()
    with log.open("w") as file:
        command = [sys.executable, "-m", "sherf.cli", "app", "--port", str(port)]
        environment = os.environ | {"TMPDIR": str(temporary)}
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            while True:
                try:
                    fetch(f"{address}/health")
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.3)
            yield address
        finally:
            process.terminate()
        process.wait()
    assert attacked or "Traceback" not in log.read_text(), log.read_text()
    assert not list(temporary.iterdir())


def fetch(address: str) -> str:
    """Return the text at an address."""
    with urllib.request.urlopen(address) as reply:
        return reply.read().decode()
