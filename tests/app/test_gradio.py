"""What the page replaces in Gradio to be safe: an upgrade that undoes it fails here."""

import inspect
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
import gradio.queueing  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402

from sherf.app import photo_callbacks, server  # noqa: E402
from sherf.app.options import AppOptions  # noqa: E402
from sherf.app.queueing import EXCLUSIVE, limit_queue_slots  # noqa: E402

API = "/gradio_api"
REPLACED = {
    "has_launched": (lambda: gr.Blocks(), "requests can name any file of the machine as an upload"),
    "async_ssrf_protected_download": (lambda: gr.processing_utils, "requests can make the page fetch any URL"),
    "preprocess_image": (lambda: gr.image_utils, "Gradio decodes uploads before the library checks them"),
    "_queue": (lambda: gr.Blocks(), "one user can fill the queue"),
    "push": (lambda: gr.Blocks()._queue, "one user can fill the queue"),
    "event_queue_per_concurrency_id": (lambda: gr.Blocks()._queue, "one user can fill the queue"),
    "_data": (lambda: gr.EventData(None, {}), "landmarks cannot be moved"),
}
"""By attribute: the object that has it, and what happens without it."""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TestClient]:
    """The page as `sherf app` serves it; its endpoint /reconstruct answers with the photo's content."""

    def answer(sessions: Any, photo: str, person: Any, session: Any) -> None:
        raise gr.Error(f"received {Path(photo).read_bytes()!r}", print_exception=False)

    monkeypatch.setattr(photo_callbacks, "reconstruct", answer)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    for module, name in (
        (gr.processing_utils, "async_ssrf_protected_download"),
        (gr.image_utils, "preprocess_image"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))  # restored afterwards
    with TestClient(server._server(AppOptions(device="cpu"), None).config.app) as client:
        yield client


def reconstruct(page: TestClient, photo: dict[str, Any]) -> str:
    """Return the page's answer to a photo."""
    data = [photo | {"meta": {"_type": "gradio.FileData"}}, 1]
    event = page.post(f"{API}/call/reconstruct", json={"data": data}).json()["event_id"]
    return page.get(f"{API}/call/reconstruct/{event}").text


def upload(page: TestClient, name: str, content: bytes) -> str:
    return page.post(f"{API}/upload", files={"files": (name, content, "image/png")}).json()[0]


@pytest.mark.parametrize("name", REPLACED)
def test_gradio_still_has_what_the_page_replaces_or_reads(name: str) -> None:
    owner, consequence = REPLACED[name]
    assert hasattr(owner(), name), f"this version of Gradio has no {name} any more: without it, {consequence}"


def test_the_queue_is_asked_as_the_page_expects() -> None:
    parameters = list(inspect.signature(gradio.queueing.Queue.push).parameters)
    assert parameters == ["self", "body", "request", "username"], "the limit per user replaces this method"
    fields = inspect.signature(gradio.queueing.Event.__init__).parameters
    assert {"request", "username"} <= set(fields), "the limit per user tells users apart by them"


def test_only_uploads_are_read(page: TestClient, tmp_path: Path) -> None:
    """`has_launched`."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    assert "not uploaded by a user" in reconstruct(page, {"path": str(tmp_path / "secret.png")})
    assert "received b'mine'" in reconstruct(page, {"path": upload(page, "me.png", b"mine")})


def test_urls_are_not_fetched(page: TestClient) -> None:
    """`async_ssrf_protected_download`."""
    requested = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        for name in (f"http://127.0.0.1:{elsewhere.server_port}/me.png", "https://sherf.invalid/me.png"):
            assert "fetches nothing" in reconstruct(page, {"path": name})
        elsewhere.shutdown()
    assert requested == []


@pytest.mark.parametrize("url", [None, "data:image/png;base64,AAAA"])
def test_images_reach_the_library_as_they_were_uploaded(page: TestClient, url: str | None) -> None:
    """`preprocess_image`: neither decoded nor converted, whatever their name says."""
    for name in ("me.png", "me.svg", "me.heic"):
        assert "received b'no image'" in reconstruct(page, {"path": upload(page, name, b"no image"), "url": url})


def test_a_user_who_has_enough_requests_waiting_is_refused() -> None:
    """`push`."""
    started, release, limit = threading.Event(), threading.Event(), 2

    def work() -> None:
        started.set()
        release.wait()

    with gr.Blocks() as blocks:
        gr.Button().click(work, api_name="work", **EXCLUSIVE)
    limit_queue_slots(blocks.queue()._queue, limit)
    with TestClient(gr.mount_gradio_app(FastAPI(), blocks, path="/")) as page:
        assert page.post(f"{API}/call/work", json={"data": []}).status_code == 200
        started.wait()
        replies = [page.post(f"{API}/call/work", json={"data": []}) for _ in range(limit + 1)]
        release.set()
    assert [reply.status_code for reply in replies] == [200, 200, 400]
    assert "2 of your requests are already waiting" in json.dumps(replies[-1].json())
