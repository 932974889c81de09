"""fit.json: what was found in a photo, and what its user says against it.

    {"format": "sherf-fit-1", "version": 1,
     "photo": "me.jpg", "photo_sha256": "...", "size": [width, height], "person": 1,
     "body_model": "openbody",
     "fit": {"betas": [10 numbers],
             "joints": {"pelvis": [x, y, z], ... 24 joints},        axis-angle to the parent, radians
             "camera": {"focal_px": f, "pitch": radians down, "translation": [x, y, z] metres}},
     "landmarks": {"nose": {"pixel": [x, y], "visibility": 0.99}, ... 23},
     "edits": {"landmarks": {"left_wrist": [412, 388],              it is there
                             "right_knee": null},                   nobody can see it
               "joints": {"head": [0, 0.4, 0]},                     it is turned so
               "mask": "mine.png"}}                                 beside this file, white on black

`sherf reconstruct` writes it; `--edit` reads it, begins with "fit" and holds "edits". Everything but "format" may be
missing: without "fit" the fit begins anew. Pixels count from the upright photo's top left corner, at "size"; the
photo's own size in the file is as good. Left and right are the person's own.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.skeleton import JOINT_NAMES, NUM_BETAS
from sherf.camera.pinhole import intrinsics
from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.files.versions import check_version
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.energy import camera_pitch, camera_rotation
from sherf.photo.fit import BodyFit
from sherf.scene import BodyPose, Camera

FORMAT, FORMAT_VERSION = "sherf-fit-1", 1
"""The format's name stays; what changes raises the version. Files of before it was written are of version 1."""
MOST_BYTES = 2**20
TURN_LIMIT = 2 * math.pi
FURTHEST_M, SHAPE_LIMIT, STEEPEST = 1000.0, 20.0, math.pi / 2
FRAME_TOLERANCE = 0.5
"""A landmark may lie so far outside of the photo, in its sides: where the picture cuts a limb off."""

LEAST_EXTENT_PX = 8
"""Of all landmarks that are to be seen: what lies closer together is no person."""


@dataclass(frozen=True)
class Edits:
    """What the user knows better."""

    landmarks: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    """By their names in `landmarks.LANDMARKS`: where they are, px, or that they cannot be seen."""
    joints: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """By their names in `skeleton.JOINT_NAMES`: axis-angle to the parent, radians."""
    mask: Path | None = None

    @property
    def placed(self) -> tuple[str, ...]:
        """Names of the landmarks that have a place."""
        return tuple(name for name, place in self.landmarks.items() if place is not None)


@dataclass(frozen=True)
class FitFile:
    """What an edit file says."""

    edits: Edits = Edits()
    person: int | None = None
    start: BodyFit | None = None
    """Where to go on from."""


def fit_record(fit: BodyFit, person: Person) -> dict[str, Any]:
    """The parts "fit" and "landmarks" of the file."""
    camera, pose = fit.camera, fit.pose
    found = zip(
        marks.LANDMARKS, marks.observed(person.landmarks), marks.observed(person.visibility).tolist(), strict=True
    )
    return {
        "fit": {
            "betas": _rounded(pose.betas, 5),
            "joints": {name: _rounded(turn, 5) for name, turn in zip(JOINT_NAMES, pose.joints, strict=True)},
            "camera": {
                "focal_px": round(float(camera.K[0, 0]), 3),
                "pitch": round(float(camera_pitch(camera.R)), 6),
                "translation": _rounded(camera.T, 5),
            },
        },
        "landmarks": {
            mark.name: {"pixel": _rounded(pixel, 2), "visibility": round(seen, 3)} for mark, pixel, seen in found
        },
    }


def edits_record(edits: Edits) -> dict[str, Any]:
    """The part "edits" of the file."""
    mask = None if edits.mask is None else str(edits.mask)
    return {"landmarks": edits.landmarks, "joints": edits.joints, "mask": mask}


def edited(person: Person, edits: Edits) -> Person:
    """The person with the landmarks that the user placed or called hidden.

    Raises:
        BadInput: nothing of a person is left by that.
    """
    points, visibility = person.landmarks.clone(), person.visibility.clone()
    for name, place in edits.landmarks.items():
        own = list(marks.LANDMARKS[marks.INDEX[name]].blazepose)
        if place is not None:
            points[own] = torch.tensor(place)
        visibility[own] = 0.0 if place is None else 1.0
    seen = marks.observed(points)[marks.observed(visibility) > 0]
    if edits.landmarks and (len(seen) < 2 or float((seen.amax(0) - seen.amin(0)).max()) < LEAST_EXTENT_PX):
        raise BadInput(
            f"all landmarks that are to be seen lie within {LEAST_EXTENT_PX} pixels: no person is as small as that.\n"
            'Look at "edits" of the fit.json: pixels are [x, y] from the photo\'s top left corner.'
        )
    return replace(person, landmarks=points, visibility=visibility)


def edits_digest(path: Path) -> str:
    """Tells a file's edits from others, whatever fit they begin with.

    Raises:
        BadInput: the file or its mask is not there or cannot be read.
    """
    content = _content(path)
    edits = _dictionary(path, content, "edits")
    mask = _mask(path, edits.get("mask"))
    # the file may have been written anew: what was missing is empty now, and 3 is 3.0
    parts = [edits.get("landmarks") or {}, edits.get("joints") or {}, "" if mask is None else file_sha256(mask)]
    parts.append(content.get("person") or 1)
    same_numbers = json.loads(json.dumps(parts, sort_keys=True), parse_int=float)
    return hashlib.sha256(json.dumps(same_numbers).encode()).hexdigest()


def read_fit_file(path: Path, sha256: str, size: tuple[int, int], body_model: str) -> FitFile:
    """Read a fit.json for a photo.

    Args:
        sha256: of the photo's file.
        size: height and width of the photo as it was read, px; the file's pixels are brought there.
        body_model: the one that is fitted.

    Raises:
        BadInput: it cannot be read, is of another photo or body model, or says something that cannot be.
    """
    content = _content(path)
    if content.get("photo_sha256", sha256) != sha256:
        raise BadInput(
            f"{path} belongs to another photo ({content.get('photo', 'unnamed')}).\nPass that photo, or the file that "
            "`sherf reconstruct` wrote for this one."
        )
    scale = _scale(path, content, size)
    part = _Part(path, "edits", _dictionary(path, content, "edits"))
    edits = Edits(_landmarks(part, scale, size), _joints(part.inner("joints")), _mask(path, part.values.get("mask")))
    person = content.get("person")
    if person is not None and not (type(person) is int and person > 0):
        raise BadInput(f'{path}: "person" is {person!r}; it is a number from 1 on, as in report.json.')
    start = None
    if content.get("fit") is not None:
        if content.get("body_model", body_model) != body_model:
            raise BadInput(
                f"{path} was fitted with the body model '{content['body_model']}', now '{body_model}' is asked for.\n"
                'Pass the same --body-model, or remove "fit" from the file.'
            )
        start = _fit(_Part(path, "fit", _dictionary(path, content, "fit")), scale, size)
    return FitFile(edits, person, start)


@dataclass(frozen=True)
class _Part:
    """One object of the file."""

    path: Path
    name: str
    values: dict[str, Any]

    def inner(self, key: str) -> "_Part":
        return _Part(self.path, f"{self.name}.{key}", _dictionary(self.path, self.values, key))

    def numbers(self, key: str, count: int, limit: float) -> list[float]:
        """So many finite numbers, none larger than a limit."""
        value = self.values.get(key)
        plain = isinstance(value, list) and all(type(x) in (int, float) for x in value)
        if not plain or len(value) != count or not all(abs(x) <= limit for x in value):
            raise BadInput(
                f'{self.path}: "{self.name}.{key}" is {str(value)[:80]}; expected {count} numbers of at most {limit:g}.'
            )
        return [float(x) for x in value]


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadInput(f"there is no file {path}. Give the fit.json that `sherf reconstruct` wrote, edited.")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}.\nGive a fit.json, as it was or edited.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f'{path} is no fit.json: its "format" has to be "{FORMAT}".')
    check_version(path, content.get("version", 1), FORMAT_VERSION)
    return content


def _dictionary(path: Path, content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise BadInput(f'{path}: "{key}" is {str(value)[:80]}; expected an object in braces.')
    return value


def _scale(path: Path, content: dict[str, Any], size: tuple[int, int]) -> float:
    """Pixels of the photo as it was read in one of the file's."""
    width, height = size[1], size[0]
    given = content.get("size", [width, height])
    is_size = isinstance(given, list) and len(given) == 2 and all(type(x) is int and 0 < x < 1e6 for x in given)
    if not is_size or abs(given[0] / given[1] / (width / height) - 1) > 0.02:
        raise BadInput(f'{path}: "size" is {str(given)[:80]}, the photo\'s is [{width}, {height}] or a multiple of it.')
    return width / given[0]


def _known(part: _Part, names: tuple[str, ...], what: str) -> None:
    if unknown := sorted(part.values.keys() - set(names)):
        raise BadInput(f'{part.path}: no {what} is called "{unknown[0]}". There are {", ".join(names)}.')


def _landmarks(edits: _Part, scale: float, size: tuple[int, int]) -> dict[str, tuple[float, float] | None]:
    part = edits.inner("landmarks")
    _known(part, tuple(marks.INDEX), "landmark")
    placed: dict[str, tuple[float, float] | None] = {}
    for name, value in part.values.items():
        if value is None:
            placed[name] = None
            continue
        x, y = (scale * number for number in part.numbers(name, 2, 1e6))
        reach = [FRAME_TOLERANCE * side for side in size]
        if not (-reach[1] <= x <= size[1] + reach[1] and -reach[0] <= y <= size[0] + reach[0]):
            raise BadInput(
                f'{part.path}: the landmark "{name}" at {value} lies far outside of the photo, which has '
                f"{size[1] / scale:.0f} x {size[0] / scale:.0f} pixels."
            )
        placed[name] = (x, y)
    return placed


def _joints(part: _Part) -> dict[str, tuple[float, float, float]]:
    _known(part, JOINT_NAMES, "joint")
    turns = {}
    for name in part.values:
        x, y, z = part.numbers(name, 3, TURN_LIMIT)
        turns[name] = (x, y, z)
    return turns


def _mask(path: Path, value: Any) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadInput(f'{path}: "edits.mask" is {str(value)[:80]}; expected the name of a picture beside the file.')
    mask = path.parent / value
    if not os.path.isfile(mask):  # a name too long for a file is none either
        raise BadInput(f'{path}: "edits.mask" names {mask}, which is not there.')
    return mask


def _fit(part: _Part, scale: float, size: tuple[int, int]) -> BodyFit:
    camera, joints = part.inner("camera"), part.inner("joints")
    focal, pitch = (camera.values.get(name) for name in ("focal_px", "pitch"))
    if type(focal) not in (int, float) or not 0 < focal < 1e6 or type(pitch) not in (int, float):
        raise BadInput(f'{part.path}: "fit.camera" needs a positive "focal_px" and a "pitch".')
    if not abs(pitch) < STEEPEST:
        raise BadInput(
            f'{part.path}: "fit.camera.pitch" is {str(pitch)[:40]}; expected radians between -pi/2 and pi/2.'
        )
    translation = torch.tensor(camera.numbers("translation", 3, FURTHEST_M))
    if not float(translation[2]) > 0:
        raise BadInput(f'{part.path}: "fit.camera.translation" puts the body behind the camera.')
    turns = torch.tensor([joints.numbers(name, 3, TURN_LIMIT) for name in JOINT_NAMES])
    betas = torch.tensor(part.numbers("betas", NUM_BETAS, SHAPE_LIMIT))
    return BodyFit(
        BodyPose(betas, turns, torch.eye(3), torch.zeros(3)),
        Camera(intrinsics(focal * scale, size), camera_rotation(torch.tensor(float(pitch))), translation, size),
    )


def _rounded(values: Float[Tensor, " value"], digits: int) -> list[float]:
    return [round(x, digits) for x in values.tolist()]
