"""One program at a time in a folder that it goes on with: a lock that ends with the program, however it ends."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

from sherf.errors import OutputError
from sherf.files.output import explain, prepare_output_folder

LOCK = ".lock"


@contextmanager
def alone_in(folder: Path, name: str = LOCK, shared: bool = False) -> Iterator[None]:
    """Keep other programs out of the folder, which is made if need be.

    Args:
        name: of the file that is locked; it stays.
        shared: others may come in that share it too.

    Raises:
        OutputError: another one works there, or the folder cannot be written.
    """
    path = prepare_output_folder(folder) / name
    try:
        file = path.open("a+")
    except OSError as error:
        raise explain(error, path) from error
    with file:
        how = portalocker.LOCK_SH if shared else portalocker.LOCK_EX
        try:
            portalocker.lock(file, how | portalocker.LOCK_NB)
        except portalocker.LockException as error:
            file.seek(0)
            holder = file.read(200).strip()
            raise OutputError(
                f"another `sherf` works in {folder}{f' ({holder})' if holder else ''}.\n"
                "Wait until it ends, or choose another --out."
            ) from error
        if not shared:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield
