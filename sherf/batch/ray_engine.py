"""Workers on all machines of a Ray cluster. Outputs go to a folder that all of them see."""

import os

import ray
from ray.exceptions import NodeDiedError, RayError

from sherf.batch.engine import Reply
from sherf.batch.plan import Job
from sherf.batch.work import Result, perform

AHEAD = 2
"""Jobs given for each core or card: one runs, one waits where it will run."""


def _all_results(job: Job, chunk: int | None) -> list[Result]:
    return list(perform(job, chunk))


class RayEngine:
    """A Ray cluster (`sherf.batch.engine.Engine`): $RAY_ADDRESS, or one of this machine alone.

    Retries are the caller's: a lost task ends with `Reply.crash`.
    """

    def __init__(self, on_cards: bool):
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
        self._resource = "GPU" if on_cards else "CPU"
        share = {"num_gpus": 1} if on_cards else {"num_cpus": 1}
        self._task = ray.remote(max_retries=0, **share)(_all_results)
        self._running: dict[ray.ObjectRef, Job] = {}

    def ready(self) -> bool:
        """See `Engine`."""
        return len(self._running) < AHEAD * max(1, int(ray.cluster_resources().get(self._resource, 0)))

    def submit(self, job: Job, chunk: int | None) -> None:
        """See `Engine`."""
        self._running[self._task.remote(job, chunk)] = job

    def reply(self) -> Reply:
        """See `Engine`."""
        (ready,), _ = ray.wait(list(self._running), num_returns=1)
        job = self._running.pop(ready)
        try:
            return Reply(job, tuple(ray.get(ready)), ended=True)
        except RayError as error:
            first_line = str(error).strip().splitlines()[0][:300]
            return Reply(job, ended=True, crash=first_line, blameless=isinstance(error, NodeDiedError))

    def close(self) -> None:
        """See `Engine`."""
        for task in self._running:
            ray.cancel(task, force=True)
        self._running.clear()
        ray.shutdown()
