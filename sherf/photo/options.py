"""Options of reconstruction from a photo. Imports no torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Masker = Literal["mediapipe", "rembg"]


@dataclass(frozen=True)
class PhotoOptions:
    """How an avatar is made from a photo."""

    person: int | None = None
    """The person to use if the photo shows several: their number in report.json. Default: the most prominent."""
    mask: Path | None = None
    """A mask image of the person: white on black, with the photo's aspect ratio."""
    masker: Masker = "mediapipe"
    """How the person is masked: mediapipe (included), snapped to the photo's edges, or rembg (pip install
    'sherf[rembg]')."""
    edit: Path | None = None
    """A fit.json from an earlier run, with your corrections under "edits": landmarks, joints, a mask."""
    allow_partial: bool = False
    """Continue although the photo does not show the person's head, torso or legs."""
    force: bool = False
    """Continue although the fitted body does not match the person."""
    model: str = "sherf-small"
    """The model that makes the avatar: sherf-small (included), template (no learned weights), or the path of a
    .safetensors checkpoint."""
    personalise: str = ""
    """Fine-tune the avatar to its photo for this long, e.g. 60s: sharper where the photo shows the person."""
    body_model: str | None = None
    """The body model: openbody (included), smpl (your own file in $SHERF_SMPL_FOLDER), or the path of an SMPL .npz or
    .pkl file. Default: the one that the model was trained with."""
    pose: int | None = None
    """For a data set's subject folder: the frame to use as the photo. Default: the first."""
    view: int | None = None
    """For a data set's subject folder: the camera whose image is the photo. Default: the first."""

    @property
    def files(self) -> tuple[str | Path | None, ...]:
        """The options that may be paths of files to read."""
        return (self.mask, self.edit, self.model, self.body_model)
