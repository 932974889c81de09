"""Results are written whole or not at all, and every obstacle is named."""

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sherf.errors import BadInput, OutputError
from sherf.files.output import (
    atomic_output,
    prepare_output_folder,
    refuse_overwriting_inputs,
    sync,
    write_json,
    write_text,
)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit the size of files that this process writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failing(code: int):
    """Return a method or function that fails with this error number."""

    def fail(path: Path | int, *args: object, **options: object) -> None:
        raise OSError(code, os.strerror(code), str(path) if isinstance(path, Path) else None)

    return fail


def test_a_new_file_appears_under_its_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "result.txt"
    with atomic_output(path) as partial:
        assert partial.parent == path.parent and partial.suffix == ".txt"
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What is synced, a file's suffix or "folder", and the names of the files that the folder holds then."""
    found: list[tuple[str, list[str]]] = []

    def record(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        folder = path if path.is_dir() else path.parent
        found.append(("folder" if path.is_dir() else path.suffix, sorted(x.name for x in folder.iterdir())))

    monkeypatch.setattr(os, "fsync", record)
    return found


def test_a_file_is_on_disk_before_it_gets_its_name_and_then_its_name_is(tmp_path: Path, synced: list) -> None:
    path = tmp_path / "result.txt"
    with atomic_output(path) as partial:
        partial.write_text("new")
        unfinished = partial.name
    assert synced == [(".txt", [unfinished]), ("folder", ["result.txt"])]
    with atomic_output(tmp_path / "frame.png", durable=False) as partial:
        partial.write_text("new")
    assert len(synced) == 2


def test_folders_that_cannot_be_synced_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems."""

    def fail(descriptor: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fail)
    write_text(tmp_path / "result.txt", "new")
    assert (tmp_path / "result.txt").read_text() == "new"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_at_the_sync_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(OutputError, match=r"cannot write .*result\.txt"):
        write_text(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match=os.strerror(code)):
        sync(tmp_path)


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_midway_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(failure), atomic_output(path) as partial:
        partial.write_text("half")
        raise failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_may_not_grow_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    write_text(path, "old")
    with largest_file(1000), pytest.raises(OutputError, match=r"result.txt.*grew beyond"):
        write_text(path, "x" * 5000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.ENAMETOOLONG, "too long"),
    ],
)
def test_each_obstacle_is_named_with_the_place_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    folder = tmp_path / "out"
    monkeypatch.setattr(Path, "mkdir", failing(code))
    with pytest.raises(OutputError, match=says) as error:
        prepare_output_folder(folder)
    assert str(folder) in str(error.value) and "To fix this" in str(error.value)


def test_a_disk_that_fills_up_while_writing_is_named_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_text", failing(errno.ENOSPC))
    with pytest.raises(OutputError, match="disk is full"):
        write_text(tmp_path / "report.json", "{}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_but_cannot_be_written_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "touch", failing(errno.EROFS))
    with pytest.raises(OutputError, match="read-only"):
        prepare_output_folder(tmp_path)


def test_files_in_the_place_of_folders_are_refused(tmp_path: Path) -> None:
    """Also for root, who may write everywhere else."""
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(OutputError, match="this is a file"):
        prepare_output_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="part of the path is a file"):
        prepare_output_folder(tmp_path / "file" / "below" / "it")
    with pytest.raises(OutputError, match="this is a file"):
        write_text(tmp_path / "file" / "report.json", "{}")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").mkdir()
    with pytest.raises(OutputError, match="folder of that name"):
        write_text(tmp_path / "video.mp4", "")


def test_names_too_long_for_the_disk_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 300), tmp_path / ("x" * 300) / "report.json"):
        with pytest.raises(OutputError, match="too long"):
            write_text(path, "{}")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    longest = tmp_path / ("x" * 255)
    write_text(longest, "fits")
    assert longest.read_text() == "fits"


def test_a_prepared_folder_is_empty_and_may_exist_already(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert prepare_output_folder(folder) == prepare_output_folder(folder) == folder
    assert list(folder.iterdir()) == []


def test_errors_about_other_files_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_output(tmp_path / "result.txt"):
        (tmp_path / "input.txt").read_text()
    elsewhere = tmp_path / "elsewhere" / "input.txt"
    with pytest.raises(PermissionError), atomic_output(tmp_path / "result.txt"):
        raise PermissionError(errno.EACCES, "Permission denied", str(elsewhere))


def test_json_survives_a_round_trip_and_is_readable(tmp_path: Path) -> None:
    content = {"name": "Zoë", "scores": [0.5, 1], "nested": {"none": None}}
    write_json(tmp_path / "report.json", content)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert "Zoë" in text and text.endswith("}\n") and text.count("\n") > 3


def test_nan_is_refused_in_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "report.json", {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_inputs_are_not_overwritten_through_links_either(tmp_path: Path) -> None:
    photo, other = tmp_path / "me.png", tmp_path / "other.png"
    photo.write_text("a photo")
    other.write_text("another one")
    (tmp_path / "link.png").symlink_to(photo)
    (tmp_path / "twin.png").hardlink_to(photo)
    (tmp_path / "sub").mkdir()
    for output in (photo, tmp_path / "sub" / ".." / "me.png", tmp_path / "link.png", tmp_path / "twin.png"):
        with pytest.raises(BadInput, match=r"me\.png would be overwritten.*\n.*another --out"):
            refuse_overwriting_inputs([tmp_path / "new.png", output], [None, "walk", photo])
    refuse_overwriting_inputs(
        [tmp_path / "new.png", other], [None, "walk", tmp_path / "absent.png", tmp_path, str(photo)]
    )
