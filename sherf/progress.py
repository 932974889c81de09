"""What a person sees of long work: a bar on a terminal, now and then a line elsewhere. All on standard error."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
QUIET_SECONDS = 10.0  # between lines where there is no terminal
ProgressCallback = Callable[[str, int, int | None], None]
"""Is told what is being done, how many are done, and of how many, before each; may raise, to end it."""
_heard_by: ContextVar[ProgressCallback | None] = ContextVar("heard by", default=None)


def nobody(what: str, done: int, count: int | None) -> None:
    """ProgressCallback, and do nothing."""


@contextmanager
def report_progress_to(hear: ProgressCallback) -> Iterator[None]:
    """Tell somebody else than the terminal too, in this thread."""
    before = _heard_by.set(hear)
    try:
        yield
    finally:
        _heard_by.reset(before)


def print_status(line: str) -> None:
    """Print one line about what happens."""
    tqdm.write(line, file=sys.stderr)


def progress(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield the items, showing how many are done and how long the rest will take."""
    yield from counted(items, len(items), what)


def counted(items: Iterable[T], count: int | None, what: str) -> Iterator[T]:
    """Likewise of items whose number is not known, or only roughly."""
    hear = _heard_by.get()
    if hear is not None:
        items = _telling(items, count, what, hear)
    if sys.stderr.isatty():
        # Terminals that do not know their size (0 x 0) would get no bar: shutil then says 80 x 24.
        columns, rows = shutil.get_terminal_size()
        yield from tqdm(items, desc=what, total=count, unit="", file=sys.stderr, ncols=columns, nrows=rows)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last > QUIET_SECONDS and (count is None or done < count):
            last = now
            left = "" if count is None else f" of {count}, {time_left(now - start, done, count)}"
            print_status(f"{what}: {done}{left}")


def time_left(took: float, done: int, count: int) -> str:
    """In words, after so many seconds."""
    return f"about {took / done * (count - done):.0f} s left"


def _telling(items: Iterable[T], count: int | None, what: str, hear: ProgressCallback) -> Iterator[T]:
    for done, item in enumerate(items):
        hear(what, done, count)
        yield item
