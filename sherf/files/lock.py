"""A lock on an output folder: one program at a time. The operating system releases it however the program ends."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

from sherf.errors import OutputError
from sherf.files.output import explain_write_error, prepare_output_folder

LOCK = ".lock"


@contextmanager
def lock_folder(folder: Path, name: str = LOCK, shared: bool = False) -> Iterator[None]:
    """Hold a lock on a folder, created if need be, for as long as the context lasts. Does not wait for the lock.

    Args:
        folder: the folder to lock.
        name: of the lock file in it; the file stays there. Locks of different names are independent.
        shared: whether other holders of a shared lock are allowed at the same time.

    Raises:
        OutputError: another program holds the lock, or the folder cannot be written to.
    """
    path = prepare_output_folder(folder) / name
    try:
        file = path.open("a+")
    except OSError as error:
        raise OutputError(explain_write_error(error, path)) from error
    with file:
        kind = portalocker.LOCK_SH if shared else portalocker.LOCK_EX
        try:
            portalocker.lock(file, kind | portalocker.LOCK_NB)
        except portalocker.LockException as error:
            file.seek(0)
            holder = file.read(200).strip()
            raise OutputError(
                f"another `sherf` is using {folder}{f' ({holder})' if holder else ''}.\n"
                "Wait until it ends, or choose another --out."
            ) from error
        if not shared:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield
