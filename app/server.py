"""The process that serves the page; `serve.py` starts it, and restarts it if it dies."""

import logging
import signal
import sys
import threading
import time
from importlib.resources import files
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI, Response
from gradio.data_classes import ImageData

from sherf.app.options import AppOptions
from sherf.app.page import page
from sherf.app.queueing import MAX_WAITING, limit_queue_slots
from sherf.app.theme import CSS, theme
from sherf.app.warm_up import warm_up
from sherf.cli.exits import exits
from sherf.errors import BadInput
from sherf.progress import print_status
from sherf.render.devices import choose_backend

VIEWER = "model-viewer.min.js"
"""What turn.js loads."""
MAX_UPLOAD = "64mb"
SHUTDOWN_SECONDS = 2
"""Open connections have this long to finish."""


def run(options: AppOptions, account: tuple[str, str] | None) -> None:
    """Serve the page until a signal ends the process.

    Args:
        options: where the page is served.
        account: name and password that users must enter; None lets everyone in.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises captured signals again once it has ended
    with exits():
        _server(options, account).run()


def _server(options: AppOptions, account: tuple[str, str] | None) -> uvicorn.Server:
    app, started = FastAPI(), time.time()

    @app.get("/health")
    def health() -> dict[str, float | str]:
        return {"status": "ok", "seconds": round(time.time() - started, 1)}

    @app.get("/sherf/model-viewer.min.js")
    def viewer() -> Response:
        script = (files("sherf.app") / VIEWER).read_bytes()
        return Response(script, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    blocks = page(options.minutes, choose_backend(options.device)).queue(
        max_size=MAX_WAITING, default_concurrency_limit=1
    )
    limit_queue_slots(blocks._queue)
    app = gr.mount_gradio_app(
        app, blocks, path="/", auth=account, max_file_size=MAX_UPLOAD, theme=theme(), css=CSS, show_error=True
    )
    blocks.has_launched = True  # otherwise Gradio reads any file of this machine that a request names
    gr.processing_utils.async_ssrf_protected_download = _refuse_download
    gr.image_utils.preprocess_image = _uploaded_path
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    print_status(f"serving at http://{options.host}:{options.port}  (press Ctrl-C to stop)")
    settings = uvicorn.Config(
        app, host=options.host, port=options.port, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS
    )
    server = uvicorn.Server(settings)
    # connections that are still open on shutdown are not errors
    logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
    return server


def _uploaded_path(payload: ImageData | None, **_: Any) -> str | None:
    """Replace Gradio's decoding of images: the library reads the file itself and reports what is wrong with it."""
    return payload.path if payload else None


async def _refuse_download(url: str, cache_dir: str) -> str:
    """Replace Gradio's download of URLs in requests.

    Raises:
        BadInput: always.
    """
    raise BadInput("this page fetches nothing from URLs: upload the file instead.")
