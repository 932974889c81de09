"""What all engines, which run jobs on workers, have in common."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sherf.batch.job import Job
from sherf.batch.job_runner import Result


@dataclass(frozen=True)
class JobUpdate:
    """News about a running job."""

    job: Job
    """As it was submitted."""
    results: tuple[Result, ...] = ()
    """Items that ended since the last update."""
    is_finished: bool = False
    """Whether this is the job's last update."""
    crash: str = ""
    """Why the worker died during the job; empty if it did not."""
    is_machine_lost: bool = False
    """Whether the whole machine went away: the crash does not count as an attempt of the job."""


@runtime_checkable
class Engine(Protocol):
    """Runs several jobs at once. Retries are the caller's task."""

    def has_capacity(self) -> bool:
        """Whether another job can be submitted."""
        ...

    def submit(self, job: Job, chunk: int | None) -> None:
        """Start a job.

        Args:
            job: what to make.
            chunk: points computed at once, to save memory; None: the job's own setting.
        """
        ...

    def wait(self) -> JobUpdate:
        """Block until something happens to a submitted job, and return it."""
        ...

    def close(self) -> None:
        """Stop all workers at once."""
        ...
