"""Hashes of what an item depends on: files by content, options by value. They decide what a batch makes again."""

import hashlib
import json
import os
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from sherf.api.choose_motion import find_subject_folder
from sherf.batch.job import CAMERA_PATHS, is_camera_path
from sherf.camera.transforms_json import read_cameras
from sherf.errors import BadInput
from sherf.files.digest import file_sha256, tensors_sha256
from sherf.models.load import weights_path
from sherf.motion.read import builtin_motions, read_motion, split_clip
from sherf.photo.fit_file_reader import edits_digest
from sherf.photo.options import PhotoOptions
from sherf.render.options import RenderOptions
from sherf.scene import Camera


def hash_values(*values: Any) -> str:
    """Return the SHA-256 of values as JSON, in hexadecimal digits; values that JSON lacks count as their text."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def fingerprint_photo(photo: PhotoOptions) -> dict[str, Any]:
    """Return the options with hashes in place of model weights and files.

    Args:
        photo: the options.

    Returns:
        The options by name.

    Raises:
        BadInput: a file does not exist.
    """
    model = _hash_weights(photo.model)
    mask = photo.mask and (_hash_file(photo.mask))
    edit = photo.edit and edits_digest(photo.edit)
    body = photo.body_model
    if body is not None and os.path.isfile(body):
        body = _hash_file(Path(body))
    return {**asdict(photo), "model": model, "mask": mask, "edit": edit, "body_model": body}


def fingerprint_render(render: RenderOptions) -> dict[str, Any]:
    """Return the options that change what is rendered: all but the device and the memory limit."""
    return {name: value for name, value in asdict(render).items() if name not in ("device", "chunk")}


@cache
def fingerprint_motion(motion: str) -> str:
    """Return the name of a built-in motion, or the hash of a file, with its clip, or of a subject folder.

    Args:
        motion: a built-in motion's name, a file, FILE#CLIP, or a data set's subject folder.

    Returns:
        The name or hash.

    Raises:
        BadInput: there is no such motion.
    """
    if motion in builtin_motions():
        return motion
    folder = find_subject_folder(motion)
    if folder is not None:
        return _hash_folder(folder)
    path, clip = split_clip(motion)
    if not os.path.isfile(path):
        read_motion(motion)  # raises and lists the motions that exist
    return file_sha256(path) + (f"#{clip}" if clip else "")


@cache
def fingerprint_camera(camera: str) -> str:
    """Return the name of a camera path, or the hash of the cameras in a transforms.json.

    Args:
        camera: a camera path or a file.

    Returns:
        The name or hash.

    Raises:
        BadInput: there is no such camera, or the file is invalid.
    """
    if is_camera_path(camera):
        return camera
    cameras = read_camera_file(camera)
    return tensors_sha256(cameras.K, cameras.R, cameras.T)


@cache
def read_camera_file(camera: str) -> Camera:
    """Read the cameras of a transforms.json.

    Args:
        camera: the file.

    Returns:
        All its cameras, in world space, metres.

    Raises:
        BadInput: the file does not exist or is invalid.
    """
    if not os.path.isfile(camera):
        raise BadInput(f"there is no camera {camera}. Choose one of {', '.join(CAMERA_PATHS)}, or a transforms.json.")
    return read_cameras(Path(camera))


def fingerprint_source(source: Path) -> str:
    """Return the hash of a photo or subject folder; a missing or unreadable one is only reported when its job runs."""
    try:
        if source.is_dir():
            return _hash_folder(source)
        return file_sha256(source) if source.is_file() else f"no file: {source}"
    except OSError:
        return f"unreadable: {source}"


@cache
def _hash_weights(model: str) -> str:
    path = weights_path(model)
    return file_sha256(path) if path.is_file() else model


@cache
def _hash_file(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        BadInput: it does not exist.
    """
    if not path.is_file():
        raise BadInput(f"there is no file {path}.")
    return file_sha256(path)


def _hash_folder(folder: Path) -> str:
    """Return the hash of all names, sizes and modification times: a data set's subject may have gigabytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = ((path, path.stat()) for path in files)
    return hash_values(*((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns) for path, stat in stats))
