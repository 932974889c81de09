"""Write results: whole files or none, with errors that explain why a place cannot be written to."""

import errno
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sherf.errors import BadInput, OutputError

PARTIAL_PREFIX = ".part-"
"""Unfinished files begin with this. The rest of their name is short, for final names may be as long as allowed."""

WRITE_ERRORS = {
    errno.ENOSPC: ("the disk is full", "free some space or choose a folder on another disk"),
    errno.EDQUOT: ("your disk quota is used up", "free some space or choose a folder on another disk"),
    errno.EFBIG: ("the file grew beyond the allowed size", "raise the limit (ulimit -f) or write elsewhere"),
    errno.EACCES: ("permission denied", "choose a folder that you may write to"),
    errno.EPERM: ("the operation is not permitted", "choose a folder that you may write to"),
    errno.EROFS: ("the disk is read-only", "choose a folder on a writable disk"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("a folder of that name is in the way", "choose another name or move the folder"),
    errno.EEXIST: ("a file of that name is in the way", "choose another name or move the file"),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "choose a shorter name"),
    errno.EINVAL: ("the name contains characters that this disk cannot store", "choose a simpler name"),
    errno.EIO: ("the disk reported an input/output error", "check the disk or write to another one"),
}
"""By the operating system's error number: what went wrong, and how to fix it."""

NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}
"""Error numbers of file systems that cannot sync folders, and of folders that may be written to but not listed."""


def is_disk_full(error: Exception) -> bool:
    """Return whether the disk is full or the user's quota used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def explain_write_error(error: OSError, path: Path) -> str:
    """Return the text of an OutputError: why `path` could not be written, and how to fix it."""
    problem, remedy = WRITE_ERRORS.get(error.errno or 0, (error.strerror or str(error), "choose another place"))
    return f"cannot write {path}: {problem}.\nTo fix this: {remedy}."


def refuse_overwriting_inputs(outputs: Iterable[Path], inputs: Iterable[str | Path | None]) -> None:
    """Refuse to overwrite input files. Call it before any work begins.

    Args:
        outputs: files that will be written or removed.
        inputs: inputs as the user named them; those that are not files, such as built-in motions, are ignored.

    Raises:
        BadInput: an output is the same file as an input, also through links.
    """
    input_files = [Path(path) for path in inputs if path is not None and os.path.isfile(path)]
    for output in outputs:
        for path in input_files:
            if os.path.exists(output) and os.path.samefile(output, path):
                raise BadInput(
                    f"{path} would be overwritten: the results include {output}, the same file.\n"
                    "Choose another --out: another folder or another name."
                )


@contextmanager
def translate_write_errors(path: Path) -> Iterator[None]:
    """Turn OSErrors about `path` or its folders into OutputErrors; those about other files pass unchanged.

    Args:
        path: the file that is being written.

    Raises:
        OutputError: writing `path` failed for one of the reasons in `WRITE_ERRORS`.
        OSError: as it came, about another file or for another reason.
    """
    try:
        yield
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        concerns_path = named is None or named in (path, *path.parents) or named.parent in (path, path.parent)
        if error.errno not in WRITE_ERRORS or not concerns_path:
            raise
        raise OutputError(explain_write_error(error, path)) from error


def prepare_output_folder(path: Path) -> Path:
    """Create a folder, with its parents, and check by writing that files can be made in it.

    Args:
        path: the folder; it may exist already.

    Returns:
        The same path.

    Raises:
        OutputError: it is a file, lies below a file, cannot be created, or cannot be written to.
    """
    if os.path.isfile(path):
        raise OutputError(
            f"cannot write into {path}: this is a file, not a folder.\nTo fix this: choose another folder."
        )
    with translate_write_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f"{PARTIAL_PREFIX}{secrets.token_hex(6)}"
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)
    return path


def sync(path: Path) -> None:
    """Wait until the content of a file, or the list of files in a folder, is on disk and survives a power cut.

    Raises:
        OSError: the disk is full or failed. Folders that cannot be synced are passed over.
    """
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder or error.errno not in NO_SYNC:
            raise


@contextmanager
def atomic_output(path: Path, durable: bool = True) -> Iterator[Path]:
    """Write a file whole or not at all: readers see the old file or the complete new one.

    The temporary file is renamed to `path` on success and removed on failure; interrupts (Ctrl-C) count as failure.

    Args:
        path: the file to write; its folder is created if need be.
        durable: whether the file also survives a power cut. Syncing takes about 10 ms, too long for each of many small
            files. Without it a power cut can leave an empty or damaged file: a later run has to check it.

    Yields:
        A path beside `path`, with its suffix, that does not exist yet: write there.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    if os.path.isdir(path):
        raise OutputError(explain_write_error(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), path))
    prepare_output_folder(path.parent)
    partial = path.parent / f"{PARTIAL_PREFIX}{secrets.token_hex(6)}{path.suffix}"
    try:
        with translate_write_errors(path):
            yield partial
            if durable:
                sync(partial)
            partial.replace(path)
            if durable:
                sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_output(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any] | list[Any]) -> None:
    """Write indented JSON, whole or not at all; lists without nested lists or objects stay on one line.

    Raises:
        OutputError: the file cannot be written.
        ValueError: the content holds NaN or infinity, which JSON cannot express.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # Strings are safe: JSON escapes their line breaks.
    text = re.sub(
        r"\[\n[^\[\]{}\"]*\]", lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text
    )
    write_text(path, text + "\n")
