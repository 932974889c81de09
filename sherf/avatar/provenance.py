"""What a file says of where it comes from: what made it, out of which photo, and how much of it is invented."""

from typing import Any

from sherf import __version__
from sherf.avatar.avatar_file import Avatar

PROVENANCE = "provenance.json"
LICENCES = {"sherf-small": "CC0-1.0", "template": "CC0-1.0"}
"""Of the weights that ship; others are known to who brought them."""


def provenance(avatar: Avatar, seen: float | None = None) -> dict[str, Any]:
    """The record.

    Args:
        seen: share of the surface whose colour the photo saw; the share of the body in the photo if not given.
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
