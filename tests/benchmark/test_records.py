"""images.csv: rows that a power cut damaged are removed, the others stay."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sherf.benchmark.records import SCORES, Record, RecordFile
from sherf.errors import BadInput


def record(view: int) -> Record:
    return Record("novel_view", "anna", 0, 0, 0, view, False, 30.0, dict.fromkeys(SCORES, 0.5), 1.25)


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    file = RecordFile(tmp_path / "images.csv")
    for view in range(3):
        file.append(record(view))
    return file


def zero_row(content: bytes, number: int) -> bytes:
    """Replace a row by zeros up to its line break."""
    rows = content.splitlines(keepends=True)
    rows[number] = bytes(len(rows[number]) - 2) + b"\r\n"
    return b"".join(rows)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], list[int]]] = {
    "none": (lambda content: content, [0, 1, 2]),
    "empty": (lambda content: b"", []),
    "truncated header": (lambda content: content[:20], []),
    "header alone": (lambda content: content.splitlines(keepends=True)[0], []),
    "truncated row": (lambda content: content[:-30], [0, 1]),
    "row without its line break": (lambda content: content[:-2], [0, 1]),
    "zeros at the end": (lambda content: content + bytes(100), [0, 1, 2]),
    "zeros within": (lambda content: zero_row(content, 2), [0, 2]),
    "all zeros": (lambda content: bytes(len(content)), []),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_whole_rows_are_kept_and_damaged_ones_can_be_made_again(file: RecordFile, damage: str) -> None:
    whole = file.path.read_bytes()
    cut, kept = DAMAGES[damage]
    file.path.write_bytes(cut(whole))
    assert file.read() == [record(view) for view in kept]
    for view in {0, 1, 2} - set(kept):
        file.append(record(view))
    assert sorted(file.read(), key=lambda each: each.view) == [record(view) for view in range(3)]
    assert sorted(file.path.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_other_columns_are_refused(file: RecordFile) -> None:
    file.path.write_text("kind,subject\nnovel_view,anna\n")
    with pytest.raises(BadInput, match="written by another version"):
        file.read()
