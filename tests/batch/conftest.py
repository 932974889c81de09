"""Photos that need no fit: generated people, seen by many cameras, with their bodies given."""

import json
from pathlib import Path

import pytest
from running import run_in_process

PEOPLE, VIEWS = 2, 10


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 photos: two people, 10 cameras each."""
    folder = tmp_path_factory.mktemp("people")
    options = ("--people", PEOPLE, "--views", VIEWS, "--poses", 1, "--size", 64, "--workers", 1, "--out", folder)
    done = run_in_process("generate", "openpeople", *options)
    assert done.returncode == 0, done.stderr
    rows = [
        {"photo": f"{person:06d}", "view": view, "name": f"p{person}-{view:02d}"}
        for person in range(PEOPLE)
        for view in range(VIEWS)
    ]
    path = folder / "photos.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path
