"""The page serves what it made for its visitors, and no other file of the machine."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from serving import served

from sherf.app.serve import MIN_UPTIME_S

httpx = pytest.importorskip("httpx", reason="the page needs gradio: pip install 'sherf[app]'")
pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
ROOT = Path(__file__).parents[2]
API = "/gradio_api"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator["httpx.Client"]:
    """The page's server."""
    folder = tmp_path_factory.mktemp("page")
    with served(folder, attacked=True) as address, httpx.Client(base_url=address, timeout=None) as client:
        client.headers["x-uploads"] = str(folder / "tmp")
        yield client


def upload(page: "httpx.Client", name: str, content: bytes) -> "httpx.Response":
    return page.post(f"{API}/upload", files={"files": (name, content, "image/png")})


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        "\\etc\\passwd",
        str(ROOT / "README.md"),
        "README.md",
        "pyproject.toml",
        str(ROOT / "sherf" / "cli.py"),
        "/proc/self/environ",
    ],
)
def test_no_path_serves_a_file_of_the_machine(page: "httpx.Client", path: str) -> None:
    for route in ("/file=", "/file/", f"{API}/file=", f"{API}/file/", "/static/", "/assets/", f"{API}/proxy="):
        reply = page.get(f"{route}{path}")
        assert reply.status_code in (400, 403, 404, 405, 422) or _is_page(reply), (route, reply.status_code)
        assert b"root:" not in reply.content and b"sherf =" not in reply.content and b"One photo" not in reply.content


def _is_page(reply: "httpx.Response") -> bool:
    return reply.status_code == 200 and b"<!doctype html>" in reply.content[:200].lower()


def test_names_of_uploads_cannot_choose_a_folder(page: "httpx.Client") -> None:
    uploads = Path(page.headers["x-uploads"])
    for name in ("../../../evil.png", "/tmp/evil.png", "..\\..\\evil.png", "a/../../evil.png"):
        reply = upload(page, name, b"x")
        for path in reply.json() if reply.status_code == 200 else []:
            assert Path(path).resolve().is_relative_to(uploads.resolve())
    assert not list(uploads.parent.glob("evil*")) and not Path("/tmp/evil.png").exists()


def test_a_link_out_of_the_folder_is_not_followed(page: "httpx.Client", tmp_path: Path) -> None:
    kept = Path(upload(page, "me.png", b"mine").json()[0])
    assert page.get(f"{API}/file={kept}").content == b"mine"
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    link = kept.parent / "link.png"
    os.symlink(secret, link)
    assert page.get(f"{API}/file={link}").status_code in (403, 404)
    assert page.get(f"{API}/file={kept.parent}/../../../{secret.name}").status_code in (403, 404)


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "examples" / "readme.jpg"), "../../README.md"])
def test_only_uploaded_files_are_read(page: "httpx.Client", path: str) -> None:
    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    for reply in (call(page, "reconstruct", [named, 1]), call(page, "export", ["walk", named])):
        assert "not uploaded by a user" in reply
    assert not list(Path(page.headers["x-uploads"]).rglob(Path(path).name))


def test_nothing_is_fetched_from_elsewhere(page: "httpx.Client") -> None:
    named = {"path": "http://1.1.1.1/me.png", "meta": {"_type": "gradio.FileData"}}
    assert "fetches nothing" in call(page, "reconstruct", [named, 1])


def test_an_upload_beyond_the_limit_is_refused_and_the_page_goes_on(page: "httpx.Client", tmp_path: Path) -> None:
    assert upload(page, "big.png", bytes(65 * 2**20)).status_code in (400, 413)
    Image.new("RGB", (64, 64)).save(tmp_path / "grey.png")
    path = upload(page, "grey.png", (tmp_path / "grey.png").read_bytes()).json()[0]
    reply = call(page, "reconstruct", [{"path": path, "meta": {"_type": "gradio.FileData"}}, 1])
    assert "No person was found" in reply
    assert page.get("/health").json()["status"] == "ok"


def call(page: "httpx.Client", name: str, data: list) -> str:
    """Return everything that the API answers to a call."""
    event = page.post(f"{API}/call/{name}", json={"data": data}).json()["event_id"]
    return page.get(f"{API}/call/{name}/{event}").text


def test_a_process_that_dies_is_restarted_without_the_uploads(page: "httpx.Client") -> None:
    uploads = Path(page.headers["x-uploads"])
    upload(page, "me.png", b"mine")
    assert list(uploads.rglob("me.png"))
    server = next(p for p in Path("/proc").glob("[0-9]*") if _is_server_of(p, uploads))
    age = time.time() - (server / "stat").stat().st_mtime
    time.sleep(max(0.0, MIN_UPTIME_S - age) + 1)
    os.kill(int(server.name), signal.SIGKILL)
    while not _answers(page):
        time.sleep(0.2)
    assert not list(uploads.rglob("me.png"))
    assert upload(page, "you.png", b"yours").status_code == 200


def _is_server_of(process: Path, uploads: Path) -> bool:
    try:
        return b"spawn_main" in (process / "cmdline").read_bytes() and (
            f"TMPDIR={uploads}".encode() in (process / "environ").read_bytes()
        )
    except OSError:
        return False


def _answers(page: "httpx.Client") -> bool:
    try:
        return page.get("/health").status_code == 200
    except httpx.TransportError:
        return False
