"""A photo after its reconstruction: the avatar, and the files in its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image, ImageOps

from sherf.app.fit_corrections import read_preview
from sherf.app.masks import Painting, full_photo_mask, make_painting
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.result_files import AVATAR, FIT, OVERLAY, OWN_VIEW
from sherf.body.body_model import BodyModel
from sherf.files.digest import file_sha256


@dataclass(frozen=True)
class FittedPhoto:
    """One person of a photo, fitted and encoded."""

    photo: Path
    """The session's own copy."""
    avatar: EncodedAvatar
    body: BodyModel
    """The avatar's body model."""
    folder: Path
    """Folder of avatar.safetensors, overlay.png and fit.json."""

    @property
    def name(self) -> str:
        """What tells the fit from all others of its session: the folders of photo and person."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def report(self) -> dict[str, Any]:
        """What was found in the photo, and how well the body fits; the content of report.json."""
        return self.avatar.report

    @property
    def fit(self) -> dict[str, Any]:
        """Content of fit.json."""
        return json.loads((self.folder / FIT).read_text())

    @property
    def height(self) -> float:
        """Height of the person as fitted, metres."""
        return self.body.height(self.avatar.bank.subject.pose.betas)

    @property
    def overlay(self) -> Path:
        """The photo with mask, skeleton and body drawn over it."""
        return self.folder / OVERLAY

    @property
    def avatar_file(self) -> Path:
        """The avatar, as the command line reads it."""
        return self.folder / AVATAR

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """The person's mask in the whole photo, at the size that the photo was read at."""
        width, height = self.fit["size"]
        return full_photo_mask(self.avatar.bank.subject, (height, width))

    def is_of(self, photo: Path) -> bool:
        """Return whether a file holds this photo, byte for byte."""
        return photo.is_file() and file_sha256(photo) == file_sha256(self.photo)

    def person_at(self, x: float, y: float) -> int | None:
        """Return the number of the smallest person whose box holds a pixel of the photo file, from 1, or None."""
        with Image.open(self.photo) as image:
            width = ImageOps.exif_transpose(image).width
        scale = self.fit["size"][0] / width  # large photos are reduced before people are detected
        matches = []
        for number, person in enumerate(self.report.get("people", []), start=1):
            x0, y0, x1, y1 = person["box"]
            if x0 <= scale * x <= x1 and y0 <= scale * y <= y1:
                matches.append(((x1 - x0) * (y1 - y0), number))
        return min(matches)[1] if matches else None

    def write_preview(self) -> Path:
        """Return the reduced photo that landmarks are moved on, a JPEG; it is written once."""
        path = self.folder / "small.jpg"
        if not path.exists():
            Image.fromarray(read_preview(self.photo)).save(path, quality=90)
        return path

    def write_own_view(self) -> tuple[str, str] | None:
        """Return the masked photo and the avatar seen through its camera, as PNG files, which are written once.

        Returns:
            Both paths; None where the avatar was made without comparing it with its photo.
        """
        pair, source = (self.folder / "own_photo.png", self.folder / "own_avatar.png"), self.folder / OWN_VIEW
        if not source.exists():
            return None
        if not all(path.exists() for path in pair):
            with Image.open(source) as both:
                middle = both.width // 2
                both.crop((0, 0, middle, both.height)).save(pair[0])
                both.crop((middle, 0, both.width, both.height)).save(pair[1])
        return str(pair[0]), str(pair[1])

    def make_painting(self) -> Painting:
        """Return the photo with its mask for the mask editor."""
        return make_painting(read_preview(self.photo), self.mask)
