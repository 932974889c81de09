"""Ctrl-C goes to every process of a terminal; only the first one shall take it, and end those that it started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def interrupts_kept_from_children() -> Iterator[None]:
    """Processes that are started within never see SIGINT, not even while they start; this one does."""
    resource_tracker.ensure_running()  # its start, else at the first process's, would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
