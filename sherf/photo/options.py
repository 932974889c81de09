"""Options of reading a photo. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Masker = Literal["mediapipe", "rembg"]


@dataclass(frozen=True)
class PhotoOptions:
    """How a photo is read."""

    person: int | None = None
    """Which person, counted from 1, when the photo shows several; the most prominent one if not given."""
    mask: Path | None = None
    """Your own mask of the person: white on black, of the photo's size."""
    masker: Masker = "mediapipe"
    """What finds the mask: mediapipe (ships) with the picture's own edges, or rembg (pip install 'sherf[rembg]')."""
    edit: Path | None = None
    """A fit.json, as an earlier run wrote it, with your corrections in its "edits": landmarks, joints, a mask."""
    allow_partial: bool = False
    """Go on although an important part of the person is outside the photo."""
    force: bool = False
    """Go on although the body does not lie on the person."""
    model: str = "sherf-small"
    """The model that makes the avatar: sherf-small (ships), template (nothing learned), or a checkpoint's .safetensors
    file."""
    personalise: str = ""
    """Let the avatar learn its photo for so long, as in 60s: a sharper seen side."""
    body_model: str | None = None
    """openbody (ships), smpl (your own file in $SHERF_SMPL_FOLDER), or the path of an SMPL .npz or .pkl; the model's
    own if not given."""
    pose: int | None = None
    """Of a data set's subject folder: the frame that is the photo; the first if not given."""
    view: int | None = None
    """Of a data set's subject folder: the camera that takes the photo; the first if not given."""

    @property
    def files(self) -> tuple[str | Path | None, ...]:
        """What may name files to read."""
        return (self.mask, self.edit, self.model, self.body_model)
