"""Progress of long work on standard error: a bar on a terminal, an occasional line elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
QUIET_SECONDS = 10.0  # between lines where there is no terminal
ProgressCallback = Callable[[str, int, int | None], None]
"""Called before each item with the description, the number of items done, and their total, None if it is not known.

It may raise an exception to stop the work."""
_callback: ContextVar[ProgressCallback | None] = ContextVar("progress callback", default=None)


def ignore_progress(description: str, done: int, total: int | None) -> None:
    """Do nothing: the progress callback for callers that do not show progress."""


@contextmanager
def report_progress_to(callback: ProgressCallback | None) -> Iterator[None]:
    """Call `callback` for every item of `progress` in this thread within the context, besides the usual display.

    Args:
        callback: None keeps the callback of the surrounding context, if there is one.

    Yields:
        Nothing.
    """
    token = _callback.set(callback or _callback.get())
    try:
        yield
    finally:
        _callback.reset(token)


def print_status(line: str) -> None:
    """Print one line on standard error, above a progress bar if there is one."""
    tqdm.write(line, file=sys.stderr)


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield the items while showing how many are done and how long the rest will take.

    Args:
        items: what to iterate over.
        description: what is being done, in a word or two.
        total: number of items, also an estimate; by default `len(items)` where there is one, else unknown.

    Yields:
        The items.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    callback = _callback.get()
    if callback is not None:
        items = _report(items, description, total, callback)
    if sys.stderr.isatty():
        # Terminals that do not know their size (0 x 0) would get no bar: shutil then assumes 80 x 24.
        columns, rows = shutil.get_terminal_size()
        yield from tqdm(items, desc=description, total=total, unit="", file=sys.stderr, ncols=columns, nrows=rows)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last > QUIET_SECONDS and (total is None or done < total):
            last = now
            left = "" if total is None else f" of {total}, {time_left(now - start, done, total)}"
            print_status(f"{description}: {done}{left}")


def time_left(elapsed: float, done: int, total: int) -> str:
    """Return the remaining time in words, estimated from the seconds that `done` > 0 of `total` items took."""
    return f"about {elapsed / done * (total - done):.0f} s left"


def _report(items: Iterable[T], description: str, total: int | None, callback: ProgressCallback) -> Iterator[T]:
    """Yield the items, calling `callback` before each."""
    for done, item in enumerate(items):
        callback(description, done, total)
        yield item
