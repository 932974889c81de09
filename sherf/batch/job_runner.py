"""Run a job in a worker: the avatar, then each output, each recorded as soon as it is complete."""

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sherf.api.choose_motion import choose_motion
from sherf.api.render import animate_motion, render_views
from sherf.api.sources import obtain_avatar
from sherf.avatar.result_files import AVATAR as AVATAR_FILE
from sherf.avatar.result_files import FIT, OVERLAY, REPORT
from sherf.batch.job import AVATAR, Item, Job, is_camera_path, preview_frame
from sherf.batch.ledger import Done, write_done_file
from sherf.errors import BadInput, OutputError, SherfError
from sherf.export.exporter import Exporter
from sherf.export.options import ExportOptions
from sherf.files.options import OutputOptions
from sherf.files.output import PARTIAL_PREFIX, is_disk_full, prepare_output_folder
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend

Outcome = Literal["done", "failed", "crashed", "stop"]
"""failed: retrying is pointless; crashed: retrying may succeed; stop: nothing that follows can succeed, such as when
the disk is full."""


@dataclass(frozen=True)
class Result:
    """The outcome of an item."""

    label: str
    outcome: Outcome
    done: Done | None = None
    reason: str = ""


def run_job(job: Job, chunk: int | None = None) -> Iterator[Result]:
    """Make a job's items one after the other; without an avatar the others are not attempted.

    Args:
        job: what to make.
        chunk: points computed at once, overriding the job's settings to save memory.

    Yields:
        The outcome of each item that was attempted; errors become outcomes and are not raised.
    """
    if chunk is not None:
        settings = replace(job.settings, render=replace(job.settings.render, chunk=chunk))
        job = replace(job, settings=settings)
    maker = ItemMaker(job)
    try:
        prepare_output_folder(job.folder)
        for path in job.folder.rglob(f"{PARTIAL_PREFIX}*"):  # left by killed workers
            path.unlink(missing_ok=True)
    except (OSError, OutputError) as error:
        yield Result(job.items[0].label, "stop", reason=str(error))
        return
    for item in job.items:
        result = _attempt(maker, item)
        yield result
        if result.outcome == "stop" or (item.output == AVATAR and result.outcome != "done"):
            return


def _attempt(maker: "ItemMaker", item: Item) -> Result:
    start = time.perf_counter()
    job = maker.job
    try:
        files, about = maker.make(item)
        names = [str(path.relative_to(job.folder)) for path in files]
        seconds = round(time.perf_counter() - start, 2)
        sizes = [path.stat().st_size for path in files]
        done = Done(item.key, item.label, names, seconds, item.frames, job.settings.render.size, about, sizes)
        write_done_file(job.folder, done)
        return Result(item.label, "done", done)
    except OutputError as error:
        return Result(item.label, "stop", reason=str(error))
    except SherfError as error:
        return Result(item.label, "failed", reason=str(error))
    except Exception as error:
        if is_disk_full(error):
            return Result(item.label, "stop", reason=f"the disk is full ({error})")
        traceback.print_exception(error)
        return Result(item.label, "crashed", reason=f"{type(error).__name__}: {error}")


class ItemMaker:
    """Makes the items of one job; avatar and mesh are loaded once for all of them."""

    def __init__(self, job: Job):
        """Keep the job; nothing is loaded yet."""
        self.job = job

    def make(self, item: Item) -> tuple[list[Path], dict[str, Any]]:
        """Make one item.

        Args:
            item: of the job; all but the avatar need the avatar's file.

        Returns:
            The files written, and what the record says about them (`Done.about`).

        Raises:
            BadInput: planning found that it cannot be made.
            SherfError: the photo, a motion or an option cannot be used.
            OutputError: a file cannot be written.
        """
        job = self.job
        if item.fault:
            raise BadInput(item.fault)
        if item.output == AVATAR:
            return self._make_avatar()
        if item.output == "video":
            return self._make_video(item), {}
        file_name = f"{job.name}.{item.output}" if item.label == item.output else item.label
        motions = [choose_motion(motion, job.settings.motion, job.folder) for motion in item.motions]
        options = ExportOptions(format=item.output)
        return self._exporter.write(job.folder / file_name, motions, options), {}

    def _make_avatar(self) -> tuple[list[Path], dict[str, Any]]:
        job = self.job
        backend = choose_backend(job.settings.render.device)
        avatar, _ = obtain_avatar(job.source, OutputOptions(job.folder, overwrite=True), job.settings.photo, backend)
        report = avatar.report
        about = {key: report.get(key) for key in ("verdict", "reasons", "warnings", "keypoint_error", "silhouette_iou")}
        files = [job.folder / name for name in (AVATAR_FILE, OVERLAY, REPORT, FIT)]
        return [path for path in files if path.is_file()], about

    def _make_video(self, item: Item) -> list[Path]:
        job, camera = self.job, item.camera
        avatar, output = job.folder / AVATAR_FILE, OutputOptions(job.folder / item.label, overwrite=True)
        photo, render = self._avatar_options, job.settings.render
        if not is_camera_path(camera):
            files = render_views(avatar, "still", Path(camera), item.frames, output, photo, render)
        elif item.motions:
            motion, options = item.motions[0], job.settings.motion
            files = animate_motion(avatar, motion, item.frames, camera, output, photo, render, options)
        else:
            files = render_views(avatar, camera, None, item.frames, output, photo, render)
        if not job.keep_frames:
            kept = preview_frame(job, item)
            for path in kept.parent.glob("*.png"):
                if path != kept:
                    path.unlink()
        return files

    @property
    def _avatar_options(self) -> PhotoOptions:
        """Options for loading the avatar's file: only the body model still matters."""
        return PhotoOptions(body_model=self.job.settings.photo.body_model)

    @cached_property
    def _exporter(self) -> Exporter:
        folder, mesh = self.job.folder, self.job.settings.mesh
        avatar, body = obtain_avatar(folder / AVATAR_FILE, OutputOptions(folder), self._avatar_options)
        backend = choose_backend(self.job.settings.render.device)
        return Exporter(avatar, body, backend, mesh.triangles, mesh.texture)
