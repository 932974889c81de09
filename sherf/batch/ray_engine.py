"""Workers on all machines of a Ray cluster, which share the file system of the output folder."""

import os
import signal
import threading

from sherf.batch.engine import JobUpdate
from sherf.batch.job import Job
from sherf.batch.job_runner import Result, run_job
from sherf.errors import MissingAsset

JOBS_PER_SLOT = 2
"""Jobs submitted for each GPU or core: one runs, one is already queued where it will run."""


def _run_to_end(job: Job, chunk: int | None) -> list[Result]:
    return list(run_job(job, chunk))


class RayEngine:
    """Runs jobs as tasks of a Ray cluster (`sherf.batch.engine.Engine`). Ray does not retry: the caller does."""

    def __init__(self, use_gpus: bool):
        """Connect to the cluster at $RAY_ADDRESS, or start one on this machine.

        Args:
            use_gpus: give each task one GPU instead of one core.

        Raises:
            MissingAsset: Ray is not installed.
        """
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ModuleNotFoundError as error:
            raise MissingAsset(f"--engine ray needs {error.name}: pip install 'sherf[ray]'") from error
        handler = signal.getsignal(signal.SIGTERM)
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray replaces it
        self._resource = "GPU" if use_gpus else "CPU"
        task = ray.remote(max_retries=0, num_gpus=1) if use_gpus else ray.remote(max_retries=0, num_cpus=1)
        self._task = task(_run_to_end)
        self._running: dict[ray.ObjectRef, Job] = {}

    def has_capacity(self) -> bool:
        """Whether the queue is short enough for the cluster's present size."""
        import ray

        return len(self._running) < JOBS_PER_SLOT * max(1, int(ray.cluster_resources().get(self._resource, 0)))

    def submit(self, job: Job, chunk: int | None) -> None:
        """Queue a job.

        Args:
            job: what to make.
            chunk: points computed at once; None: the job's own setting.
        """
        self._running[self._task.remote(job, chunk)] = job

    def wait(self) -> JobUpdate:
        """Block until a job ends or is lost."""
        import ray
        from ray.exceptions import NodeDiedError, RayError

        (ready,), _ = ray.wait(list(self._running), num_returns=1)
        job = self._running.pop(ready)
        try:
            return JobUpdate(job, tuple(ray.get(ready)), is_finished=True)
        except RayError as error:
            first_line = str(error).strip().splitlines()[0][:300]
            is_machine_lost = isinstance(error, NodeDiedError)
            return JobUpdate(job, is_finished=True, crash=first_line, is_machine_lost=is_machine_lost)

    def close(self) -> None:
        """Cancel all jobs and disconnect."""
        import ray

        for task in self._running:
            ray.cancel(task, force=True)
        self._running.clear()
        ray.shutdown()
