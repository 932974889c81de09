"""What a worker does with a photo: its avatar, then each output, each written down as soon as it is complete."""

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sherf.api.choose_motion import chosen_motion
from sherf.api.render import animate_motion, render_views
from sherf.avatar.reconstruct import AVATAR as AVATAR_FILE
from sherf.avatar.reconstruct import FIT, OVERLAY, REPORT, obtain_avatar
from sherf.batch.ledger import Done, write_done
from sherf.batch.plan import AVATAR, PATHS, Item, Job, shown_frame
from sherf.errors import OutputError, SherfError
from sherf.export.exporter import Exporter
from sherf.export.options import ExportOptions
from sherf.files.options import OutputOptions
from sherf.files.output import PARTIAL_PREFIX, is_disk_full, prepare_output_folder
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend

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
        settings = replace(job.settings, render=replace(job.settings.render, chunk=chunk))
        job = replace(job, settings=settings)
    bench = Bench(job)
    try:
        prepare_output_folder(job.folder)
        for path in job.folder.rglob(f"{PARTIAL_PREFIX}*"):  # of workers that were killed
            path.unlink(missing_ok=True)
    except (OSError, OutputError) as error:
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
        done = Done(item.key, item.label, names, seconds, item.frames, bench.job.settings.render.size, about)
        write_done(bench.job.folder, done)
        return Result(item.label, "done", done)
    except OutputError as error:
        return Result(item.label, "stop", reason=str(error))
    except SherfError as error:
        return Result(item.label, "failed", reason=str(error))
    except Exception as error:
        if is_disk_full(error):
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
        motions = [chosen_motion(motion, job.settings.moving, job.folder) for motion in item.motions]
        options = ExportOptions(format=item.output)
        return self._exporter.write(job.folder / own, motions, options), {}

    def _avatar(self) -> tuple[list[Path], dict[str, Any]]:
        job = self.job
        backend = choose_backend(job.settings.render.device)
        avatar, _ = obtain_avatar(job.source, OutputOptions(job.folder, overwrite=True), job.settings.photo, backend)
        report = avatar.report
        about = {key: report.get(key) for key in ("verdict", "reasons", "warnings", "keypoint_error", "silhouette_iou")}
        files = [job.folder / name for name in (AVATAR_FILE, OVERLAY, REPORT, FIT)]
        return [path for path in files if path.is_file()], about

    def _video(self, item: Item) -> list[Path]:
        job = self.job
        output = OutputOptions(job.folder / item.label, overwrite=True)
        rest = (output, self._as_given, job.settings.render)
        avatar = job.folder / AVATAR_FILE
        if item.motions:
            files = animate_motion(avatar, item.motions[0], item.frames, item.camera, *rest, job.settings.moving)
        else:
            given = None if item.camera in PATHS else Path(item.camera)
            files = render_views(avatar, "still" if given else item.camera, given, item.frames, *rest)
        if not job.keep_frames:
            shown = shown_frame(job, item)
            for path in shown.parent.glob("*.png"):
                if path != shown:
                    path.unlink()
        return files

    @property
    def _as_given(self) -> PhotoOptions:
        return PhotoOptions(body_model=self.job.settings.photo.body_model)

    @cached_property
    def _exporter(self) -> Exporter:
        folder, mesh = self.job.folder, self.job.settings.mesh
        avatar, body = obtain_avatar(folder / AVATAR_FILE, OutputOptions(folder), self._as_given)
        backend = choose_backend(self.job.settings.render.device)
        return Exporter(avatar, body, backend, mesh.triangles, mesh.texture)
