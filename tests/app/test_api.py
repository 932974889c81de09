"""The page as programs use it: the README's example as it stands there, and mistakes in words."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pygltflib
import pytest
from PIL import Image
from serving import asked, served

from sherf.app.options import AppOptions
from sherf.app.serve import serve
from sherf.avatar.avatar_file import read_avatar
from sherf.errors import BadInput

client = pytest.importorskip("gradio_client", reason="the page needs gradio: pip install 'sherf[app]'")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served."""
    with served(tmp_path_factory.mktemp("app"), attacked=True) as address:
        yield address


def example(address: str) -> str:
    """The README's program, at this address and with smaller pictures."""
    text = (ROOT / "README.md").read_text()
    begin = text.index("    from gradio_client import")
    code = dedent(text[begin : text.index("\n## ", begin)])
    for there, here in (("http://127.0.0.1:7860/", address), ('"white", 512', '"white", 256')):
        assert there in code
        code = code.replace(there, here)
    return code


def test_the_example_of_the_readme_goes_from_photo_to_files(address: str, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "examples" / "person_1.jpg", tmp_path / "me.jpg")
    (tmp_path / "session.py").write_text(f"{example(address)}\nprint(video, model, *files, sep='\\n')\n")
    done = subprocess.run(
        [sys.executable, "session.py"], cwd=tmp_path, env=os.environ | {"GRADIO_TEMP_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    video, model, *files = [Path(line) for line in done.stdout.splitlines()[-5:]]
    assert all(path.is_relative_to(tmp_path) for path in (video, model, *files)), "they were downloaded"
    assert video.read_bytes()[4:8] == b"ftyp"
    assert [clip.name for clip in pygltflib.GLTF2.load(str(model)).animations] == ["walk"]
    same, avatar, origin = files
    assert same.name == model.name == "avatar.glb" and json.loads(origin.read_text())["model"] == "sherf-small"
    assert read_avatar(avatar).report["photo"] == "me.jpg"


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("reconstruct", [None, 1], "Drop a photo first, or click one of the examples."),
        ("reconstruct", ["wall.png", 1], "no person was found in the photo. Use a photo that shows one person"),
        ("build", [], "There is no person yet: drop a photo on the first tab."),
        ("animate", ["flying", None, 4, 1, False, True, "white", 256, "still"], "flying is not in the list of choices"),
        ("export", ["flying", None], "flying is not in the list of choices: ['bow', 'dance',"),
    ],
)
def test_mistakes_are_sentences(address: str, tmp_path: Path, name: str, said: list[Any], told: str) -> None:
    Image.new("RGB", (300, 400), "grey").save(tmp_path / "wall.png")
    page = client.Client(address, verbose=False)
    with pytest.raises(Exception, match=r"^[^\n]+$") as raised:
        page.predict(*(client.handle_file(tmp_path / x) if x == "wall.png" else x for x in said), api_name=f"/{name}")
    page.close()
    assert told in str(raised.value) and "/tmp" not in str(raised.value) and "--" not in str(raised.value)


def test_the_server_answers_and_keeps_its_address(address: str) -> None:
    assert json.loads(asked(f"{address}/health"))["status"] == "ok"
    assert "SHERF" in asked(f"{address}/")
    with pytest.raises(BadInput, match="cannot be served"):
        serve(AppOptions(port=int(address.rpartition(":")[2])))
