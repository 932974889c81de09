"""The process that serves the page; `serve.py` starts it, and again if it dies."""

import logging
import signal
import sys
import time
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio.data_classes import ImageData

from sherf.app.options import AppOptions
from sherf.app.page import CSS, page, theme
from sherf.app.queueing import MOST_WAITING, share
from sherf.cli.exits import exits
from sherf.errors import BadInput
from sherf.progress import print_status

MOST_UPLOAD = "64mb"


def run(options: AppOptions, account: tuple[str, str] | None) -> None:
    """Serve until a signal ends it.

    Args:
        account: name and password that visitors need.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn hands signals on once it has ended
    with exits():
        _server(options, account).run()


def _server(options: AppOptions, account: tuple[str, str] | None) -> uvicorn.Server:
    app, began = FastAPI(), time.time()

    @app.get("/health")
    def health() -> dict[str, float | str]:
        return {"status": "ok", "seconds": round(time.time() - began, 1)}

    blocks = page(options.minutes).queue(max_size=MOST_WAITING, default_concurrency_limit=1)
    share(blocks._queue)
    app = gr.mount_gradio_app(
        app, blocks, path="/", auth=account, max_file_size=MOST_UPLOAD, theme=theme(), css=CSS, show_error=True
    )
    blocks.has_launched = True  # else Gradio reads any file of this machine that a request names
    gr.processing_utils.async_ssrf_protected_download = _no_download
    gr.image_utils.preprocess_image = _as_uploaded
    print_status(f"the page is at http://{options.host}:{options.port}  (Ctrl-C ends it)")
    settings = uvicorn.Config(
        app, host=options.host, port=options.port, log_level="warning", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(settings)
    # pages that are still open are let go at the end: no error
    logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
    return server


def _as_uploaded(payload: ImageData | None, **_: Any) -> str | None:
    """In place of Gradio's reading and writing anew: reading a picture, and saying what is wrong with it, is ours."""
    return payload.path if payload else None


async def _no_download(url: str, cache_dir: str) -> str:
    """In place of Gradio's fetching of what a request names by its address."""
    raise BadInput("this page fetches nothing from elsewhere: upload the file itself.")
