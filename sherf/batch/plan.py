"""Plan jobs from requests: which items each photo gets, under which names, each with the hash of its dependencies."""

import os
import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from sherf import __version__
from sherf.api.checks import check_rendering
from sherf.api.choose_motion import choose_motion, is_video_motion
from sherf.batch.fingerprint import (
    fingerprint_camera,
    fingerprint_motion,
    fingerprint_photo,
    fingerprint_render,
    fingerprint_source,
    hash_values,
    read_camera_file,
)
from sherf.batch.job import AVATAR, CAMERA_PATHS, MESH_OUTPUTS, NO_MOTION, Item, Job, JobRequest, is_camera_path
from sherf.body.files import load_body_model
from sherf.errors import BadInput, SherfError
from sherf.export.file_format import check_mesh
from sherf.files.digest import file_sha256
from sherf.files.output import prepare_output_folder
from sherf.motion.from_video import obtain_motion_from_video
from sherf.motion.options import MotionOptions
from sherf.motion.read import split_clip
from sherf.progress import progress

STANDING_FRAMES = 60
"""Default length of a video of a person standing still."""
MOTIONS_FOLDER = "motions"
MAX_NAME_LENGTH = 80


def plan(requests: list[JobRequest], out: Path, shard: str = "") -> list[Job]:
    """Turn requests into jobs, in their order.

    Requests that repeat an earlier one are dropped. Requests for different outputs of one photo, with the same name and
    options, become one job, so that the photo is encoded once.

    Args:
        requests: what to make.
        out: the batch's output folder.
        shard: part I of N, as I/N: plan only the photos whose names fall to it, and read no others; empty: all.

    Returns:
        Jobs with different names, each in a folder of its own.

    Raises:
        BadInput: the shard is invalid, or motions, cameras or options do not exist or cannot be combined; the message
            names the request.
    """
    names: set[str] = set()
    named = [(_unused_name(_safe_name(request.name), names), request) for request in requests]
    part, num_parts = _parse_shard(shard)
    in_shard = [(name, request) for name, request in named if int(hash_values(name)[:12], 16) % num_parts == part - 1]
    jobs: dict[str, Job] = {}
    seen: set[str] = set()
    for name, request in progress(in_shard, "planning"):
        try:
            job = _plan_job(request, name, out)
        except SherfError as error:
            raise type(error)(f"{request.location or request.source}: {error}") from None
        content = "".join(item.key for item in job.items)
        if content in seen:
            continue
        seen.add(content)
        group = hash_values(request.name, job.items[0].key, repr(job.settings), job.keep_frames)
        merged = _merge(jobs.get(group, job), job)
        jobs[group if merged else f"{group} {name}"] = merged or job
    return [_bind_keys(job) for job in jobs.values()]


def _merge(first: Job, second: Job) -> Job | None:
    """Return one job with the items of both, or None if they use one label for different items."""
    items = {item.label: item for item in first.items}
    for item in second.items:
        if items.setdefault(item.label, item).key != item.key:
            return None
    return replace(first, items=tuple(items.values()))


def _bind_keys(job: Job) -> Job:
    """Include the job's name in its items' keys: the same output in another folder is another item."""
    return replace(job, items=tuple(replace(item, key=hash_values(job.name, item.key)) for item in job.items))


def _parse_shard(shard: str) -> tuple[int, int]:
    """Return I and N of I/N; 1/1 for no shard.

    Raises:
        BadInput: it has another form, or I is not from 1 to N.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard or "1/1")
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise BadInput(f"--shard {shard} is not valid: write I/N with I from 1 to N, such as 3/16.")
    return int(found[1]), int(found[2])


def with_motion_files(requests: list[JobRequest], out: Path, extract: bool = True) -> list[JobRequest]:
    """Return the requests with videos of people replaced by motion files, each extracted once for all photos.

    Args:
        requests: what to make.
        out: the batch's output folder, which keeps the motion files.
        extract: whether to extract missing ones; otherwise their videos stay, and nothing is written.

    Raises:
        BadInput: a video cannot be read.
        NoPerson: a video shows no person.
        OutputError: a motion file cannot be written.
    """

    @cache
    def motion_file(motion: str, person: int | None) -> str:
        if not is_video_motion(motion):
            return motion
        name = f"{Path(motion).stem}-{file_sha256(Path(motion))[:8]}-{person or 1}.npz"
        path = out / MOTIONS_FOLDER / name
        if not extract:
            return str(path) if path.is_file() else motion
        prepare_output_folder(path.parent)
        obtain_motion_from_video(Path(motion), path, load_body_model("openbody"), person)
        return str(path)

    return [
        replace(request, motions=tuple(motion_file(m, request.settings.motion.motion_person) for m in request.motions))
        for request in requests
    ]


def _plan_job(request: JobRequest, name: str, out: Path) -> Job:
    settings = request.settings
    check_rendering(settings.render, 1 if request.frames is None else request.frames)
    check_mesh(settings.mesh.triangles, settings.mesh.texture)
    photo = fingerprint_source(request.source), fingerprint_photo(settings.photo)
    avatar_key = hash_values("avatar", *photo, __version__)
    items = [Item(AVATAR, AVATAR, key=avatar_key)]
    for item in _plan_items(request):
        motions = [fingerprint_motion(motion) for motion in item.motions]
        dependencies: tuple[Any, ...] = (motions, asdict(settings.motion) if motions else None)
        if item.output == "video":
            dependencies += (fingerprint_camera(item.camera), item.frames, fingerprint_render(settings.render))
        elif item.output in MESH_OUTPUTS:
            dependencies += (settings.mesh.triangles, settings.mesh.texture)
        items.append(replace(item, key=hash_values(avatar_key, item.output, item.label, *dependencies)))
    return Job(name, request.source, out / name, tuple(items), settings, request.keep_frames)


def _plan_items(request: JobRequest) -> list[Item]:
    """Return the items of a request without their keys, labels all different.

    Raises:
        BadInput: an output or a camera needs or excludes a motion.
    """
    motions = tuple(motion for motion in request.motions if motion != NO_MOTION)
    items: list[Item] = []
    for output in dict.fromkeys(request.outputs):
        if output == "video":
            for motion in request.motions or (NO_MOTION,):
                items += [_video_item(motion, camera, request) for camera in request.cameras or _default_camera(motion)]
        elif output in MESH_OUTPUTS:
            items.append(Item(output, output, motions if output == "glb" else ()))
        else:
            if not motions:
                raise BadInput(f"{output} exports a motion: give --motions.")
            items += [Item(f"{_name_of(motion)}.{output}", output, (motion,)) for motion in motions]
    labels: set[str] = {AVATAR}
    return [replace(item, label=_unused_name(item.label, labels)) for item in items]


def _default_camera(motion: str) -> tuple[str, ...]:
    return ("turntable",) if motion == NO_MOTION else ("still",)


def _video_item(motion: str, camera: str, request: JobRequest) -> Item:
    """Return a video's item without its key.

    Raises:
        BadInput: the options are invalid, or a transforms.json is combined with a motion.
    """
    options, render = request.settings.motion, request.settings.render
    frames = request.frames or (STANDING_FRAMES if motion == NO_MOTION else _num_frames(motion, options, render.fps))
    check_rendering(render, frames)
    if motion == NO_MOTION:
        if not is_camera_path(camera):
            return Item(_name_of(camera), "video", (), camera, len(read_camera_file(camera)))
        return Item(camera, "video", (), camera, 1 if camera == "still" else frames)
    if not is_camera_path(camera):
        raise BadInput(
            f"the camera {camera} cannot be combined with the motion {_name_of(motion)}: "
            f"choose one of {', '.join(CAMERA_PATHS)}."
        )
    return Item(f"{_name_of(motion)}-{camera}", "video", (motion,), camera, frames)


@cache
def _num_frames(motion: str, options: MotionOptions, fps: float) -> int:
    if is_video_motion(motion):
        return 1  # not extracted yet
    edited = choose_motion(motion, options, Path())
    return max(1, round(edited.seconds * fps))


def _name_of(file_or_name: str) -> str:
    path, clip = split_clip(file_or_name)
    if clip:
        return _safe_name(f"{path.stem}-{clip}")
    return _safe_name(path.stem if os.path.exists(file_or_name) else file_or_name)


def _safe_name(name: str) -> str:
    """Return a file name that is valid on every system and stays within its folder."""
    safe = re.sub(r"[^\w.-]+", "_", name).strip("._")[:MAX_NAME_LENGTH]
    return safe or "photo"


def _unused_name(name: str, used: set[str]) -> str:
    """Return the name, with a number if it is used, and add it to `used`; some file systems ignore case."""
    unused, number = name, 1
    while unused.lower() in used:
        number += 1
        unused = f"{name}-{number}"
    used.add(unused.lower())
    return unused
