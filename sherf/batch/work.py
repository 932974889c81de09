"""What a worker does with a photo: its avatar, then each output, each written down as soon as it is complete."""

import errno
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sherf.batch.ledger import Done, write_done
from sherf.batch.plan import AVATAR, Item, Job
from sherf.body.model import BodyModel
from sherf.commands import animate_motion, render_views
from sherf.devices import choose_backend
from sherf.errors import OutputError, SherfError
from sherf.export.command import Exporter
from sherf.motion_choice import chosen_motion
from sherf.options import ExportOptions, OutputOptions, PhotoOptions
from sherf.output import PARTIAL_PREFIX, prepare_output_folder
from sherf.reconstruct import AVATAR as AVATAR_FILE
from sherf.reconstruct import FIT, OVERLAY, REPORT, obtain_avatar

Outcome = Literal["done", "failed", "broke", "stop"]
"""failed: trying again is of no use; broke: it may be; stop: nothing that follows can succeed, the disk is full."""


@dataclass(frozen=True)
class Result:
    """What became of an item."""

    label: str
    outcome: Outcome
    done: Done | None = None
    reason: str = ""


def perform(job: Job, chunk: int | None = None) -> Iterator[Result]:
    """Make a job's items one after the other; nothing follows where there is no avatar.

    Args:
        chunk: points computed at once, to save memory.
    """
    if chunk is not None:
        job = replace(job, render=replace(job.render, chunk=chunk))
    bench = Bench(job)
    try:
        prepare_output_folder(job.folder)
        for path in job.folder.rglob(f"{PARTIAL_PREFIX}*"):  # of workers that were killed
            path.unlink(missing_ok=True)
    except OSError as error:
        yield Result(job.items[0].label, "stop", reason=str(error))
        return
    except OutputError as error:
        yield Result(job.items[0].label, "stop", reason=str(error))
        return
    for item in job.items:
        result = _attempt(bench, item)
        yield result
        if result.outcome == "stop" or (item.output == AVATAR and result.outcome != "done"):
            return


def _attempt(bench: "Bench", item: Item) -> Result:
    start = time.perf_counter()
    try:
        files, about = bench.make(item)
        names = [str(path.relative_to(bench.job.folder)) for path in files]
        seconds = round(time.perf_counter() - start, 2)
        done = Done(item.key, item.label, names, seconds, item.frames, bench.job.render.size, about)
        write_done(bench.job.folder, done)
        return Result(item.label, "done", done)
    except OutputError as error:
        return Result(item.label, "stop", reason=str(error))
    except SherfError as error:
        return Result(item.label, "failed", reason=str(error))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Result(item.label, "stop", reason=f"the disk is full ({error})")
        traceback.print_exception(error)
        return Result(item.label, "broke", reason=f"{type(error).__name__}: {error}")


class Bench:
    """A job's avatar and mesh, made once for all items."""

    def __init__(self, job: Job):
        self.job = job

    def make(self, item: Item) -> tuple[list[Path], dict[str, Any]]:
        """Make one item; returns its files, and what is to be said of it."""
        job = self.job
        if item.output == AVATAR:
            return self._avatar()
        if item.output == "video":
            return self._video(item), {}
        own = f"{job.name}.{item.output}" if item.label == item.output else item.label
        motions = [chosen_motion(motion, job.moving, job.folder) for motion in item.motions]
        options = ExportOptions(format=item.output)
        return self._exporter.write(job.folder / own, motions, options), {}

    def _avatar(self) -> tuple[list[Path], dict[str, Any]]:
        job = self.job
        backend = choose_backend(job.render.device)
        avatar, _ = obtain_avatar(job.source, OutputOptions(job.folder, overwrite=True), job.photo, backend)
        report = avatar.report
        about = {key: report.get(key) for key in ("verdict", "reasons", "warnings", "keypoint_error", "silhouette_iou")}
        files = [job.folder / name for name in (AVATAR_FILE, OVERLAY, REPORT, FIT)]
        return [path for path in files if path.is_file()], about

    def _video(self, item: Item) -> list[Path]:
        job = self.job
        output = OutputOptions(job.folder / item.label, overwrite=True)
        rest = (output, self._as_given, job.render)
        avatar = job.folder / AVATAR_FILE
        if item.motions:
            return animate_motion(avatar, item.motions[0], item.frames, item.camera, *rest, job.moving)
        given = None if item.camera in ("still", "turntable", "orbit") else Path(item.camera)
        return render_views(avatar, "still" if given else item.camera, given, item.frames, *rest)

    @property
    def _as_given(self) -> PhotoOptions:
        return PhotoOptions(body_model=self.job.photo.body_model)

    @cached_property
    def _exporter(self) -> Exporter:
        avatar, body = self._restored
        backend = choose_backend(self.job.render.device)
        return Exporter(avatar, body, backend, self.job.mesh.triangles, self.job.mesh.texture)

    @cached_property
    def _restored(self) -> tuple[Any, BodyModel]:
        return obtain_avatar(self.job.folder / AVATAR_FILE, OutputOptions(self.job.folder), self._as_given)
