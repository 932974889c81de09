"""Plan jobs from requests: which items each photo gets, under which names, each with the hash of its dependencies."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sherf import __version__
from sherf.api.checks import check_rendering
from sherf.api.choose_motion import is_video_motion, load_motion
from sherf.batch.fingerprint import (
    fingerprint_camera,
    fingerprint_motion,
    fingerprint_photo,
    fingerprint_render,
    fingerprint_source,
    hash_values,
    read_camera_file,
)
from sherf.batch.job import (
    AVATAR,
    CAMERA_PATHS,
    MESH_OUTPUTS,
    NO_MOTION,
    Duplicate,
    Item,
    Job,
    JobRequest,
    is_camera_path,
)
from sherf.body.files import load_body_model
from sherf.errors import BadInput, NoPerson, SherfError
from sherf.export.file_format import check_mesh
from sherf.files.digest import file_sha256
from sherf.files.output import prepare_output_folder
from sherf.motion.edit import edit_motion
from sherf.motion.from_video import obtain_motion_from_video
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.read import split_clip
from sherf.progress import progress

STANDING_FRAMES = 60
"""Default length of a video of a person standing still."""
MOTIONS_FOLDER = "motions"
MAX_NAME_LENGTH = 80


def plan(
    requests: list[JobRequest], out: Path, shard: str = "", faults: Mapping[str, str] = MappingProxyType({})
) -> list[Job]:
    """Turn requests into jobs, in their order.

    Requests that repeat an earlier one are dropped, or become its duplicates if they have another name. Requests for
    different outputs of one photo, with the same name and options, become one job, so that the photo is encoded once.
    What a motion file that cannot be read is needed for is planned with its fault.

    Args:
        requests: what to make.
        out: the batch's output folder.
        shard: part I of N, as I/N: plan only the photos whose names fall to it, and read no others; empty: all.
        faults: why motions cannot be used, by motion, as far as it is known.

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
    group_of: dict[str, str] = {}
    seen: set[tuple[Path, str]] = set()
    for name, request in progress(in_shard, "planning"):
        try:
            job = _plan_job(request, name, out, faults)
        except SherfError as error:
            raise type(error)(f"{request.location or request.source}: {error}") from None
        content = "".join(item.key for item in job.items)
        if content not in group_of:
            group = hash_values(request.name, job.items[0].key, repr(job.settings), job.keep_frames)
            merged = _merge(jobs.get(group, job), job)
            group_of[content] = group if merged else f"{group} {name}"
            jobs[group_of[content]] = merged or job
        elif (request.source, request.name) not in seen:
            first = jobs[group_of[content]]
            duplicates = (*first.duplicates, Duplicate(name, request.source))
            jobs[group_of[content]] = replace(first, duplicates=duplicates)
        seen.add((request.source, request.name))
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


def with_motion_files(requests: list[JobRequest], out: Path) -> tuple[list[JobRequest], dict[str, str]]:
    """Replace videos of people by motion files, each extracted once for all photos.

    Args:
        requests: what to make.
        out: the batch's output folder, which keeps the motion files.

    Returns:
        The requests, and the reasons why videos could not be replaced, by video.

    Raises:
        OutputError: a motion file cannot be written.
    """
    faults: dict[str, str] = {}

    @cache
    def motion_file(motion: str, person: int | None) -> str:
        if not is_video_motion(motion):
            return motion
        path = _motion_path(motion, person, out)
        prepare_output_folder(path.parent)
        try:
            obtain_motion_from_video(Path(motion), path, load_body_model("openbody"), person)
        except (BadInput, NoPerson) as error:
            faults[motion] = str(error)
            return motion
        return str(path)

    return _replace_motions(requests, motion_file), faults


def with_existing_motion_files(requests: list[JobRequest], out: Path) -> list[JobRequest]:
    """Return the requests with videos replaced by the motion files that exist; nothing is written.

    Args:
        requests: what to make.
        out: the batch's output folder.
    """

    def motion_file(motion: str, person: int | None) -> str:
        path = _motion_path(motion, person, out) if is_video_motion(motion) else None
        return str(path) if path is not None and path.is_file() else motion

    return _replace_motions(requests, motion_file)


def _replace_motions(requests: list[JobRequest], motion_file: Callable[[str, int | None], str]) -> list[JobRequest]:
    return [
        replace(request, motions=tuple(motion_file(m, request.settings.motion.motion_person) for m in request.motions))
        for request in requests
    ]


def _motion_path(video: str, person: int | None, out: Path) -> Path:
    return out / MOTIONS_FOLDER / f"{Path(video).stem}-{file_sha256(Path(video))[:8]}-{person or 1}.npz"


def _plan_job(request: JobRequest, name: str, out: Path, faults: Mapping[str, str]) -> Job:
    settings = request.settings
    check_rendering(settings.render, 1 if request.frames is None else request.frames)
    check_mesh(settings.mesh.triangles, settings.mesh.texture)
    photo = fingerprint_source(request.source), fingerprint_photo(settings.photo)
    avatar_key = hash_values("avatar", *photo, __version__)
    items = [Item(AVATAR, AVATAR, key=avatar_key)]
    for item in _plan_items(request, faults):
        motions = [fingerprint_motion(motion) for motion in item.motions]
        dependencies: tuple[Any, ...] = (motions, asdict(settings.motion) if motions else None)
        if item.output == "video":
            dependencies += (fingerprint_camera(item.camera), item.frames, fingerprint_render(settings.render))
        elif item.output in MESH_OUTPUTS:
            dependencies += (settings.mesh.triangles, settings.mesh.texture)
        items.append(replace(item, key=hash_values(avatar_key, item.output, item.label, *dependencies)))
    return Job(name, request.source, out / name, tuple(items), settings, request.keep_frames)


def _plan_items(request: JobRequest, faults: Mapping[str, str]) -> list[Item]:
    """Return the items of a request without their keys, labels all different.

    Raises:
        BadInput: an output or a camera needs or excludes a motion.
    """
    motions = tuple(motion for motion in request.motions if motion != NO_MOTION)
    items: list[Item] = []
    for output in dict.fromkeys(request.outputs):
        if output == "video":
            for motion in request.motions or (NO_MOTION,):
                cameras = request.cameras or _default_camera(motion)
                items += [_video_item(motion, camera, request, faults) for camera in cameras]
        elif output in MESH_OUTPUTS:
            items.append(Item(output, output, motions if output == "glb" else ()))
        else:
            if not motions:
                raise BadInput(f"{output} exports a motion: give --motions.")
            items += [Item(f"{_name_of(motion)}.{output}", output, (motion,)) for motion in motions]
    labels: set[str] = {AVATAR}
    return [replace(item, label=_unused_name(item.label, labels), fault=_fault_of(item, faults)) for item in items]


def _fault_of(item: Item, faults: Mapping[str, str]) -> str:
    return item.fault or next((faults[motion] for motion in item.motions if motion in faults), "")


def _default_camera(motion: str) -> tuple[str, ...]:
    return ("turntable",) if motion == NO_MOTION else ("still",)


def _video_item(motion: str, camera: str, request: JobRequest, faults: Mapping[str, str]) -> Item:
    """Return a video's item without its key; with a fault if its length is that of a motion that cannot be read.

    Raises:
        BadInput: the options are invalid, or a transforms.json is combined with a motion.
    """
    options, render = request.settings.motion, request.settings.render
    is_motion_read = not request.frames and motion != NO_MOTION
    fault = faults.get(motion, "") or (_find_fault(motion) if is_motion_read else "")
    if is_motion_read:
        frames = 1 if fault else _num_frames(motion, options, render.fps)
    else:
        frames = request.frames or STANDING_FRAMES
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
    return Item(f"{_name_of(motion)}-{camera}", "video", (motion,), camera, frames, fault=fault)


@cache
def _num_frames(motion: str, options: MotionOptions, fps: float) -> int:
    if is_video_motion(motion):
        return 1  # not extracted yet
    return max(1, round(edit_motion(_load_motion_once(motion), options).seconds * fps))


@cache
def _find_fault(motion: str) -> str:
    """Return why a motion file cannot be read; empty for one that can, and for what does not exist."""
    if is_video_motion(motion) or not os.path.exists(split_clip(motion)[0]):
        return ""
    try:
        _load_motion_once(motion)
    except BadInput as error:
        return str(error)
    return ""


@cache
def _load_motion_once(motion: str) -> Motion:
    return load_motion(motion)


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
