"""`sherf app`: serve the page in a process of its own, and restart it if it dies."""

import multiprocessing
import os
import pkgutil
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from importlib.util import find_spec

from sherf.app.account import read_account
from sherf.app.options import AppOptions
from sherf.errors import BadInput
from sherf.files.interrupts import block_interrupts_in_children
from sherf.progress import print_status

MIN_UPTIME_S = 8.0
"""A server that dies sooner than this is not restarted."""
SHUTDOWN_S = 10.0
"""A server that runs longer than this after SIGTERM is killed."""
SERVER = "sherf.app.server:run"
"""Resolved in the server's process alone: without Gradio and torch, this one survives what breaks the server."""


def serve(options: AppOptions) -> None:
    """Serve the page until interrupted; a server that a photo crashes is restarted.

    Args:
        options: where the page is served, and to whom.

    Raises:
        BadInput: the address is open to the network without a password or already in use, or an option is out of
            range.
        ModuleNotFoundError: Gradio is not installed.
    """
    account = read_account(options)
    _check_port(options)
    if options.minutes < 1:
        raise BadInput(f"--minutes {options.minutes} is too short: choose 1 or more.")
    if find_spec("gradio") is None:
        raise ModuleNotFoundError("No module named 'gradio'", name="gradio")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # otherwise glibc keeps each thread's peak memory
    for number in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: the terminal was closed
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sherf-page-", ignore_cleanup_errors=True) as folder:
            code = _run_server(options, account, folder)
        if code >= 0 or time.monotonic() - started < MIN_UPTIME_S:
            sys.exit(abs(code))
        print_status(f"the server was killed ({signal.Signals(-code).name}): restarting it; its sessions are lost.")


def _run_server(options: AppOptions, account: tuple[str, str] | None, folder: str) -> int:
    """Run one server and return its exit code; below 0, the number of the signal that killed it."""
    server = multiprocessing.get_context("spawn").Process(target=_serve_in_child, args=(options, account, folder))
    with block_interrupts_in_children():
        server.start()
    try:
        server.join()
    except (KeyboardInterrupt, SystemExit):
        server.terminate()
        server.join(SHUTDOWN_S)
        server.kill()
        return 0
    return server.exitcode or 0


def _serve_in_child(options: AppOptions, account: tuple[str, str] | None, folder: str) -> None:
    os.environ["TMPDIR"] = tempfile.tempdir = folder  # uploads and sessions lie there, and are deleted with it
    os.environ.pop("GRADIO_TEMP_DIR", None)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        pkgutil.resolve_name(SERVER)(options, account)
    finally:  # a parent that was killed deletes nothing
        shutil.rmtree(folder, ignore_errors=True)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _check_port(options: AppOptions) -> None:
    """Check that the address is free.

    Raises:
        BadInput: it is not.
    """
    if not 1 <= options.port <= 65535:
        raise BadInput(f"--port {options.port} is out of range: choose 1024 to 65535.")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise BadInput(
                f"the page cannot be served at {options.host}:{options.port}: {error.strerror}.\nChoose another --port."
            ) from error
