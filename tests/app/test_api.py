"""The page as programs use it: the manual's own example, and errors as messages."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygltflib
import pytest
from PIL import Image
from serving import fetch, served

from sherf.app.options import AppOptions
from sherf.app.serve import serve
from sherf.avatar.avatar_file import read_avatar
from sherf.errors import BadInput

client = pytest.importorskip("gradio_client", reason="the page needs gradio: pip install 'sherf[app]'")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the served page."""
    with served(tmp_path_factory.mktemp("app"), attacked=True) as address:
        yield address


def example(address: str) -> str:
    """Return the manual's program, for this address and smaller videos."""
    text = (ROOT / "docs" / "web-page.md").read_text()
    code = text.partition("```py\n")[2].partition("```")[0]
    for original, replacement in (("http://127.0.0.1:7860/", address), ('"white", 512', '"white", 256')):
        assert original in code
        code = code.replace(original, replacement)
    return code


@pytest.mark.timeout(1200)
def test_the_example_of_the_manual_goes_from_photo_to_files(address: str, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "examples" / "person_1.jpg", tmp_path / "me.jpg")
    (tmp_path / "session.py").write_text(f"{example(address)}\nprint(video, model, *files, sep='\\n')\n")
    finished = subprocess.run(
        [sys.executable, "session.py"], cwd=tmp_path, env=os.environ | {"GRADIO_TEMP_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    video, model, *files = [Path(line) for line in finished.stdout.splitlines()[-5:]]
    assert all(path.is_relative_to(tmp_path) for path in (video, model, *files)), "files must be downloaded"
    assert video.read_bytes()[4:8] == b"ftyp"
    assert [clip.name for clip in pygltflib.GLTF2.load(str(model)).animations] == ["walk"]
    glb, avatar, record = files
    assert glb.name == model.name == "avatar.glb" and json.loads(record.read_text())["model"] == "sherf-small"
    assert read_avatar(avatar).report["photo"] == "me.jpg"


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("reconstruct", [None, 1], "Upload a photo first, or choose an example."),
        ("reconstruct", ["wall.png", 1], "No person was found in the photo. Use a photo that shows one person"),
        ("build", [], "There is no avatar yet: upload a photo on the first tab."),
        ("animate", ["flying", None, 4, 1, False, True, "white", 256, "still"], "flying is not in the list of choices"),
        ("export", ["flying", None], "flying is not in the list of choices: ['bow', 'dance',"),
    ],
)
def test_errors_are_one_line_messages(address: str, tmp_path: Path, name: str, inputs: list[Any], message: str) -> None:
    Image.new("RGB", (300, 400), "grey").save(tmp_path / "wall.png")
    page = client.Client(address, verbose=False)
    with pytest.raises(Exception, match=r"^[^\n]+$") as raised:
        page.predict(*(client.handle_file(tmp_path / x) if x == "wall.png" else x for x in inputs), api_name=f"/{name}")
    page.close()
    assert message in str(raised.value) and "/tmp" not in str(raised.value) and "--" not in str(raised.value)


def test_the_server_answers_and_keeps_its_address(address: str) -> None:
    assert json.loads(fetch(f"{address}/health"))["status"] == "ok"
    assert "SHERF" in fetch(f"{address}/")
    with pytest.raises(BadInput, match="cannot be served"):
        serve(AppOptions(port=int(address.rpartition(":")[2])))
