"""`sherf app`: the page on this machine."""

import logging
import os
import signal
import socket
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from sherf.errors import BadInput
from sherf.options import AppOptions
from sherf.progress import say

if TYPE_CHECKING:
    import uvicorn

LOCAL = ("127.0.0.1", "localhost", "::1")
MOST_UPLOAD = "64mb"
MOST_WAITING = 16


def serve(options: AppOptions) -> None:
    """Serve until interrupted.

    Raises:
        BadInput: the address is open to others without a password, or is taken.
    """
    account = _account(options)
    _check_port(options)
    with tempfile.TemporaryDirectory(prefix="sherf-page-") as private:
        tempfile.tempdir = private  # uploads and visits are in there, and go with it
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn hands the signal on once it has ended
        try:
            _server(options, account).run()
        finally:
            tempfile.tempdir = None


def _server(options: AppOptions, account: tuple[str, str] | None) -> "uvicorn.Server":
    """The page behind its address."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    from sherf.app.page import CSS, page, theme

    app, began = FastAPI(), time.time()

    @app.get("/health")
    def health() -> dict[str, float | str]:
        return {"status": "ok", "seconds": round(time.time() - began, 1)}

    blocks = page(options.minutes).queue(max_size=MOST_WAITING, default_concurrency_limit=1)
    app = gr.mount_gradio_app(
        app, blocks, path="/", auth=account, max_file_size=MOST_UPLOAD, theme=theme(), css=CSS, show_error=True
    )
    blocks.has_launched = True  # else Gradio reads any file of this machine that a request names
    gr.processing_utils.async_ssrf_protected_download = _no_download
    say(f"the page is at http://{options.host}:{options.port}  (Ctrl-C ends it)")
    settings = uvicorn.Config(
        app, host=options.host, port=options.port, log_level="warning", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(settings)
    # pages that are still open are let go at the end: no error
    logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
    return server


async def _no_download(url: str, cache_dir: str) -> str:
    """In place of Gradio's fetching of what a request names by its address."""
    raise BadInput("this page fetches nothing from elsewhere: upload the file itself.")


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
