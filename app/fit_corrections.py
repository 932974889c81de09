"""Corrections of a fit as the page collects them: moved landmarks, swapped sides, focal length and height."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import mirrored_name
from sherf.errors import BadInput
from sherf.files.images import to_uint8
from sherf.photo.landmarks import LANDMARKS
from sherf.photo.photo_reader import read_photo

LANDMARK_NAMES = frozenset(mark.name for mark in LANDMARKS)
VISIBLE = 0.5
"""Visibility above which a detected landmark counts as seen."""
MAX_PREVIEW_SIDE = 1200
"""Longer side of the photo that landmarks are moved on, pixels."""


@dataclass
class FitCorrections:
    """The user's corrections of one fit; without any, the fit stays as it was detected."""

    landmarks: dict[str, list[float] | None] = field(default_factory=dict)
    """Corrected pixel coordinates in the photo, by landmark; None: not visible."""
    swapped: bool = False
    """Left and right were confused."""
    focal: float = 1.0
    """Focal length multiplier."""
    height: float | None = None
    """Height of the person, metres, if known; a single photo leaves height and distance ambiguous."""

    def move_landmark(self, message: Any, fit: dict[str, Any]) -> None:
        """Apply one message of landmarks.js. Messages are untrusted and validated.

        Args:
            message: {"name": "left_wrist", "position": [x, y]} in pixels of the photo; a null position marks the
                landmark as not visible, a missing one resets it.
            fit: content of the fit.json that the landmark belongs to.

        Raises:
            BadInput: the landmark is unknown, or its position is not a point of the photo.
        """
        name = message.get("name") if isinstance(message, dict) else None
        if not isinstance(name, str) or name not in LANDMARK_NAMES:
            raise BadInput("unknown landmark: nothing was changed. Reload the page.")
        if "position" not in message:
            self.landmarks.pop(name, None)
            return
        position = message["position"]
        if position is not None and not _is_within(position, fit["size"]):
            raise BadInput(
                f"the {display_name(name)} was moved out of the photo: nothing was changed. Drop it on the photo."
            )
        self.landmarks[name] = None if position is None else [float(number) for number in position]

    def corrected_landmarks(self, detected: dict[str, Any]) -> dict[str, list[float] | None]:
        """Return pixel coordinates of all landmarks that differ from the detected ones; None: not visible.

        Args:
            detected: "landmarks" of a fit.json.
        """
        swapped = {name: _visible_pixel(detected[mirrored_name(name)]) for name in detected} if self.swapped else {}
        return {name: pixel for name, pixel in swapped.items() if name != mirrored_name(name)} | self.landmarks

    def write(self, fit: dict[str, Any], body: BodyModel, mask: Path | None, path: Path) -> Path:
        """Write a corrected fit.json that `--edit` reads (`sherf.photo.fit_file`).

        Args:
            fit: content of the fit.json that is corrected.
            body: body model of that fit.
            mask: the user's mask, white on black; None keeps the detected one.
            path: file to write; its folder is created.

        Returns:
            `path`.
        """
        start = None if self.swapped else fit["fit"]
        if start is not None:
            betas, camera, scale = torch.tensor(start["betas"]), start["camera"], 1.0
            if self.height is not None:
                scale = self.height / body.height(betas)
                betas = betas_for_height(body, betas, self.height)
            x, y, z = (scale * number for number in camera["translation"])
            lens = {"focal_px": self.focal * camera["focal_px"], "translation": [x, y, self.focal * z]}
            start = {**start, "betas": betas.tolist(), "camera": {**camera, **lens}}
        landmarks = fit["edits"]["landmarks"] | self.corrected_landmarks(fit["landmarks"])
        edits = {**fit["edits"], "landmarks": landmarks}
        if mask is not None:
            edits["mask"] = str(mask.resolve())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**fit, "fit": start, "edits": edits}))
        return path

    def editable_landmarks(self, fit: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what landmarks.js draws: name, detected pixel, visibility, and the corrected position if any.

        Args:
            fit: content of a fit.json.
        """
        corrected = self.corrected_landmarks(fit["landmarks"])
        return [
            {"name": name, "detected": found["pixel"], "visible": found["visibility"] > VISIBLE}
            | ({"position": corrected[name]} if name in corrected else {})
            for name, found in fit["landmarks"].items()
        ]


def betas_for_height(body: BodyModel, betas: Float[Tensor, " 10"], height: float) -> Float[Tensor, " 10"]:
    """Return the betas of a given height (metres) that are nearest to `betas`, to first order."""
    before = body.height(betas)
    rise = torch.tensor([body.height(betas + step) - before for step in torch.eye(len(betas))])
    return betas + (height - before) / rise.square().sum() * rise


def read_preview(photo: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Read a photo for correcting landmarks and mask.

    Returns:
        sRGB, the longer side at most MAX_PREVIEW_SIDE.

    Raises:
        BadInput: the photo cannot be read.
    """
    image = Image.fromarray(to_uint8(read_photo(photo).image))
    scale = min(1.0, MAX_PREVIEW_SIDE / max(image.size))
    width, height = (round(scale * side) for side in image.size)
    return np.array(image.resize((width, height)))


def display_name(landmark: str) -> str:
    """Return a landmark's name for people: "left_wrist" → "left wrist"."""
    return landmark.replace("_", " ")


def _is_within(position: Any, size: list[int]) -> bool:
    is_point = isinstance(position, list) and len(position) == 2
    if not is_point or any(type(number) not in (int, float) for number in position):
        return False
    return all(0 <= number <= side for number, side in zip(position, size, strict=True))


def _visible_pixel(landmark: dict[str, Any]) -> list[float] | None:
    return landmark["pixel"] if landmark["visibility"] > VISIBLE else None
