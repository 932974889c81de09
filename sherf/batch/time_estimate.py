"""How long a batch will take, from what items took before."""

from collections import defaultdict
from collections.abc import Iterable

from sherf.batch.ledger import Done, Ledger
from sherf.batch.plan import AVATAR, MESHES, Item, Job

USUAL = {"avatar": 11.0, "video": 5.0, "mesh": 40.0, "motion": 1.0}
"""Seconds on one core: an avatar, a video's million pixels, a photo's mesh, a motion (benchmarks/README.md)."""


def kind_of(item: Item) -> str:
    """What an item costs as."""
    if item.output in (AVATAR, "video"):
        return item.output
    return "mesh" if item.output in MESHES else "motion"


def measured(pairs: Iterable[tuple[Item, Done]]) -> dict[str, float]:
    """Seconds for each kind, a video's for a million pixels."""
    spent: dict[str, float] = defaultdict(float)
    amount: dict[str, float] = defaultdict(float)
    for item, done in pairs:
        spent[kind_of(item)] += done.seconds
        amount[kind_of(item)] += _amount(item, done.size)
    return {kind: spent[kind] / amount[kind] for kind in spent if amount[kind] > 0}


def seconds_left(jobs: list[Job], ledger: Ledger) -> tuple[float, bool]:
    """Seconds of one worker for all that is waiting, and whether its kinds were all measured here."""
    pairs = [(job, item) for job in jobs for item in job.items]
    done = [(item, entry.done) for _, item in pairs if (entry := ledger[item]).done is not None]
    here = measured((item, record) for item, record in done if record is not None)
    waiting = [(job, item) for job, item in pairs if ledger[item].status == "waiting"]
    rates = USUAL | here
    total = sum(rates[kind_of(item)] * _amount(item, job.settings.render.size) for job, item in waiting)
    return total, all(kind_of(item) in here for _, item in waiting)


def _amount(item: Item, size: int) -> float:
    return item.frames * size * size / 1e6 if item.output == "video" else 1.0
