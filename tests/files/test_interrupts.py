"""Child processes do not receive Ctrl-C."""

import multiprocessing
import os
import signal
import time

import pytest

from sherf.files.interrupts import block_interrupts_in_children


@pytest.mark.parametrize("delay_s", [0, 0.02, 0.1, 0.3])
def test_a_child_survives_an_interrupt_at_any_time_of_its_start(delay_s: float) -> None:
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.5,))
    with block_interrupts_in_children():
        child.start()
    time.sleep(delay_s)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join(60)
    assert child.exitcode == 0


def test_an_interrupt_meanwhile_is_not_lost() -> None:
    """It arrives at once if another thread can receive it, else when the context ends."""
    with pytest.raises(KeyboardInterrupt):
        with block_interrupts_in_children():
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
