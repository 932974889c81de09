"""Writing results: whole files or none, and errors that say what is wrong with the place they should go to."""

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
"""Files that begin with this are unfinished. The rest of the name is short, whatever the final name's length."""

ADVICE = {
    errno.ENOSPC: ("the disk is full", "free some space or choose a folder on another disk"),
    errno.EDQUOT: ("your disk quota is used up", "free some space or choose a folder on another disk"),
    errno.EFBIG: (
        "the file grew beyond the allowed size",
        "raise the limit (ulimit -f) or write elsewhere",
    ),
    errno.EACCES: ("permission denied", "choose a folder that you may write to"),
    errno.EPERM: ("the operation is not permitted", "choose a folder that you may write to"),
    errno.EROFS: ("the disk is read-only", "choose a folder on a disk that can be written to"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("a folder of that name is in the way", "choose another name or move the folder"),
    errno.EEXIST: ("a file of that name is in the way", "choose another name or move the file"),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "choose a shorter name"),
    errno.EINVAL: ("the name holds characters that this disk cannot store", "choose a plainer name"),
    errno.EIO: ("the disk reported an input/output error", "check the disk or write to another one"),
}
"""What each operating system error means to the person who asked for the file, and what mends it."""


def is_disk_full(error: Exception) -> bool:
    """Whether there is no space left, on the disk or for this user."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def explain(error: OSError, path: Path) -> OutputError:
    """Say in words why `path` could not be written."""
    what, remedy = ADVICE.get(error.errno or 0, (error.strerror or str(error), "choose another place"))
    return OutputError(f"cannot write {path}: {what}.\nTo mend it: {remedy}.")


def keep_inputs(outputs: Iterable[Path], inputs: Iterable[str | Path | None]) -> None:
    """Refuse to write over what is read. Call it before any work begins.

    Args:
        outputs: what will be written or removed.
        inputs: what the user gave; those that name no file, such as built-in motions, are passed over.

    Raises:
        BadInput: an output is one of the inputs, under whatever name.
    """
    given = [Path(path) for path in inputs if path is not None and os.path.isfile(path)]
    for output in outputs:
        for path in given:
            if os.path.exists(output) and os.path.samefile(output, path):
                raise BadInput(
                    f"{path} would be written over: the results include {output}, the same file.\n"
                    "Choose another --out: another folder or another name."
                )


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn the OSErrors of writing `path` into OutputErrors; those of reading other files pass unchanged."""
    try:
        yield
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        concerns_path = named is None or named in (path, *path.parents) or named.parent in (path, path.parent)
        if error.errno not in ADVICE or not concerns_path:
            raise
        raise explain(error, path) from error


def prepare_output_folder(path: Path) -> Path:
    """Create the folder and check, by writing, that files can be made in it.

    Raises:
        OutputError: it is a file, lies below a file, cannot be created, or cannot be written to.
    """
    if os.path.isfile(path):
        raise OutputError(
            f"cannot write into {path}: a folder is needed, and this is a file.\nTo mend it: choose another folder."
        )
    with translated_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f"{PARTIAL_PREFIX}{secrets.token_hex(6)}"
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)
    return path


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with its suffix; rename it to `path` on success, remove it on failure.

    A reader sees the old file or the whole new one. Interrupts (Ctrl-C) count as failure.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    if os.path.isdir(path):
        raise explain(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), path)
    prepare_output_folder(path.parent)
    partial = path.parent / f"{PARTIAL_PREFIX}{secrets.token_hex(6)}{path.suffix}"
    try:
        with translated_errors(path):
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_output(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any] | list[Any]) -> None:
    """Write JSON that people can read too: lists of numbers on one line. NaN and infinity are bugs of the caller: JSON
    has no word for them."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # no string is touched: none holds a line break
    text = re.sub(
        r"\[\n[^\[\]{}\"]*\]", lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text
    )
    write_text(path, text + "\n")
