"""Corrections of a fit, as the page collects them: points that were clicked, swapped sides, another lens."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

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

    def places(self, found: dict[str, Any]) -> dict[str, list[float] | None]:
        """Where all points that are not as found should be."""
        swapped = {name: _seen(found[_other(name)]) for name in found} if self.swapped else {}
        return {name: place for name, place in swapped.items() if name != _other(name)} | self.landmarks

    def write(self, fit: dict[str, Any], mask: Path | None, path: Path) -> Path:
        """A fit.json for `--edit` (see `sherf.photo.edit`): from the fit that was made, with these corrections."""
        start = None if self.swapped else fit["fit"]
        if start is not None:
            camera = start["camera"]
            x, y, z = camera["translation"]
            lens = {"focal_px": self.focal * camera["focal_px"], "translation": [x, y, self.focal * z]}
            start = {**start, "camera": {**camera, **lens}}
        edits = {**fit["edits"], "landmarks": fit["edits"]["landmarks"] | self.places(fit["landmarks"])}
        if mask is not None:
            edits["mask"] = str(mask.resolve())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**fit, "fit": start, "edits": edits}))
        return path

    def drawn(self, photo: Path, fit: dict[str, Any], chosen: str) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
        """The photo with its points: blue as found, green as placed, grey where none is seen.

        Returns:
            The picture, and its pixels in one of the photo's.
        """
        pixels = (read_photo(photo).image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        zoom = min(1.0, LONGEST / max(pixels.shape[:2]))
        picture = Image.fromarray(pixels).resize((round(pixels.shape[1] * zoom), round(pixels.shape[0] * zoom)))
        canvas, radius = np.array(picture), max(3, round(max(picture.size) / 160))
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
        return canvas, zoom


def _other(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


def _seen(found: dict[str, Any]) -> list[float] | None:
    return found["pixel"] if found["visibility"] > VISIBLE else None
