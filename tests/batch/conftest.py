"""Photos that cost nothing to read: generated people, seen by many cameras, body given."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEOPLE, VIEWS = 2, 30


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 photos: two people, 30 cameras each."""
    folder = tmp_path_factory.mktemp("people")
    command = [sys.executable, "-m", "sherf.cli", "generate", "openpeople", "--people", PEOPLE, "--views", VIEWS]
    options = ["--poses", 1, "--size", 64, "--workers", 1, "--out", folder]
    subprocess.run([str(part) for part in command + options], check=True, capture_output=True, timeout=250)
    rows = [
        {"photo": f"{person:06d}", "view": view, "name": f"p{person}-{view:02d}"}
        for person in range(PEOPLE)
        for view in range(VIEWS)
    ]
    path = folder / "photos.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path
