"""Digests of a data set: results and states that belong to other data are noticed by them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from sherf.datasets.multiview import MultiviewData
from sherf.files.digest import file_sha256
from sherf.progress import progress


def data_digest(data: MultiviewData) -> str:
    """Return a SHA-256 of the data set's recorded digests, or of its subjects, poses and views if it records none.

    Raises:
        BadInput: a subject's annotations are missing or damaged.
    """
    content: object = _recorded_digests(data)
    if content is None:
        content = {name: [data.poses(name), data.views(name)] for name in data.subjects}
    return _sha256_of_json(content)


def content_digest(data: MultiviewData, subjects: Sequence[str]) -> str:
    """Return a SHA-256 of all that the data set holds of some subjects.

    Reads every file of a subject whose digest the data set does not record.

    Args:
        data: the data set.
        subjects: names of its subjects.
    """
    recorded = _recorded_digests(data) or {}
    found = {name: recorded.get(name) or _folder_digest(data.root / name) for name in progress(subjects, "digests")}
    return _sha256_of_json(found)


def _recorded_digests(data: MultiviewData) -> dict[str, str | None] | None:
    return getattr(data, "digests", None)


def _folder_digest(folder: Path) -> str:
    """Return a SHA-256 of the names and contents of all files in a folder; a file that cannot be read has none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _sha256_of_json({path.relative_to(folder).as_posix(): _file_digest(path) for path in files})


def _file_digest(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:
        return None


def _sha256_of_json(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
