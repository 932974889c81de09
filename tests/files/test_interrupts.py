"""Processes that never see Ctrl-C."""

import multiprocessing
import os
import signal
import time

import pytest

from sherf.files.interrupts import interrupts_kept_from_children


@pytest.mark.parametrize("moment_s", [0, 0.02, 0.1, 0.3])
def test_a_child_survives_an_interrupt_at_any_moment_of_its_start(moment_s: float) -> None:
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.5,))
    with interrupts_kept_from_children():
        child.start()
    time.sleep(moment_s)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join(60)
    assert child.exitcode == 0


def test_an_interrupt_meanwhile_is_not_lost() -> None:
    """It comes at once where another thread can take it, else afterwards."""
    with pytest.raises(KeyboardInterrupt):
        with interrupts_kept_from_children():
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
