"""The file fit.json: the fit of a photo, and the user's corrections of it.

    {"format": "sherf-fit-1", "version": 1,
     "photo": "me.jpg", "photo_sha256": "...", "size": [width, height], "person": 1,
     "body_model": "openbody",
     "fit": {"betas": [10 numbers],
             "joints": {"pelvis": [x, y, z], ... 24 joints},        axis-angle, parent-relative, radians
             "camera": {"focal_px": f, "pitch": radians down, "translation": [x, y, z] metres}},
     "landmarks": {"nose": {"pixel": [x, y], "visibility": 0.99}, ... 23},
     "edits": {"landmarks": {"left_wrist": [412, 388],              at this pixel
                             "right_knee": null},                   hidden
               "joints": {"head": [0, 0.4, 0]},                     fixed to this rotation
               "mask": "mine.png"}}                                 beside this file, white on black

`sherf reconstruct` writes it. `--edit` reads it, starts from "fit" and keeps to "edits". Only "format" is required:
without "fit" the fit starts from scratch. Pixel coordinates start at the top-left corner of the upright photo scaled to
"size", which may also be the photo's original size. Left and right are the person's own.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.skeleton import JOINT_NAMES
from sherf.errors import BadInput
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.energy import camera_pitch
from sherf.photo.fit import BodyFit

FORMAT, FORMAT_VERSION = "sherf-fit-1", 1
"""The format's name never changes; a change of the format raises the version. A missing version means 1."""

MIN_EXTENT_PX = 8
"""Landmarks that lie closer together than this are not a person."""


@dataclass(frozen=True)
class Edits:
    """The user's corrections of a fit."""

    landmarks: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    """By names in `landmarks.LANDMARKS`: the position in the photo as read, px, or None for a hidden landmark."""
    joints: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """By names in `skeleton.JOINT_NAMES`: the rotation, axis-angle, parent-relative, radians."""
    mask: Path | None = None
    """A mask image of the person."""

    @property
    def placed(self) -> tuple[str, ...]:
        """Names of the landmarks with a given position."""
        return tuple(name for name, position in self.landmarks.items() if position is not None)


@dataclass(frozen=True)
class FitFile:
    """The content of a fit.json that a new fit uses."""

    edits: Edits = Edits()
    person: int | None = None
    """Number of the person in the photo, counted from 1."""
    start: BodyFit | None = None
    """The fit to start from."""


def fit_record(fit: BodyFit, person: Person) -> dict[str, Any]:
    """Return the "fit" and "landmarks" entries of a fit.json.

    Args:
        fit: body and camera, as `fit_body` returns them.
        person: whose landmarks are recorded, in the pixels of the photo as read.
    """
    camera, pose = fit.camera, fit.pose
    found = zip(
        marks.LANDMARKS,
        marks.from_blazepose(person.landmarks),
        marks.from_blazepose(person.visibility).tolist(),
        strict=True,
    )
    return {
        "fit": {
            "betas": _rounded(pose.betas, 5),
            "joints": {name: _rounded(rotation, 5) for name, rotation in zip(JOINT_NAMES, pose.joints, strict=True)},
            "camera": {
                "focal_px": round(float(camera.K[0, 0]), 3),
                "pitch": round(float(camera_pitch(camera.R)), 6),
                "translation": _rounded(camera.T, 5),
            },
        },
        "landmarks": {
            mark.name: {"pixel": _rounded(pixel, 2), "visibility": round(visibility, 3)}
            for mark, pixel, visibility in found
        },
    }


def edits_record(edits: Edits) -> dict[str, Any]:
    """Return the "edits" entry of a fit.json."""
    mask = None if edits.mask is None else str(edits.mask)
    return {"landmarks": edits.landmarks, "joints": edits.joints, "mask": mask}


def apply_edits(person: Person, edits: Edits) -> Person:
    """Return the person with placed landmarks moved and made visible, and hidden ones made invisible.

    Raises:
        BadInput: fewer than two visible landmarks remain, or they all lie within `MIN_EXTENT_PX`.
    """
    points, visibility = person.landmarks.clone(), person.visibility.clone()
    for name, position in edits.landmarks.items():
        indices = list(marks.LANDMARKS[marks.INDEX[name]].blazepose)
        if position is not None:
            points[indices] = torch.tensor(position)
        visibility[indices] = 0.0 if position is None else 1.0
    visible = marks.from_blazepose(points)[marks.from_blazepose(visibility) > 0]
    if edits.landmarks and (len(visible) < 2 or float((visible.amax(0) - visible.amin(0)).max()) < MIN_EXTENT_PX):
        raise BadInput(
            f"all visible landmarks lie within {MIN_EXTENT_PX} pixels, too close together for a person.\n"
            'Check "edits" in the fit.json: pixels are [x, y] from the photo\'s top-left corner.'
        )
    return replace(person, landmarks=points, visibility=visibility)


def _rounded(values: Float[Tensor, " value"], digits: int) -> list[float]:
    return [round(x, digits) for x in values.tolist()]
