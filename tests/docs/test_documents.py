"""README and manual: short enough, without broken links, and complete."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("checkpoints/*/README.md")),
    ROOT / "examples" / "README.md",
]
MOST_README_LINES = 120
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")
SOURCE = re.compile(r"`((?:sherf|app|datasets|tests|benchmarks|docs|supply|checkpoints|examples)/[\w./*-]*[\w*])`")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_README_LINES


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_relative_links_lead_to_files(path: Path) -> None:
    text = FENCE.sub("", path.read_text())
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_named_files_of_the_repository_exist(path: Path) -> None:
    """Names in capitals stand for any."""
    named = [name for name in SOURCE.findall(path.read_text()) if not re.search(r"[A-Z]{3,}(?!\.md)", name)]
    assert [name for name in named if not any(ROOT.glob(name))] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f": {path.name}\n" not in navigation] == []


def test_troubleshooting_quotes_messages_that_the_program_has() -> None:
    """Each heading of the third level is a message, with an ellipsis for what varies."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    parts = [part.strip().lower() for heading in headings for part in heading.split("…") if part.strip(" ,")]
    said = "\n".join(_constants(path) for top in ("sherf", "app") for path in (ROOT / top).rglob("*.py"))
    said += (ROOT / "Makefile").read_text()
    assert [part for part in parts if part not in said.lower()] == []


def _constants(path: Path) -> str:
    return "\n".join(
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
