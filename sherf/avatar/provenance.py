"""Provenance: what made a file, from which photo, and how much of it is invented."""

from typing import Any

from sherf import __version__
from sherf.avatar.encoder import EncodedAvatar

PROVENANCE = "provenance.json"
LICENCES = {"sherf-small": "CC0-1.0", "template": "CC0-1.0"}
"""Licences of the weights that ship; those of other weights are unknown here."""


def provenance(avatar: EncodedAvatar, seen: float | None = None) -> dict[str, Any]:
    """Return the content of provenance.json for files made of an avatar.

    Args:
        avatar: what the files show.
        seen: share of the surface whose colour the photo saw, 0 to 1; None for the share of the body in the photo.
    """
    report = avatar.report
    model = str(report.get("model", ""))
    share = report.get("surface_seen") if seen is None else seen
    return {
        "tool": f"sherf {__version__}",
        "model": model,
        "model_sha256": report.get("options", {}).get("model", ""),
        "licence_of_weights": LICENCES.get(model, "unknown"),
        "body_model": avatar.bank.subject.body_model,
        "photo": report.get("photo", ""),
        "photo_sha256": report.get("photo_sha256", ""),
        "fit": report.get("verdict", ""),
        "seen_by_the_photo": None if share is None else round(share, 3),
        "invented": None if share is None else round(1 - share, 3),
    }
