"""Run all waiting jobs on an engine, record the results, and retry what crashed."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from sherf.batch.engine import Engine, JobUpdate
from sherf.batch.job import AVATAR, Item, Job
from sherf.batch.job_runner import Result
from sherf.batch.ledger import Ledger, read_done_file
from sherf.errors import OutputError
from sherf.progress import print_status

RETRY_CHUNK = 4096
"""Points computed at once when an item is retried: the crash may have been a lack of memory."""


def run_jobs(queue: deque[Job], ledger: Ledger, engine: Engine, max_attempts: int) -> Iterator[Item]:
    """Run jobs until every item is done or failed.

    Args:
        queue: jobs with waiting items; emptied.
        ledger: receives every result.
        engine: runs the jobs.
        max_attempts: how often an item may crash before it fails.

    Yields:
        Each item once it is done or failed.

    Raises:
        OutputError: an output or the ledger cannot be written; running jobs are not waited for.
    """
    num_running = 0
    while queue or num_running:
        while queue and engine.has_capacity():
            job = queue.popleft()
            items = waiting_items(job, ledger)
            has_crashed = any(ledger[item].attempts for item in items)
            engine.submit(replace(job, items=tuple(items)), RETRY_CHUNK if has_crashed else None)
            num_running += 1
        update = engine.wait()
        job = update.job
        for result in update.results:
            yield from _record_result(job, result, ledger, max_attempts)
        if not update.is_finished:
            continue
        num_running -= 1
        if update.crash:
            print_status(f"{job.name}: {update.crash}")
            yield from _record_crash(update, ledger, max_attempts)
        if waiting_items(job, ledger):
            queue.append(job)


def waiting_items(job: Job, ledger: Ledger) -> list[Item]:
    """Return the job's items that are neither done nor failed."""
    return [item for item in job.items if ledger[item].status == "waiting"]


def _record_result(job: Job, result: Result, ledger: Ledger, max_attempts: int) -> list[Item]:
    """Return the items that are done or failed after recording a result.

    Raises:
        OutputError: an output or the ledger cannot be written.
    """
    item = next(item for item in job.items if item.label == result.label)
    if result.outcome == "stop":
        raise OutputError(f"{result.reason}\nThe batch stopped; nothing is lost. Run the same command again to resume.")
    if result.done is not None:
        ledger.mark_done(job, item, result.done)
        return [item]
    if result.outcome == "crashed" and ledger.record_crash(job, item, result.reason) < max_attempts:
        return []
    return _record_failure(job, item, result.reason, ledger)


def _record_crash(update: JobUpdate, ledger: Ledger, max_attempts: int) -> list[Item]:
    """Return the items that are done or failed after recording a worker's death.

    Finished items count; the item that was running waits for a retry or fails.
    """
    job = update.job
    found = [(item, done) for item in waiting_items(job, ledger) if (done := read_done_file(job.folder, item))]
    for item, done in found:
        ledger.mark_done(job, item, done)
    ended = [item for item, _ in found]
    waiting = waiting_items(job, ledger)
    if waiting and not update.is_machine_lost and ledger.record_crash(job, waiting[0], update.crash) >= max_attempts:
        ended += _record_failure(job, waiting[0], f"{update.crash}, {max_attempts} times", ledger)
    return ended


def _record_failure(job: Job, item: Item, reason: str, ledger: Ledger) -> list[Item]:
    """Return the items that fail with this one: all others of the job if it is the avatar."""
    ledger.mark_failed(job, item, reason)
    others = waiting_items(job, ledger) if item.output == AVATAR else []
    for other in others:
        ledger.mark_failed(job, other, "no avatar")
    return [item, *others]
