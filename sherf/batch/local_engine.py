"""Workers on this machine: processes, each on its own GPU or cores.

This pool is written by hand because the death of a worker is normal here: the kernel kills workers that need too much
memory. `concurrent.futures` and loky then declare the whole pool broken and fail every pending job without saying which
one was running; here exactly the running job is blamed and all others continue. Each worker is also pinned to its GPU
and cores before torch is loaded, and ends with the parent, however the parent ends.
"""

import multiprocessing
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from sherf.batch.engine import JobUpdate
from sherf.batch.job import Job
from sherf.batch.job_runner import run_job
from sherf.batch.worker_process import run_worker
from sherf.files.interrupts import block_interrupts_in_children

DEFAULT_MAX_WORKERS = 8
"""Unless more are requested: each needs about 2 GB of memory."""
EXIT_TIMEOUT_S = 5.0


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    """The running one; None: the worker is idle."""


@dataclass
class LocalEngine:
    """Runs jobs in processes of this machine (`sherf.batch.engine.Engine`)."""

    num_workers: int
    logs: Path
    """Folder for the workers' standard error, worker-N.log."""
    num_gpus: int = 0
    """CUDA devices to share; 0: only the cores are shared."""
    _workers: list[_Worker] = field(default_factory=list)
    _updates: deque[JobUpdate] = field(default_factory=deque)

    def has_capacity(self) -> bool:
        """Whether a worker is idle or can be started."""
        return len(self._workers) < self.num_workers or any(worker.job is None for worker in self._workers)

    def submit(self, job: Job, chunk: int | None) -> None:
        """Send a job to an idle worker, or to a new one.

        Args:
            job: what to make.
            chunk: points computed at once; None: the job's own setting.
        """
        worker = next((worker for worker in self._workers if worker.job is None), None) or self._start_worker()
        worker.job = job
        with suppress(OSError):  # it died while idle: `wait` notices
            worker.pipe.send((job, chunk))

    def wait(self) -> JobUpdate:
        """Block until a worker sends a result, ends a job, or dies."""
        while not self._updates:
            busy = [worker for worker in self._workers if worker.job is not None]
            ready = wait([worker.pipe for worker in busy])
            for worker in busy:
                if worker.pipe in ready:
                    self._updates.append(self._receive(worker))
        return self._updates.popleft()

    def _receive(self, worker: _Worker) -> JobUpdate:
        job = worker.job
        assert job is not None
        try:
            result = worker.pipe.recv()
        except (EOFError, OSError):
            return JobUpdate(job, is_finished=True, crash=self._remove(worker))
        if result is None:
            worker.job = None
            return JobUpdate(job, is_finished=True)
        return JobUpdate(job, (result,))

    def close(self) -> None:
        """Kill busy workers and let idle ones exit."""
        for worker in self._workers:
            worker.pipe.close()  # idle workers exit when their pipe closes
            if worker.job is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    def _start_worker(self) -> _Worker:
        """Start a worker on the first free share of the cores."""
        number = min(set(range(self.num_workers)) - {worker.number for worker in self._workers})
        context = multiprocessing.get_context("spawn")
        parent_end, child_end = context.Pipe()
        self.logs.mkdir(parents=True, exist_ok=True)
        share = (number, self.num_workers, self.num_gpus)
        process = context.Process(target=run_worker, args=(child_end, self.logs / f"worker-{number + 1}.log", share))
        with block_interrupts_in_children(termination=True):
            process.start()
            worker = _Worker(number, process, parent_end)
            self._workers.append(worker)
        child_end.close()
        with suppress(OSError):  # of a worker that is dead already: waiting for it finds that out
            parent_end.send(run_job)
        return worker

    def _remove(self, worker: _Worker) -> str:
        """Remove a dead worker and return the cause of its death."""
        worker.process.join(EXIT_TIMEOUT_S)
        self._workers.remove(worker)
        code = worker.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            cause = " (out of memory?)" if -code == signal.SIGKILL else ""
            return f"the worker was killed by {name}{cause}"
        return f"the worker exited with code {code}"
