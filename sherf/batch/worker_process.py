"""What a worker process of this machine executes.

A new process imports this module first, and it imports nothing heavy: GPU and cores must be chosen before torch is
loaded.
"""

import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from sherf.threads import available_cores


def run_worker(pipe: Connection, log: Path, share: tuple[int, int, int]) -> None:
    """Receive jobs and send their results until the pipe is closed.

    Args:
        pipe: receives the function that runs jobs (`run_job`), then (job, chunk) pairs; sends each `Result`, and None
            after the last one of a job.
        log: file that standard error is appended to.
        share: this worker's number, the number of workers and the number of GPUs, see `take_share`.
    """
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    num_threads = take_share(*share)
    # Only now: torch reads CUDA_VISIBLE_DEVICES and OMP_NUM_THREADS when it is loaded, here or with the function.
    import torch

    torch.set_num_threads(num_threads)
    try:
        run_job = pipe.recv()
    except EOFError:
        return
    while True:
        try:
            job, chunk = pipe.recv()
        except EOFError:
            return
        for result in run_job(job, chunk):
            pipe.send(result)
        pipe.send(None)


def take_share(number: int, num_workers: int, num_gpus: int) -> int:
    """Restrict this process to its GPU and its share of the cores, before torch is loaded.

    Args:
        number: of this worker, from 0.
        num_workers: how many share the machine.
        num_gpus: CUDA devices to share; 0: none is chosen.

    Returns:
        The number of cores, one thread each.
    """
    if num_gpus:
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number % len(visible)] if visible else str(number % num_gpus)
    cores = available_cores()
    share = cores[number % len(cores) :: num_workers]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, share)
    os.environ["OMP_NUM_THREADS"] = str(len(share))
    return len(share)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
