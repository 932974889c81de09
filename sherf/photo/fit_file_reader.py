"""Reading and validation of fit.json (format: `sherf.photo.fit_file`)."""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sherf.body.skeleton import JOINT_NAMES, NUM_BETAS
from sherf.camera.pinhole import intrinsics
from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.files.versions import check_version
from sherf.photo import landmarks as marks
from sherf.photo.energy import camera_rotation
from sherf.photo.fit import BodyFit
from sherf.photo.fit_file import FORMAT, FORMAT_VERSION, Edits, FitFile
from sherf.scene import BodyPose, Camera

MAX_BYTES = 2**20
MAX_ANGLE = 2 * math.pi  # radians, per axis-angle component
MAX_DISTANCE_M, MAX_BETA, MAX_PITCH = 1000.0, 20.0, math.pi / 2
FRAME_TOLERANCE = 0.5
"""How far outside the photo a landmark may lie, in sides of the photo: where the border crops a limb."""


def edits_digest(path: Path) -> str:
    """Return a SHA-256 of a file's edits and person, which does not depend on the fit that they correct.

    Raises:
        BadInput: the file or its mask is missing or cannot be read.
    """
    content = _read_json(path)
    edits = _object(path, content, "edits")
    mask = _parse_mask(path, edits.get("mask"))
    # Rewriting the file turns missing entries into empty ones, and 3 into 3.0: neither is a change.
    parts = [edits.get("landmarks") or {}, edits.get("joints") or {}, "" if mask is None else file_sha256(mask)]
    parts.append(content.get("person") or 1)
    same_numbers = json.loads(json.dumps(parts, sort_keys=True), parse_int=float)
    return hashlib.sha256(json.dumps(same_numbers).encode()).hexdigest()


def read_fit_file(path: Path, sha256: str, size: tuple[int, int], body_model: str) -> FitFile:
    """Read and validate a fit.json for a photo.

    Args:
        path: the file.
        sha256: SHA-256 of the photo's file.
        size: height and width of the photo as read, px, to which the file's pixel coordinates are scaled.
        body_model: name of the body model that will be fitted.

    Returns:
        The edits, the person's number and the fit to start from; what the file lacks is empty or None.

    Raises:
        BadInput: the file cannot be read, belongs to another photo or body model, or holds an invalid value.
    """
    content = _read_json(path)
    if content.get("photo_sha256", sha256) != sha256:
        raise BadInput(
            f"{path} belongs to another photo ({content.get('photo', 'unnamed')}).\nPass that photo, or the file that "
            "`sherf reconstruct` wrote for this one."
        )
    scale = _pixel_scale(path, content, size)
    entry = _Entry(path, "edits", _object(path, content, "edits"))
    edits = Edits(
        _parse_landmarks(entry, scale, size),
        _parse_joints(entry.child("joints")),
        _parse_mask(path, entry.values.get("mask")),
    )
    person = content.get("person")
    if person is not None and not (type(person) is int and person > 0):
        raise BadInput(f'{path}: "person" is {person!r}; expected a whole number from 1 on, as in report.json.')
    start = None
    if content.get("fit") is not None:
        if content.get("body_model", body_model) != body_model:
            raise BadInput(
                f"{path} was fitted with the body model '{content['body_model']}', but '{body_model}' is requested.\n"
                'Pass the same --body-model, or remove "fit" from the file.'
            )
        start = _parse_fit(_Entry(path, "fit", _object(path, content, "fit")), scale, size)
    return FitFile(edits, person, start)


@dataclass(frozen=True)
class _Entry:
    """One JSON object of the file."""

    path: Path
    name: str
    """Keys that lead to it, joined by dots."""
    values: dict[str, Any]

    def child(self, key: str) -> "_Entry":
        return _Entry(self.path, f"{self.name}.{key}", _object(self.path, self.values, key))

    def numbers(self, key: str, count: int, limit: float) -> list[float]:
        """Return a list of exactly `count` finite numbers of magnitude at most `limit`.

        Raises:
            BadInput: the value is anything else.
        """
        value = self.values.get(key)
        if (
            not isinstance(value, list)
            or len(value) != count
            or not all(type(x) in (int, float) and abs(x) <= limit for x in value)
        ):
            raise BadInput(
                f'{self.path}: "{self.name}.{key}" is {str(value)[:80]}; expected a list of {count} numbers between '
                f"-{limit:g} and {limit:g}."
            )
        return [float(x) for x in value]


def _read_json(path: Path) -> dict[str, Any]:
    """Return the content of a file with the right format and version.

    Raises:
        BadInput: the file is missing, too large, not JSON, or not a fit.json of a known version.
    """
    if not path.is_file():
        raise BadInput(f"there is no file {path}. Pass a fit.json that `sherf reconstruct` wrote, with your edits.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES >> 20} MB, which no fit.json is.\nPass another file.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"{path} cannot be read as JSON: {error}.\nPass a fit.json that `sherf reconstruct` wrote, with your edits."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f'{path} is not a fit.json: its "format" must be "{FORMAT}".')
    check_version(path, content.get("version", 1), FORMAT_VERSION)
    return content


def _object(path: Path, content: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the JSON object under a key; a missing or null one is empty.

    Raises:
        BadInput: the value is not an object.
    """
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise BadInput(f'{path}: "{key}" is {str(value)[:80]}; expected an object in braces.')
    return value


def _pixel_scale(path: Path, content: dict[str, Any], size: tuple[int, int]) -> float:
    """Return the pixels of the photo as read per pixel of the file.

    Raises:
        BadInput: the file's "size" has another aspect ratio than the photo.
    """
    width, height = size[1], size[0]
    given = content.get("size", [width, height])
    is_size = isinstance(given, list) and len(given) == 2 and all(type(x) is int and 0 < x < 1e6 for x in given)
    if not is_size or abs(given[0] / given[1] / (width / height) - 1) > 0.02:
        raise BadInput(
            f'{path}: "size" is {str(given)[:80]}, but the photo is {width} x {height} pixels.\n'
            f"Use [{width}, {height}] or the photo's original width and height."
        )
    return width / given[0]


def _check_names(entry: _Entry, names: tuple[str, ...], kind: str) -> None:
    if unknown := sorted(entry.values.keys() - set(names)):
        raise BadInput(f'{entry.path}: unknown {kind} "{unknown[0]}".\nChoose one of: {", ".join(names)}.')


def _parse_landmarks(edits: _Entry, scale: float, size: tuple[int, int]) -> dict[str, tuple[float, float] | None]:
    """Return the edited landmarks in pixels of the photo as read.

    Raises:
        BadInput: a name is unknown, or a position is invalid or far outside the photo.
    """
    entry = edits.child("landmarks")
    _check_names(entry, tuple(marks.INDEX), "landmark")
    landmarks: dict[str, tuple[float, float] | None] = {}
    for name, value in entry.values.items():
        if value is None:
            landmarks[name] = None
            continue
        x, y = (scale * number for number in entry.numbers(name, 2, 1e6))
        margin = [FRAME_TOLERANCE * side for side in size]
        if not (-margin[1] <= x <= size[1] + margin[1] and -margin[0] <= y <= size[0] + margin[0]):
            raise BadInput(
                f'{entry.path}: the landmark "{name}" at {value} is far outside the photo, which is '
                f"{size[1] / scale:.0f} x {size[0] / scale:.0f} pixels."
            )
        landmarks[name] = (x, y)
    return landmarks


def _parse_joints(entry: _Entry) -> dict[str, tuple[float, float, float]]:
    _check_names(entry, JOINT_NAMES, "joint")
    rotations = {}
    for name in entry.values:
        x, y, z = entry.numbers(name, 3, MAX_ANGLE)
        rotations[name] = (x, y, z)
    return rotations


def _parse_mask(path: Path, value: Any) -> Path | None:
    """Return the path of the mask beside the file.

    Raises:
        BadInput: it is not a file name, or the file is missing.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadInput(f'{path}: "edits.mask" is {str(value)[:80]}; expected the name of an image beside the file.')
    mask = path.parent / value
    if not os.path.isfile(mask):  # unlike Path.is_file, False for names that are too long
        raise BadInput(f'{path}: "edits.mask" is {mask}, which is missing.\nPut the mask there, or remove "mask".')
    return mask


def _parse_fit(entry: _Entry, scale: float, size: tuple[int, int]) -> BodyFit:
    """Return body and camera for the photo as read.

    Raises:
        BadInput: a value is missing or out of range.
    """
    camera, joints = entry.child("camera"), entry.child("joints")
    focal, pitch = camera.values.get("focal_px"), camera.values.get("pitch")
    if not isinstance(focal, int | float) or isinstance(focal, bool) or not 0 < focal < 1e6:
        raise BadInput(f'{entry.path}: "fit.camera.focal_px" is {str(focal)[:40]}; expected a positive number.')
    if not isinstance(pitch, int | float) or isinstance(pitch, bool) or not abs(pitch) < MAX_PITCH:
        raise BadInput(
            f'{entry.path}: "fit.camera.pitch" is {str(pitch)[:40]}; expected radians between -pi/2 and pi/2.'
        )
    translation = torch.tensor(camera.numbers("translation", 3, MAX_DISTANCE_M))
    if not float(translation[2]) > 0:
        raise BadInput(f'{entry.path}: "fit.camera.translation" puts the body behind the camera.')
    rotations = torch.tensor([joints.numbers(name, 3, MAX_ANGLE) for name in JOINT_NAMES])
    betas = torch.tensor(entry.numbers("betas", NUM_BETAS, MAX_BETA))
    return BodyFit(
        BodyPose(betas, rotations, torch.eye(3), torch.zeros(3)),
        Camera(intrinsics(focal * scale, size), camera_rotation(torch.tensor(float(pitch))), translation, size),
    )
