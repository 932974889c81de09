"""Child processes do not receive Ctrl-C."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from sherf.files.interrupts import TERMINATED, block_interrupts_in_children, exit_on_termination


@pytest.mark.parametrize("delay_s", [0, 0.02, 0.1, 0.3])
def test_a_child_survives_an_interrupt_at_any_time_of_its_start(delay_s: float) -> None:
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.5,))
    with block_interrupts_in_children():
        child.start()
    time.sleep(delay_s)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join()
    assert child.exitcode == 0


def test_a_child_survives_sigterm_where_its_parent_ends_it() -> None:
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.5,))
    with block_interrupts_in_children(termination=True):
        child.start()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGTERM)
    child.join()
    assert child.exitcode == 0


@pytest.fixture(autouse=True)
def sigterm_as_in_a_new_process() -> Iterator[None]:
    """Without the handler that Ray installs in the process of its tests."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_sigterm_closes_what_is_open_and_a_second_one_does_not_interrupt_that() -> None:
    closed = []
    with pytest.raises(SystemExit) as stop, exit_on_termination():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            closed.append("file")
    assert stop.value.code == TERMINATED == 128 + signal.SIGTERM and closed
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_program_and_other_threads_keep_sigterm() -> None:
    own = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with exit_on_termination():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, own)
    seen = []

    def enter() -> None:
        with exit_on_termination():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [own]


def test_an_interrupt_meanwhile_is_not_lost() -> None:
    """It arrives at once if another thread can receive it, else when the context ends."""
    with pytest.raises(KeyboardInterrupt):
        with block_interrupts_in_children():
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
