"""What is wanted of each photo in, jobs and items out: each item with the hash of all that it depends on."""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from sherf import __version__
from sherf.api.choose_motion import chosen_motion, is_filmed, subject_folder
from sherf.api.render import check_options
from sherf.batch.manifest import Settings, Wish
from sherf.batch.options import BatchOutput
from sherf.body.files import load_body_model
from sherf.camera.framing import CameraPath
from sherf.camera.transforms_json import read_cameras
from sherf.errors import BadInput, SherfError
from sherf.export.exporter import check_mesh
from sherf.export.sequence import FRAMES
from sherf.export.video_writer import frame_path
from sherf.files.assets import asset_path
from sherf.files.digest import file_sha256, tensors_sha256
from sherf.files.output import prepare_output_folder
from sherf.models.load import SHIPPED
from sherf.motion.from_video import obtain_motion_of_video
from sherf.motion.motion import builtin_motions, file_and_clip, read_motion
from sherf.motion.options import MotionOptions
from sherf.photo.edit import edits_digest
from sherf.photo.options import PhotoOptions
from sherf.progress import counted
from sherf.scene import Camera

STILL = "none"
"""The motion of a person who stands as in the photo."""
STILL_FRAMES = 60
AVATAR = "avatar"
MESHES = ("glb", "vrm", "obj", "ply")
PATHS: tuple[str, ...] = get_args(CameraPath)
MOTION_FOLDER = "motions"


@dataclass(frozen=True)
class Item:
    """One output of one photo."""

    label: str
    """Its name within the photo's folder, such as walk-turntable or glb."""
    output: BatchOutput | Literal["avatar"]
    motions: tuple[str, ...] = ()
    camera: str = ""
    frames: int = 0
    """Of a video."""
    key: str = ""
    """SHA-256 of all that it depends on, and of its photo's folder."""


@dataclass(frozen=True)
class Job:
    """One photo with its items, the avatar first."""

    name: str
    source: Path
    folder: Path
    items: tuple[Item, ...]
    settings: Settings
    keep_frames: bool = False
    """Of videos."""


def shown_frame(job: Job, item: Item) -> Path:
    """The picture of a video that stands for it: a turning person is a little from the side."""
    return frame_path(job.folder / item.label / FRAMES, item.frames // 8)


def plan(wishes: list[Wish], out: Path, shard: str = "") -> list[Job]:
    """Jobs in the order of the wishes; the same photo wanted twice in the same way is one job.

    So are rows that want different things of one photo, where they go together: it is encoded once.

    Args:
        shard: as i/n; only this part, which alone is read. A photo's name says where it belongs.

    Raises:
        BadInput: motions, cameras or options that do not exist or do not go together, with their lines.
    """
    names: set[str] = set()
    named = [(_free(_plain(wish.name), names), wish) for wish in wishes]
    i, n = _part(shard)
    own = [(name, wish) for name, wish in named if int(_hash(name)[:12], 16) % n == i - 1]
    jobs: dict[str, Job] = {}
    seen: set[str] = set()
    for name, wish in counted(own, len(own), "planning"):
        try:
            job = _job(wish, name, out)
        except SherfError as error:
            raise type(error)(f"{wish.where or wish.source}: {error}") from None
        alike = "".join(item.key for item in job.items)
        if alike in seen:
            continue
        seen.add(alike)
        together = _hash(wish.name, job.items[0].key, repr(job.settings), job.keep_frames)
        both = _joined(jobs.get(together, job), job)
        jobs[together if both else f"{together} {name}"] = both or job
    return [_owned(job) for job in jobs.values()]


def _joined(first: Job, second: Job) -> Job | None:
    """One job that makes what both do; None where they call different things by one name."""
    items = {item.label: item for item in first.items}
    for item in second.items:
        if items.setdefault(item.label, item).key != item.key:
            return None
    return replace(first, items=tuple(items.values()))


def _owned(job: Job) -> Job:
    """Its items belong to its folder: another job may make the same of the same photo elsewhere."""
    return replace(job, items=tuple(replace(item, key=_hash(job.name, item.key)) for item in job.items))


def _part(shard: str) -> tuple[int, int]:
    """i and n of i/n."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard or "1/1")
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise BadInput(f"--shard {shard} is not possible: write i/n with i from 1 to n, as in 3/16.")
    return int(found[1]), int(found[2])


def with_motion_files(wishes: list[Wish], out: Path, make: bool = True) -> list[Wish]:
    """Videos of people become motions, once for all photos; what was made before is taken.

    Args:
        make: else only what is there is taken, and nothing is written.
    """

    @cache
    def file_of(motion: str, person: int | None) -> str:
        if not is_filmed(motion):
            return motion
        name = f"{Path(motion).stem}-{file_sha256(Path(motion))[:8]}-{person or 1}.npz"
        kept = out / MOTION_FOLDER / name
        if not make:
            return str(kept) if kept.is_file() else motion
        prepare_output_folder(kept.parent)
        obtain_motion_of_video(Path(motion), kept, load_body_model("openbody"), person)
        return str(kept)

    return [
        replace(wish, motions=tuple(file_of(motion, wish.settings.moving.motion_person) for motion in wish.motions))
        for wish in wishes
    ]


def _job(wish: Wish, name: str, out: Path) -> Job:
    settings = wish.settings
    check_options(settings.render, 1 if wish.frames is None else wish.frames)
    check_mesh(settings.mesh.triangles, settings.mesh.texture)
    avatar = _hash("avatar", _source_sha256(wish.source), _photo_identity(settings.photo), __version__)
    items = [Item(AVATAR, AVATAR, key=avatar)]
    rendering = {k: v for k, v in asdict(settings.render).items() if k not in ("device", "chunk")}
    for item in _items(wish):
        moving = [_motion_identity(motion) for motion in item.motions]
        depends: tuple[Any, ...] = (moving, asdict(settings.moving) if moving else None)
        if item.output == "video":
            depends += (_camera_identity(item.camera), item.frames, rendering)
        elif item.output in MESHES:
            depends += (settings.mesh.triangles, settings.mesh.texture)
        items.append(replace(item, key=_hash(avatar, item.output, item.label, *depends)))
    return Job(name, wish.source, out / name, tuple(items), settings, wish.keep_frames)


def _items(wish: Wish) -> list[Item]:
    """Outputs by motions and cameras, labels all different."""
    moves = tuple(motion for motion in wish.motions if motion != STILL)
    items = []
    for output in dict.fromkeys(wish.outputs):
        if output == "video":
            for motion in wish.motions or (STILL,):
                items += [_video(motion, camera, wish) for camera in wish.cameras or _usual_camera(motion)]
        elif output in MESHES:
            items.append(Item(output, output, moves if output == "glb" else ()))
        else:
            if not moves:
                raise BadInput(f"{output} takes a motion out: give --motions.")
            items += [Item(f"{_stem(motion)}.{output}", output, (motion,)) for motion in moves]
    taken: set[str] = {AVATAR}
    return [replace(item, label=_free(item.label, taken)) for item in items]


def _usual_camera(motion: str) -> tuple[str, ...]:
    return ("turntable",) if motion == STILL else ("still",)


def _video(motion: str, camera: str, wish: Wish) -> Item:
    moving, render = wish.settings.moving, wish.settings.render
    frames = wish.frames or (STILL_FRAMES if motion == STILL else _length(motion, moving, render.fps))
    check_options(render, frames)
    if motion == STILL:
        if camera not in PATHS:
            return Item(_stem(camera), "video", (), camera, len(_cameras(camera)))
        return Item(camera, "video", (), camera, 1 if camera == "still" else frames)
    if camera not in PATHS:
        raise BadInput(f"the camera {camera} cannot go with the motion {_stem(motion)}: take {', '.join(PATHS)}.")
    return Item(f"{_stem(motion)}-{camera}", "video", (motion,), camera, frames)


@cache
def _length(motion: str, moving: MotionOptions, fps: float) -> int:
    if is_filmed(motion):
        return 1  # not converted yet
    played = chosen_motion(motion, moving, Path())
    return max(1, round(played.seconds * fps))


@cache
def _motion_identity(motion: str) -> str:
    if motion in builtin_motions():
        return motion
    folder = subject_folder(motion)
    if folder is not None:
        return _folder_sha256(folder)
    path, clip = file_and_clip(motion)
    if not os.path.isfile(path):
        read_motion(motion)  # says what there is instead
    return file_sha256(path) + (f"#{clip}" if clip else "")


@cache
def _cameras(camera: str) -> Camera:
    """Of a transforms.json."""
    if not os.path.isfile(camera):
        raise BadInput(f"there is no camera {camera}: take {', '.join(PATHS)} or a transforms.json.")
    return read_cameras(Path(camera))


@cache
def _camera_identity(camera: str) -> str:
    if camera in PATHS:
        return camera
    cameras = _cameras(camera)
    return tensors_sha256(cameras.K, cameras.R, cameras.T)


def _photo_identity(photo: PhotoOptions) -> dict[str, Any]:
    """The options, files by their content."""
    model = _weights(photo.model)
    mask = photo.mask and (_file_identity(photo.mask))
    edit = photo.edit and edits_digest(photo.edit)
    body = photo.body_model
    if body is not None and os.path.isfile(body):
        body = _file_identity(Path(body))
    return {**asdict(photo), "model": model, "mask": mask, "edit": edit, "body_model": body}


@cache
def _weights(model: str) -> str:
    path = asset_path(f"{model}/{model}.safetensors") if model in SHIPPED else Path(model)
    return file_sha256(path) if path.is_file() else model


@cache
def _file_identity(path: Path) -> str:
    if not path.is_file():
        raise BadInput(f"there is no file {path}.")
    return file_sha256(path)


def _source_sha256(source: Path) -> str:
    """A file that cannot be read fails when its turn comes, and stops nothing else."""
    try:
        if source.is_dir():
            return _folder_sha256(source)
        return file_sha256(source) if source.is_file() else f"no file: {source}"
    except OSError:
        return f"unreadable: {source}"


def _folder_sha256(folder: Path) -> str:
    """Of names, sizes and times: a data set's subject may have gigabytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = ((path, path.stat()) for path in files)
    return _hash(*((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns) for path, stat in stats))


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _stem(source: str) -> str:
    path, clip = file_and_clip(source)
    if clip:
        return _plain(f"{path.stem}-{clip}")
    return _plain(path.stem if os.path.exists(source) else source)


def _plain(name: str) -> str:
    """A name that every disk takes and that stays within its folder."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80]
    return plain or "photo"


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered where it is taken; case does not tell names apart on every disk."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free
