"""Signals that end the program: the parent ends its children in order, and closes what is open.

A terminal sends SIGINT to every process of its group, and a cluster's scheduler SIGTERM. Only the parent may react.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

TERMINATED = 143
"""Exit code of a program that SIGTERM ended: 128 and the signal's number, as shells report it."""


@contextmanager
def block_interrupts_in_children(termination: bool = False) -> Iterator[None]:
    """Start child processes within this context so that they never receive SIGINT, not even while they start.

    The calling process receives an interrupt that arrives meanwhile when the context ends.

    Args:
        termination: the same for SIGTERM; end such children with `kill`.
    """
    # The first spawned process would start it otherwise, and that start unblocks signals again.
    resource_tracker.ensure_running()
    blocked = {signal.SIGINT, signal.SIGTERM} if termination else {signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def exit_on_termination() -> Iterator[None]:
    """Raise SystemExit with `TERMINATED` on SIGTERM within this context, once; further ones are ignored meanwhile.

    Does nothing outside of the main thread, or where SIGTERM is handled or ignored already.

    Yields:
        Nothing.

    Raises:
        SystemExit: SIGTERM arrived.
    """
    is_main_thread = threading.current_thread() is threading.main_thread()
    if not is_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit_once(*_: object) -> None:
    """Ignore further signals, which would interrupt the closing, and exit.

    Raises:
        SystemExit: always.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(TERMINATED)
