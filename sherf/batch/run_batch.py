"""What `sherf batch` does: plan, recover, work, sum up."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sherf.batch.engine import Engine, Reply
from sherf.batch.index_page import RESULTS, counted_states, write_summary
from sherf.batch.ledger import Ledger, find_done, ledger_path, locked, recover, take_in_shards
from sherf.batch.local_engine import MOST_WORKERS, LocalEngine, available_cores
from sherf.batch.manifest import Settings, Wish, read_wishes
from sherf.batch.options import BatchOptions
from sherf.batch.plan import AVATAR, Item, Job, plan, with_motion_files
from sherf.batch.time_estimate import seconds_left
from sherf.batch.work import Result
from sherf.errors import BadInput, MissingAsset, OutputError
from sherf.export.options import MeshOptions
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import counted, print_status
from sherf.render.devices import choose_backend, count_gpus
from sherf.render.options import RenderOptions

LITTLE_MEMORY = 4096
"""Points computed at once in a second attempt."""
LOGS = "logs"
MOST_SHOWN = 20
"""Failures that are printed."""


@dataclass(frozen=True)
class BatchReport:
    """How a batch stands."""

    counts: dict[str, int]
    failures: list[tuple[str, str, str]]
    """Photo, item, reason; of a photo without an avatar the avatar alone."""
    pages: list[Path]
    seconds_left: float = 0.0
    """Of a dry run."""
    measured: bool = True
    """Whether that is from what was measured in this folder."""

    @property
    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            **self.counts,
            "failures": [dict(zip(("photo", "item", "reason"), failure, strict=True)) for failure in self.failures],
            "pages": [str(path) for path in self.pages],
            "seconds_left": round(self.seconds_left, 1),
        }

    @property
    def as_text(self) -> str:
        """For people."""
        lines = [", ".join(f"{count} {state}" for state, count in self.counts.items())]
        lines += [f"failed: {photo}, {item}: {reason}" for photo, item, reason in self.failures[:MOST_SHOWN]]
        if len(self.failures) > MOST_SHOWN:
            lines.append(f"... and {len(self.failures) - MOST_SHOWN} more, see {RESULTS}")
        if self.seconds_left:
            basis = "what was measured here" if self.measured else "this program's usual rates"
            lines.append(f"about {timedelta(seconds=round(self.seconds_left))} of work, by {basis}")
        return "\n".join([*lines, *map(str, self.pages)])


def run_batch(
    source: Path,
    options: BatchOptions,
    photo: PhotoOptions = PhotoOptions(),
    render: RenderOptions = RenderOptions(),
    moving: MotionOptions = MotionOptions(),
    mesh: MeshOptions = MeshOptions(),
) -> BatchReport:
    """Make everything that is wanted of a folder's or a manifest's photos, as far as it is not there.

    Raises:
        BadInput: of the manifest or the options.
        OutputError: the folder cannot be written, or another batch works in it.
        MissingAsset: Ray was asked for and is not installed.
    """
    if not 1 <= options.attempts <= 100:
        raise BadInput(f"--attempts {options.attempts} is not possible: choose 1 to 100.")
    if options.workers is not None and not 1 <= options.workers <= 512:
        raise BadInput(f"--workers {options.workers} is not possible: choose 1 to 512.")
    settings = Settings(photo, render, moving, mesh)
    wanted = (options.motions, options.cameras, options.outputs, options.frames, options.keep_frames)
    wishes = read_wishes(source, Wish(source, "", "", *wanted, settings), options.out)
    if options.dry_run:
        return _dry(wishes, options)
    with locked(options.out, options.shard):
        jobs = plan(with_motion_files(wishes, options.out), options.out, options.shard)
        with closing(Ledger(ledger_path(options.out, options.shard))) as ledger:
            recover(ledger, jobs, options.retry_failed)
            if not options.shard and not options.retry_failed:
                take_in_shards(ledger, jobs)
            _work(jobs, ledger, options, render)
            pages = [] if options.shard else write_summary(jobs, ledger, options.out)
            failures = [(job.name, *failure) for job in jobs for failure in ledger.failures(job)]
            return BatchReport(counted_states(jobs, ledger), failures, pages)


def _dry(wishes: list[Wish], options: BatchOptions) -> BatchReport:
    jobs = plan(with_motion_files(wishes, options.out, make=False), options.out, options.shard)
    path = ledger_path(options.out, options.shard)
    with closing(Ledger(Path(":memory:"))) as ledger:
        if path.is_file():
            with closing(Ledger(path)) as kept:
                ledger.entries |= kept.entries
        recover(ledger, jobs, options.retry_failed)
        seconds, here = seconds_left(jobs, ledger)
        return BatchReport(counted_states(jobs, ledger), [], [], seconds / _workers(options, count_gpus()), here)


def _workers(options: BatchOptions, cards: int) -> int:
    return options.workers or cards or min(len(available_cores()), MOST_WORKERS)


def _work(jobs: list[Job], ledger: Ledger, options: BatchOptions, render: RenderOptions) -> None:
    """Have everything done that is waiting."""
    waiting = deque(job for job in jobs if _waiting(job, ledger))
    count = sum(len(_waiting(job, ledger)) for job in waiting)
    if not count:
        return
    made = sum(len(job.items) for job in jobs) - count
    if made:
        print_status(f"{made} of {made + count} items are there already")
    with redirect_stdout(sys.stderr), closing(_engine(options, render)) as engine:  # Ray talks there of its machines
        deque(counted(settled(waiting, ledger, engine, options.attempts), count, "items"), maxlen=0)


def settled(waiting: deque[Job], ledger: Ledger, engine: Engine, attempts: int) -> Iterator[Item]:
    """Yield each item that is done or given up."""
    running = 0
    while waiting or running:
        while waiting and engine.ready():
            job = waiting.popleft()
            left = _waiting(job, ledger)
            broken = any(ledger[item].attempts for item in left)
            engine.submit(replace(job, items=tuple(left)), LITTLE_MEMORY if broken else None)
            running += 1
        reply = engine.reply()
        job = reply.job
        for result in reply.results:
            yield from _noted(job, result, ledger, attempts)
        if not reply.ended:
            continue
        running -= 1
        if reply.crash:
            print_status(f"{job.name}: {reply.crash}")
            yield from _crashed(reply, ledger, attempts)
        if _waiting(job, ledger):
            waiting.append(job)


def _noted(job: Job, result: Result, ledger: Ledger, attempts: int) -> list[Item]:
    """Write a result down; returns the items that it settles."""
    item = next(item for item in job.items if item.label == result.label)
    if result.outcome == "stop":
        raise OutputError(f"{result.reason}\nThe batch stopped; nothing is lost: the same command goes on.")
    if result.done is not None:
        ledger.finish(job, item, result.done)
        return [item]
    if result.outcome == "broke" and ledger.broke(job, item, result.reason) < attempts:
        return []
    return _given_up(job, item, result.reason, ledger)


def _crashed(reply: Reply, ledger: Ledger, attempts: int) -> list[Item]:
    """A worker is gone: what it had made counts, what it died of is tried again or given up."""
    job = reply.job
    found = [(item, done) for item in _waiting(job, ledger) if (done := find_done(job.folder, item))]
    for item, done in found:
        ledger.finish(job, item, done)
    settled = [item for item, _ in found]
    left = _waiting(job, ledger)
    if left and not reply.blameless and ledger.broke(job, left[0], reply.crash) >= attempts:
        settled += _given_up(job, left[0], f"{reply.crash}, {attempts} times", ledger)
    return settled


def _given_up(job: Job, item: Item, reason: str, ledger: Ledger) -> list[Item]:
    """Without an avatar nothing else can be made."""
    ledger.fail(job, item, reason)
    rest = _waiting(job, ledger) if item.output == AVATAR else []
    for other in rest:
        ledger.fail(job, other, "no avatar")
    return [item, *rest]


def _waiting(job: Job, ledger: Ledger) -> list[Item]:
    return [item for item in job.items if ledger[item].status == "waiting"]


def _engine(options: BatchOptions, render: RenderOptions) -> Engine:
    choose_backend(render.device)  # refuses cuda where there is none
    cards = 0 if render.device == "cpu" else count_gpus()
    if options.engine == "local":
        return LocalEngine(_workers(options, cards), options.out / LOGS, cards)
    try:
        from sherf.batch.ray_engine import RayEngine
    except ModuleNotFoundError as error:
        raise MissingAsset(f"--engine ray needs {error.name}: pip install 'sherf[ray]'") from error
    return RayEngine(on_cards=cards > 0)
