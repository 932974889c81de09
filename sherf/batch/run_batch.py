"""`sherf batch`: plan, reconcile with what exists, run the jobs, write the summary."""

import sys
from collections import deque
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sherf.batch.duplicates import link_duplicates, names_of_duplicates, remove_links
from sherf.batch.engine import Engine
from sherf.batch.index_page import RESULTS, count_states, write_summary
from sherf.batch.job import Job, JobRequest, Settings
from sherf.batch.ledger import Ledger, import_shard_failures, ledger_path, lock_batch_folder, reconcile
from sherf.batch.local_engine import DEFAULT_MAX_WORKERS, LocalEngine
from sherf.batch.manifest import read_requests
from sherf.batch.options import BatchOptions
from sherf.batch.plan import plan, with_existing_motion_files, with_motion_files
from sherf.batch.ray_engine import RayEngine
from sherf.batch.scheduler import run_jobs, waiting_items
from sherf.batch.time_estimate import estimate_seconds
from sherf.errors import BadInput
from sherf.export.options import MeshOptions
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status, progress
from sherf.render.devices import choose_backend, count_gpus
from sherf.render.options import RenderOptions
from sherf.threads import available_cores

LOGS = "logs"
MAX_ATTEMPTS, MAX_WORKERS = 100, 512
MAX_LINES = 20
"""Most failures, and most duplicates, that the terminal shows."""


@dataclass(frozen=True)
class BatchReport:
    """The state of a batch."""

    counts: dict[str, int]
    """Items by status: done, failed, waiting."""
    failures: list[tuple[str, str, str]]
    """Photo, item, reason; of a photo without an avatar only the avatar."""
    pages: list[Path]
    """The page and the contact sheets; none of a shard or a dry run."""
    duplicates: dict[str, str]
    """Names whose photo and outputs are those of another name, and that name."""
    seconds_left: float = 0.0
    """Estimate of a dry run."""
    is_measured: bool = True
    """Whether the estimate uses only rates measured in this batch."""

    @property
    def as_json(self) -> dict[str, Any]:
        """The report for `--json`."""
        return {
            **self.counts,
            "failures": [dict(zip(("photo", "item", "reason"), failure, strict=True)) for failure in self.failures],
            "pages": [str(path) for path in self.pages],
            "duplicates": self.duplicates,
            "seconds_left": round(self.seconds_left, 1),
        }

    @property
    def as_text(self) -> str:
        """The report for the terminal."""
        lines = [", ".join(f"{count} {state}" for state, count in self.counts.items())]
        duplicates = list(self.duplicates.items())
        lines += [f"{name}: the same photo as {first}, made once" for name, first in duplicates[:MAX_LINES]]
        if len(duplicates) > MAX_LINES:
            lines.append(f"... and {len(duplicates) - MAX_LINES} more")
        lines += [f"failed: {photo}, {item}: {reason}" for photo, item, reason in self.failures[:MAX_LINES]]
        if len(self.failures) > MAX_LINES:
            lines.append(f"... and {len(self.failures) - MAX_LINES} more, see {RESULTS}")
        if self.seconds_left:
            basis = "measured in this batch" if self.is_measured else "typical of this program"
            lines.append(f"estimated time: {timedelta(seconds=round(self.seconds_left))} (from rates {basis})")
        return "\n".join([*lines, *map(str, self.pages)])


def run_batch(
    source: Path,
    options: BatchOptions,
    photo: PhotoOptions = PhotoOptions(),
    render: RenderOptions = RenderOptions(),
    motion: MotionOptions = MotionOptions(),
    mesh: MeshOptions = MeshOptions(),
) -> BatchReport:
    """Make every requested output that does not exist yet.

    Args:
        source: a folder of photos, or a manifest.
        options: what to make, with which workers.
        photo: defaults for all photos.
        render: defaults for all videos.
        motion: defaults for all motions.
        mesh: defaults for all meshes.

    Returns:
        The state of the batch; items that failed are listed, not raised.

    Raises:
        BadInput: the manifest or the options are invalid.
        OutputError: the output folder cannot be written, or another batch uses it.
        MissingAsset: Ray, model weights or a body model are not installed.
    """
    if not 1 <= options.attempts <= MAX_ATTEMPTS:
        raise BadInput(f"--attempts {options.attempts} is not valid: choose 1 to {MAX_ATTEMPTS}.")
    if options.workers is not None and not 1 <= options.workers <= MAX_WORKERS:
        raise BadInput(f"--workers {options.workers} is not valid: choose 1 to {MAX_WORKERS}.")
    outputs = (options.motions, options.cameras, options.outputs, options.frames, options.keep_frames)
    common = JobRequest(source, "", "", *outputs, Settings(photo, render, motion, mesh))
    requests = read_requests(source, common, options.out)
    if options.dry_run:
        return _dry_run(requests, options, _num_gpus(render))
    with lock_batch_folder(options.out, options.shard):
        with_motions, faults = with_motion_files(requests, options.out)
        jobs = plan(with_motions, options.out, options.shard, faults)
        with closing(Ledger(ledger_path(options.out, options.shard))) as ledger:
            remove_links(jobs)
            reconcile(ledger, jobs, options.retry_failed)
            if not options.shard and not options.retry_failed:
                import_shard_failures(ledger, jobs)
            _run_waiting(jobs, ledger, options, render)
            link_duplicates(jobs)
            pages = [] if options.shard else write_summary(jobs, ledger, options.out)
            failures = [(job.name, *failure) for job in jobs for failure in ledger.failures(job)]
            return BatchReport(count_states(jobs, ledger), failures, pages, names_of_duplicates(jobs))


def _dry_run(requests: list[JobRequest], options: BatchOptions, num_gpus: int) -> BatchReport:
    """Report what would be done, without writing anything."""
    jobs = plan(with_existing_motion_files(requests, options.out), options.out, options.shard)
    path = ledger_path(options.out, options.shard)
    with closing(Ledger(Path(":memory:"))) as ledger:
        if path.is_file():
            with closing(Ledger(path)) as existing:
                ledger.entries |= existing.entries
        reconcile(ledger, jobs, options.retry_failed)
        seconds, is_measured = estimate_seconds(jobs, ledger)
        seconds /= _num_workers(options, num_gpus)
        return BatchReport(count_states(jobs, ledger), [], [], names_of_duplicates(jobs), seconds, is_measured)


def _num_gpus(render: RenderOptions) -> int:
    return 0 if render.device == "cpu" else count_gpus()


def _num_workers(options: BatchOptions, num_gpus: int) -> int:
    return options.workers or num_gpus or min(len(available_cores()), DEFAULT_MAX_WORKERS)


def _run_waiting(jobs: list[Job], ledger: Ledger, options: BatchOptions, render: RenderOptions) -> None:
    queue = deque(job for job in jobs if waiting_items(job, ledger))
    num_waiting = sum(len(waiting_items(job, ledger)) for job in queue)
    if not num_waiting:
        return
    num_items = sum(len(job.items) for job in jobs)
    if num_waiting < num_items:
        print_status(f"resuming: {num_items - num_waiting} of {num_items} items are already done or failed")
    with redirect_stdout(sys.stderr), closing(_make_engine(options, render)) as engine:  # Ray prints to standard output
        deque(progress(run_jobs(queue, ledger, engine, options.attempts), "items", num_waiting), maxlen=0)


def _make_engine(options: BatchOptions, render: RenderOptions) -> Engine:
    choose_backend(render.device)  # raises where CUDA is required and missing
    num_gpus = _num_gpus(render)
    if options.engine == "local":
        return LocalEngine(_num_workers(options, num_gpus), options.out / LOGS, num_gpus)
    return RayEngine(use_gpus=num_gpus > 0)
