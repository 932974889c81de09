"""Exit codes: 0 success, 1 user-fixable error, 2 bug, 130 interrupted, 141 standard output closed, 143 terminated."""

import os
import re
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from sherf.errors import MissingAsset, OutputError, SherfError
from sherf.files.interrupts import TERMINATED, exit_on_termination
from sherf.files.output import is_disk_full

USER_ERROR, BUG, INTERRUPTED, CLOSED = 1, 2, 130, 141


@contextmanager
def exits() -> Iterator[None]:
    """Turn what the body raises into an exit code, with a message instead of a traceback for user-fixable errors.

    Yields:
        Nothing.

    Raises:
        SystemExit: always, unless the body succeeds.
    """
    try:
        with exit_on_termination():
            yield
        sys.stdout.flush()
    except SystemExit as stop:
        if stop.code == TERMINATED:
            print("\nterminated; run the same command again to continue", file=sys.stderr)
        # The parser exits with 2 for a wrong argument; here that is a user error, and 2 is a bug.
        raise SystemExit(USER_ERROR if stop.code == 2 else stop.code) from None
    except SherfError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again to continue", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            raise SystemExit(CLOSED) from None
        known = _as_missing_library(error) or _as_disk_error(error)
        if known is None:
            traceback.print_exception(error)
            print("\nThis is a bug in sherf: please report it with the text above.", file=sys.stderr)
            raise SystemExit(BUG) from None
        _fail(str(known))


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(USER_ERROR)


def _is_output_closed() -> bool:
    """Return whether standard output was closed, as by `| head`; if so, discard what is still printed."""
    watch = select.poll()
    watch.register(sys.stdout.fileno(), 0)
    if not any(events & select.POLLERR for _, events in watch.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _as_missing_library(error: Exception) -> MissingAsset | None:
    """Return the error for a shared library that the dynamic linker did not find, with the command to install it."""
    if not isinstance(error, ImportError | OSError) or not re.search(r"lib[\w.+-]+\.so", str(error)):
        return None
    from sherf.cli.doctor import library_remedy, missing_libraries

    missing = missing_libraries()
    if not missing:
        return None
    return MissingAsset(f"a system library is missing ({error}).\nInstall it: {library_remedy(missing)}")


def _as_disk_error(error: Exception) -> OutputError | None:
    """Return the error for a full disk."""
    if is_disk_full(error):
        return OutputError(f"the disk is full ({error}). Free some space and run the same command again.")
    return None
