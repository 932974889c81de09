"""Estimate how long a batch will take from the time that finished items took."""

from collections import defaultdict
from collections.abc import Iterable

from sherf.batch.job import AVATAR, MESH_OUTPUTS, Item, Job
from sherf.batch.ledger import Done, Ledger

DEFAULT_RATES = {"avatar": 11.0, "video": 5.0, "mesh": 40.0, "motion": 1.0}
"""Seconds on one core per avatar, million pixels of video, mesh and motion (benchmarks/README.md)."""


def estimate_seconds(jobs: list[Job], ledger: Ledger) -> tuple[float, bool]:
    """Estimate the time for all waiting items.

    Args:
        jobs: of the batch.
        ledger: their states.

    Returns:
        Seconds of one worker, and whether all rates were measured in this batch.
    """
    pairs = [(job, item) for job in jobs for item in job.items]
    finished = [(item, done) for _, item in pairs if (done := ledger[item].done) is not None]
    measured = _measured_rates(finished)
    waiting = [(job, item) for job, item in pairs if ledger[item].status == "waiting"]
    rates = DEFAULT_RATES | measured
    total = sum(rates[_kind(item)] * _amount(item, job.settings.render.size) for job, item in waiting)
    return total, all(_kind(item) in measured for _, item in waiting)


def _measured_rates(finished: Iterable[tuple[Item, Done]]) -> dict[str, float]:
    """Return seconds per item, or per million pixels of video, by kind."""
    seconds: dict[str, float] = defaultdict(float)
    amounts: dict[str, float] = defaultdict(float)
    for item, done in finished:
        seconds[_kind(item)] += done.seconds
        amounts[_kind(item)] += _amount(item, done.size)
    return {kind: seconds[kind] / amounts[kind] for kind in seconds if amounts[kind] > 0}


def _kind(item: Item) -> str:
    """Return the key of `DEFAULT_RATES` that an item's cost belongs to."""
    if item.output in (AVATAR, "video"):
        return item.output
    return "mesh" if item.output in MESH_OUTPUTS else "motion"


def _amount(item: Item, size: int) -> float:
    return item.frames * size * size / 1e6 if item.output == "video" else 1.0
