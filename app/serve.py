"""`sherf app`: the page on this machine, kept up."""

import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from importlib.util import find_spec

from sherf.app.options import AppOptions
from sherf.errors import BadInput
from sherf.files.interrupts import interrupts_kept_from_children
from sherf.progress import print_status

LOCAL = ("127.0.0.1", "localhost", "::1")
LEAST_SECONDS = 8.0
"""A server that dies sooner than this is not started again."""
ENDS_S = 10.0


def serve(options: AppOptions) -> None:
    """Serve until interrupted, in a process of its own: should a photo break it, the page comes back.

    Raises:
        BadInput: the address is open to others without a password, or is taken; nothing would be kept.
        ModuleNotFoundError: Gradio is not installed.
    """
    account = _account(options)
    _check_port(options)
    if options.minutes < 1:
        raise BadInput(f"--minutes {options.minutes} is not possible: choose 1 or more.")
    if find_spec("gradio") is None:
        raise ModuleNotFoundError("No module named 'gradio'", name="gradio")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # else glibc keeps for each thread what it once needed
    for ends in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed, too
        signal.signal(ends, lambda *_: sys.exit(0))
    while True:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sherf-page-", ignore_cleanup_errors=True) as private:
            code = _until_it_ends(options, account, private)
        if code >= 0 or time.monotonic() - began < LEAST_SECONDS:
            sys.exit(abs(code))
        print_status(
            f"the page's process was ended ({signal.Signals(-code).name}): it is started again, without its sessions."
        )


def _until_it_ends(options: AppOptions, account: tuple[str, str] | None, private: str) -> int:
    """The exit code of one server; below 0 the signal that killed it."""
    server = multiprocessing.get_context("spawn").Process(target=_run, args=(options, account, private))
    with interrupts_kept_from_children():
        server.start()
    try:
        server.join()
    except (KeyboardInterrupt, SystemExit):
        server.terminate()
        server.join(ENDS_S)
        server.kill()
        return 0
    return server.exitcode or 0


def _run(options: AppOptions, account: tuple[str, str] | None, private: str) -> None:
    os.environ["TMPDIR"] = tempfile.tempdir = private  # uploads and sessions are in there, and go with it
    os.environ.pop("GRADIO_TEMP_DIR", None)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from sherf.app.server import run

    try:
        run(options, account)
    finally:  # should the parent have been killed, nobody else deletes it
        shutil.rmtree(private, ignore_errors=True)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _account(options: AppOptions) -> tuple[str, str] | None:
    if not options.auth:
        if options.host not in LOCAL:
            raise BadInput(
                f"--host {options.host} opens the page to other machines: photos of people, and this one's time.\n"
                "Give --auth NAME:PASSWORD too, or leave --host out."
            )
        return None
    name, colon, password = options.auth.partition(":")
    if not (name and colon and len(password) >= 4):
        raise BadInput("--auth takes NAME:PASSWORD, the password with four letters or more.")
    return name, password


def _check_port(options: AppOptions) -> None:
    if not 1 <= options.port <= 65535:
        raise BadInput(f"--port {options.port} is not possible: choose 1024 to 65535.")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise BadInput(
                f"the page cannot be served at {options.host}:{options.port}: {error.strerror}.\nChoose another --port."
            ) from error
