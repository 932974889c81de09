"""Who does the jobs: what all engines have in common."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sherf.batch.plan import Job
from sherf.batch.work import Result


@dataclass(frozen=True)
class Reply:
    """Something happened to a job."""

    job: Job
    results: tuple[Result, ...] = ()
    ended: bool = False
    """Nothing more comes of this job."""
    crash: str = ""
    """Why it ended before its time: the worker is gone."""
    blameless: bool = False
    """A machine went away: the job had no part in it."""


@runtime_checkable
class Engine(Protocol):
    """Does jobs, several at once."""

    def ready(self) -> bool:
        """Whether another job may be given."""
        ...

    def submit(self, job: Job, chunk: int | None) -> None:
        """Give a job, with the points to compute at once if memory is short."""
        ...

    def reply(self) -> Reply:
        """Wait until something happens."""
        ...

    def close(self) -> None:
        """Stop everything at once."""
        ...
