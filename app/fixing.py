"""Corrections of a fit, as the page collects them: points that were clicked, swapped sides, another lens."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from sherf.body.model import BodyModel
from sherf.body.skeleton import mirrored_name
from sherf.image import to_bytes
from sherf.photo.landmarks import LANDMARKS
from sherf.photo.read import read_photo

POINTS = tuple(mark.name for mark in LANDMARKS)
FOUND, PLACED, HIDDEN = (70, 160, 255), (40, 200, 90), (150, 150, 150)
VISIBLE = 0.5
LONGEST = 1200
"""Side of the picture that is clicked on, pixels."""


@dataclass
class Fix:
    """What a visitor says against a fit."""

    landmarks: dict[str, list[float] | None] = field(default_factory=dict)
    """Pixels of the photo; None: nobody can see it."""
    swapped: bool = False
    """Left and right are the wrong way round."""
    focal: float = 1.0
    """Times the focal length that was taken."""
    height: float | None = None
    """Of the person, metres, where the visitor knows it: one photo cannot tell tall and far from short and near."""

    def places(self, found: dict[str, Any]) -> dict[str, list[float] | None]:
        """Where all points that are not as found should be."""
        swapped = {name: _seen(found[mirrored_name(name)]) for name in found} if self.swapped else {}
        return {name: place for name, place in swapped.items() if name != mirrored_name(name)} | self.landmarks

    def write(self, fit: dict[str, Any], body: BodyModel, mask: Path | None, path: Path) -> Path:
        """A fit.json for `--edit` (see `sherf.photo.edit`): from the fit that was made, with these corrections."""
        start = None if self.swapped else fit["fit"]
        if start is not None:
            betas, camera, grown = torch.tensor(start["betas"]), start["camera"], 1.0
            if self.height is not None:
                grown = self.height / body.height(betas)
                betas = of_height(body, betas, self.height)
            x, y, z = (grown * number for number in camera["translation"])
            lens = {"focal_px": self.focal * camera["focal_px"], "translation": [x, y, self.focal * z]}
            start = {**start, "betas": betas.tolist(), "camera": {**camera, **lens}}
        edits = {**fit["edits"], "landmarks": fit["edits"]["landmarks"] | self.places(fit["landmarks"])}
        if mask is not None:
            edits["mask"] = str(mask.resolve())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**fit, "fit": start, "edits": edits}))
        return path

    def drawn(
        self, picture: UInt8[np.ndarray, "h w 3"], fit: dict[str, Any], chosen: str
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The photo (`small`) with its points: blue as found, green as placed, grey where none is seen."""
        zoom, canvas, radius = zoom_of(fit), picture.copy(), max(3, round(max(picture.shape[:2]) / 160))
        placed = self.places(fit["landmarks"])
        for name, found in fit["landmarks"].items():
            place = placed.get(name, found["pixel"])
            colour = PLACED if name in placed else FOUND if found["visibility"] > VISIBLE else HIDDEN
            x, y = (round(zoom * number) for number in place or found["pixel"])
            colour = HIDDEN if place is None else colour
            cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA)
            if name == chosen:
                cv2.circle(canvas, (x, y), 2 * radius, (255, 255, 255), 2, cv2.LINE_AA)
                cv2.circle(canvas, (x, y), 2 * radius + 2, (0, 0, 0), 1, cv2.LINE_AA)
        return canvas


def of_height(body: BodyModel, betas: Float[Tensor, " 10"], height: float) -> Float[Tensor, " 10"]:
    """The nearest shape of a height, metres."""
    before = body.height(betas)
    rise = torch.tensor([body.height(betas + step) - before for step in torch.eye(len(betas))])
    return betas + (height - before) / rise.square().sum() * rise


def zoom_of(fit: dict[str, Any]) -> float:
    """Pixels of the picture that is clicked on in one of the photo's."""
    return min(1.0, LONGEST / max(fit["size"]))


def small(photo: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The picture that is clicked on."""
    picture = Image.fromarray(to_bytes(read_photo(photo).image))
    zoom = zoom_of({"size": picture.size})
    return np.array(picture.resize([round(zoom * side) for side in picture.size]))


def _seen(found: dict[str, Any]) -> list[float] | None:
    return found["pixel"] if found["visibility"] > VISIBLE else None
