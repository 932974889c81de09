"""What a reconstruction leaves in its folder: the avatar, and the files that explain it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from sherf.avatar.avatar_file import AvatarFile, read_avatar, save_avatar
from sherf.avatar.encoder import EncodedAvatar
from sherf.body.body_model import BodyModel
from sherf.errors import BadInput, SherfError
from sherf.files.images import write_png
from sherf.files.output import write_json
from sherf.progress import print_status

AVATAR, OVERLAY, REPORT, FIT = "avatar.safetensors", "overlay.png", "report.json", "fit.json"
OWN_VIEW = "own_view.png"


@dataclass(frozen=True)
class Reconstruction:
    """What came of one observation."""

    avatar: EncodedAvatar
    body: BodyModel
    overlay: Float[Tensor, "3 h w"]
    """The photo with mask, skeleton and fitted body; sRGB in [0, 1]."""
    fit: dict[str, Any] | None = None
    """Content of fit.json; None if the body was given."""
    own_view: Float[Tensor, "3 h2 w2"] | None = None
    """The masked photo beside the avatar seen through its camera, sRGB in [0, 1]; None if the body was given."""


class HopelessFit(SherfError):
    """The fitted body does not lie on the person; holds what shows it."""

    def __init__(self, report: dict[str, Any], overlay: Float[Tensor, "3 h w"], fit: dict[str, Any]):
        """Keep what the folder gets in spite of the refusal.

        Args:
            report: content of report.json.
            overlay: the photo with mask, skeleton and fitted body.
            fit: content of fit.json.
        """
        super().__init__(
            f"the body does not lie on the person: {'; '.join(report['reasons'])}.\n"
            f"Check {OVERLAY}; use another photo or your own --mask, correct {FIT} and pass it as --edit, or pass "
            "--force to continue anyway."
        )
        self.report, self.overlay, self.fit = report, overlay, fit


def explaining_files(out: Path) -> list[Path]:
    """Return the files that explain an avatar made in `out`; files of these names are replaced."""
    return [out / OVERLAY, out / OWN_VIEW, out / REPORT]


def write_reconstruction(out: Path, result: Reconstruction) -> None:
    """Write overlay.png, own_view.png, report.json, fit.json and, last, avatar.safetensors, each whole or not at all.

    Raises:
        OutputError: a file cannot be written.
    """
    if result.own_view is not None:
        write_png(out / OWN_VIEW, result.own_view)
    _explain(out, result.overlay, result.avatar.report, result.fit)
    save_avatar(result.avatar, out / AVATAR)


def write_refusal(out: Path, refused: HopelessFit) -> None:
    """Write the files that explain a refused fit.

    Raises:
        OutputError: a file cannot be written.
    """
    _explain(out, refused.overlay, refused.report, refused.fit)


def avatar_in(out: Path) -> AvatarFile | None:
    """Return the avatar in a folder; None if there is none or it cannot be read."""
    if not (out / AVATAR).is_file():
        return None
    try:
        return read_avatar(out / AVATAR)
    except BadInput:
        return None


def print_warnings(avatar: EncodedAvatar) -> None:
    """Print the warnings in an avatar's report."""
    for warning in avatar.report.get("warnings", []):
        print_status(f"warning: {warning}")


def _explain(out: Path, overlay: Float[Tensor, "3 h w"], report: dict[str, Any], fit: dict[str, Any] | None) -> None:
    write_png(out / OVERLAY, overlay)
    write_json(out / REPORT, report)
    if fit is not None:
        write_json(out / FIT, _relative_to(out, fit))


def _relative_to(out: Path, fit: dict[str, Any]) -> dict[str, Any]:
    """Return the content of fit.json with the mask named relative to the folder that it is written to."""
    mask = fit["edits"]["mask"]
    if mask is None:
        return fit
    return {**fit, "edits": {**fit["edits"], "mask": Path(os.path.relpath(mask, out)).as_posix()}}
