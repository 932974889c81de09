"""The Python examples of the README and of docs/python.md run as programs, with fewer and smaller frames."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALLER = (
    (r"frames=60, size=512", "frames=2, size=64"),
    (r'avatar\.animate\("walk"\)', 'avatar.animate("walk", frames=2, size=64)'),
    (r'sherf\.reconstruct\("me\.jpg"\)', 'sherf.reconstruct("me.jpg", model="template")'),
    (r"orbit\(camera, ", "orbit(sherf.camera.pinhole.resize(camera, (96, 64)), "),
    (r'motions=\["walk", "dance"\]', r"\g<0>, options=sherf.ExportOptions(triangles=1000, texture=64)"),
    (r'posed="photo"', r"\g<0>, triangles=1000, texture=64"),
)
"""What is replaced to keep the test short, each by its pattern."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working directory of the examples, with the photo that they name."""
    shutil.copyfile(ROOT / "examples" / "person_1.jpg", tmp_path / "me.jpg")
    return tmp_path


def _run(document: str, folder: Path) -> str:
    """Run a document's examples as one program; return what it prints."""
    program = "\n".join(BLOCK.findall((ROOT / document).read_text()))
    for pattern, smaller in SMALLER:
        program = re.sub(pattern, smaller, program)
    (folder / "example.py").write_text(program)
    finished = subprocess.run(
        [sys.executable, "example.py"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_readmes_example_goes_from_photo_to_files(folder: Path) -> None:
    printed = _run("README.md", folder)
    assert "0 torch.Size([3, 64, 64])" in printed
    assert (folder / "walk.mp4").read_bytes()[4:8] == b"ftyp"
    assert (folder / "me.glb").read_bytes()[:4] == b"glTF"


def test_the_guides_examples_run_in_order(folder: Path) -> None:
    printed = _run("docs/python.md", folder)
    assert printed.split()[0] in ("good", "usable"), "the verdict, here of the template"
    assert "frames at 30.0 per second" in printed
    assert "frames: 1 of 2" in printed, "progress"
    assert "holiday.jpg" in printed.splitlines()[-1], "the error is shown"
    assert (folder / "turntable.mp4").read_bytes()[4:8] == b"ftyp"
    assert len(list((folder / "turntable").glob("*.png"))) == 2
    assert (folder / "me.ply").is_file()
