"""Workers on this machine: processes, each on its own cores or card; one that dies takes nothing else along.

This module is what a new process imports first: it sets cores and card before torch is loaded.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from sherf.files.interrupts import interrupts_kept_from_children

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from sherf.batch.engine import Reply
    from sherf.batch.plan import Job

MOST_WORKERS = 8
"""Unless more are asked for: each needs about 2 GB."""


@dataclass
class _Worker:
    number: int
    process: "BaseProcess"
    pipe: Connection
    job: "Job | None" = None


@dataclass
class LocalEngine:
    """Processes of this machine (`sherf.batch.engine.Engine`)."""

    workers: int
    logs: Path
    """Folder of what they print."""
    cards: int = 0
    """CUDA devices to share; 0: the cores are shared."""
    _running: list[_Worker] = field(default_factory=list)
    _heard: "deque[Reply]" = field(default_factory=deque)

    def ready(self) -> bool:
        """See `Engine`."""
        return len(self._running) < self.workers or any(worker.job is None for worker in self._running)

    def submit(self, job: "Job", chunk: int | None) -> None:
        """See `Engine`."""
        worker = next((worker for worker in self._running if worker.job is None), None) or self._started()
        worker.job = job
        with suppress(OSError):  # it was ended while it had nothing to do: `reply` finds that out
            worker.pipe.send((job, chunk))

    def reply(self) -> "Reply":
        """See `Engine`."""
        from sherf.batch.engine import Reply

        while not self._heard:
            busy = {worker.pipe: worker for worker in self._running if worker.job is not None}
            for pipe in wait(list(busy)):
                worker = busy[pipe]
                assert worker.job is not None
                try:
                    result = worker.pipe.recv()
                except (EOFError, OSError):
                    self._heard.append(Reply(worker.job, ended=True, crash=self._buried(worker)))
                    continue
                if result is None:
                    self._heard.append(Reply(worker.job, ended=True))
                    worker.job = None
                else:
                    self._heard.append(Reply(worker.job, (result,)))
        return self._heard.popleft()

    def close(self) -> None:
        """See `Engine`."""
        for worker in self._running:
            worker.pipe.close()  # the idle ones leave by themselves
            if worker.job is not None:
                worker.process.kill()
        for worker in self._running:
            worker.process.join()
        self._running.clear()

    def _started(self) -> _Worker:
        """A worker on the first free share of the cores."""
        number = min(set(range(self.workers)) - {worker.number for worker in self._running})
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.logs.mkdir(parents=True, exist_ok=True)
        share = (number, self.workers, self.cards)
        process = context.Process(target=_work, args=(theirs, self.logs / f"worker-{number + 1}.log", share))
        with interrupts_kept_from_children():
            process.start()
            worker = _Worker(number, process, ours)
            self._running.append(worker)
        theirs.close()
        return worker

    def _buried(self, worker: _Worker) -> str:
        worker.process.join(5)
        self._running.remove(worker)
        code = worker.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            why = " (out of memory?)" if -code == signal.SIGKILL else ""
            return f"its worker was ended by {name}{why}"
        return f"its worker ended with code {code}"


def _work(pipe: Connection, log: Path, share: tuple[int, int, int]) -> None:
    """The life of a worker: jobs in, results out, None after each job's last."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    threads = _take_share(*share)
    import torch

    from sherf.batch.work import perform

    torch.set_num_threads(threads)
    while True:
        try:
            job, chunk = pipe.recv()
        except EOFError:
            return
        for result in perform(job, chunk):
            pipe.send(result)
        pipe.send(None)


def _take_share(number: int, workers: int, cards: int) -> int:
    """Keep to this worker's card or cores; returns the number of threads."""
    if cards:
        given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        os.environ["CUDA_VISIBLE_DEVICES"] = given[number % len(given)] if given else str(number % cards)
    cores = available_cores()
    own = cores[number % len(cores) :: workers]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, own)
    os.environ["OMP_NUM_THREADS"] = str(len(own))
    return len(own)


def available_cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
