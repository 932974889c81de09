"""Corrections of a fit, as the page collects them: landmarks that were moved, swapped sides, another lens."""

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
from sherf.camera.image import to_bytes
from sherf.errors import BadInput
from sherf.photo.landmarks import LANDMARKS
from sherf.photo.read import read_photo

NAMES = frozenset(mark.name for mark in LANDMARKS)
VISIBLE = 0.5
LONGEST = 1200
"""Side of the picture that is shown, pixels."""


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

    def say(self, message: Any, fit: dict[str, Any]) -> None:
        """Take what the browser says of one landmark; anything may come from there.

        Args:
            message: {"name": "left_wrist", "place": [x, y]}; null: nobody can see it; no "place": as it was found.
            fit: of the photo that it was said of.

        Raises:
            BadInput: it is no such message.
        """
        name = message.get("name") if isinstance(message, dict) else None
        if not isinstance(name, str) or name not in NAMES:
            raise BadInput("a point was moved that no body has: nothing was changed. Load the page anew.")
        if "place" not in message:
            self.landmarks.pop(name, None)
            return
        place = message["place"]
        if place is not None and not _is_within(place, fit["size"]):
            raise BadInput(f"the {spoken(name)} was moved out of the photo: nothing was changed. Drop it on the photo.")
        self.landmarks[name] = None if place is None else [float(number) for number in place]

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

    def marks(self, fit: dict[str, Any]) -> list[dict[str, Any]]:
        """What landmarks.js draws: where each was found, whether it was seen there, and where it is said to be."""
        placed = self.places(fit["landmarks"])
        return [
            {"name": name, "found": found["pixel"], "seen": found["visibility"] > VISIBLE}
            | ({"place": placed[name]} if name in placed else {})
            for name, found in fit["landmarks"].items()
        ]


def of_height(body: BodyModel, betas: Float[Tensor, " 10"], height: float) -> Float[Tensor, " 10"]:
    """The nearest shape of a height, metres."""
    before = body.height(betas)
    rise = torch.tensor([body.height(betas + step) - before for step in torch.eye(len(betas))])
    return betas + (height - before) / rise.square().sum() * rise


def small(photo: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The picture that landmarks are moved on, and the mask is painted on."""
    picture = Image.fromarray(to_bytes(read_photo(photo).image))
    zoom = min(1.0, LONGEST / max(picture.size))
    return np.array(picture.resize([round(zoom * side) for side in picture.size]))


def spoken(name: str) -> str:
    """A landmark's name as people say it."""
    return name.replace("_", " ")


def _is_within(place: Any, size: list[int]) -> bool:
    plain = isinstance(place, list) and len(place) == 2 and all(type(number) in (int, float) for number in place)
    return plain and all(0 <= number <= side for number, side in zip(place, size, strict=True))


def _seen(found: dict[str, Any]) -> list[float] | None:
    return found["pixel"] if found["visibility"] > VISIBLE else None
