"""The shape of the program, checked on its syntax trees: what may import what (security/: what nobody may do)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for top in ("sherf", "app", "datasets") for p in (ROOT / top).rglob("*.py"))
PURE = [
    p
    for p in SOURCES
    if p.name in ("scene.py", "camera.py", "framing.py", "lbs.py", "warp.py") and "photo" not in p.parts
]
MAX_LINES = 350


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_file_keeps_the_rules_of_the_house(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    if path.name != "devices.py":
        assert not re.search(r"\.cuda\(|cuda\.is_available", text), "only devices.py asks for CUDA"
    imported = set(_imports(path))
    if path.is_relative_to(ROOT / "sherf"):
        assert not any(name.split(".")[0] == "gradio" for name in imported)
        # the command line opens the page; nothing else knows it
        assert path.name == "cli.py" or not any(name.startswith("sherf.app") for name in imported)
    assert not any(name.split(".")[0] == "smplx" for name in imported), "its licence forbids it on the default path"
    if "nerfacc" in {name.split(".")[0] for name in imported}:
        assert path.name == "nerfacc_backend.py"


@pytest.mark.parametrize("path", PURE, ids=_name)
def test_pure_mathematics_knows_no_files(path: Path) -> None:
    """camera.py also reads and writes cameras' files: that one part names pathlib."""
    forbidden = {"PIL", "cv2", "open3d", "av", "tyro"}
    assert not {name.split(".")[0] for name in _imports(path)} & forbidden
