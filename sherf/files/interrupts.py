"""Keep Ctrl-C away from child processes.

A terminal sends SIGINT to every process of its group. Only the parent may react to it, and end its children in order.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def block_interrupts_in_children() -> Iterator[None]:
    """Start child processes within this context so that they never receive SIGINT, not even while they start.

    The calling process receives an interrupt that arrives meanwhile when the context ends.
    """
    # The first spawned process would start it otherwise, and that start unblocks signals again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
