"""The verdict of an avatar: whether it shows the person of its photo, in whole and in face, hands and feet."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from sherf.avatar.own_view import OwnView
from sherf.photo.scores import HIDDEN, Scores

GOOD_OVERLAP, USABLE_OVERLAP = 0.95, 0.85
GOOD_PSNR, USABLE_PSNR = 28.0, 22.0
"""Of the colours in the photo's own view, dB."""
GOOD_PART_ERROR, USABLE_PART_ERROR = 1.5, 4.0
"""Landmark errors of a part, % of the height."""
PART_RADIUS = 0.06
"""A part is what lies within this distance of its landmarks, in person heights."""
GOOD_PART_MISSING, USABLE_PART_MISSING = 0.08, 0.3
"""Shares of a part's pixels that the avatar does not cover."""
NAMED_SHARE = 0.01
"""The largest uncovered patch is named if it is at least this share of the person."""
PARTS = {
    "face": "head", "left hand": "left hand", "right hand": "right hand", "left foot": "left foot",
    "right foot": "right foot",
}  # fmt: skip
"""Parts with a verdict of their own, and the part of the fit's scores that each belongs to."""
ORDER = ("good", "usable", "poor")


@dataclass(frozen=True)
class Verdict:
    """What a user is told."""

    overall: str
    """good, usable or poor."""
    reasons: list[str]
    """What is wrong, one phrase each; empty for a good avatar."""
    parts: dict[str, dict[str, str]]
    """By part: its verdict ("good", "usable", "poor" or "not seen") and the reason."""

    @property
    def record(self) -> dict[str, Any]:
        """Return the verdict as report.json holds it."""
        return {"verdict": self.overall, "reasons": self.reasons, "parts": self.parts}


def judge(scores: Scores, view: OwnView, landmarks: dict[str, Float[Tensor, "mark 2"]], height: float) -> Verdict:
    """Judge an avatar by the fit of its body and by its own view.

    Args:
        scores: of the displaced body against the detections.
        view: the avatar and its photo through the photo's camera.
        landmarks: of each part in the scores, pixels of the view.
        height: of the person, pixels of the view.

    Returns:
        The worst of the grades of landmarks, silhouette, overlap and colours, with the reasons.
    """
    overall = max(scores.verdict, _grade(view.overlap, GOOD_OVERLAP, USABLE_OVERLAP), key=ORDER.index)
    overall = max(overall, _grade(view.psnr_inside, GOOD_PSNR, USABLE_PSNR), key=ORDER.index)
    reasons = list(scores.reasons)
    if view.overlap < GOOD_OVERLAP:
        reasons += _uncovered(view, landmarks)
    if view.psnr_inside < GOOD_PSNR:
        reasons.append(f"the avatar's colours differ from the photo's (PSNR {view.psnr_inside:.0f} dB)")
    parts = {name: _judge_part(name, part, scores, view, landmarks[part], height) for name, part in PARTS.items()}
    return Verdict(overall, reasons, parts)


def _grade(value: float, good: float, usable: float) -> str:
    """Return the verdict of a value of which more is better."""
    return "good" if value >= good else "usable" if value >= usable else "poor"


def _uncovered(view: OwnView, landmarks: dict[str, Float[Tensor, "mark 2"]]) -> list[str]:
    """Return what the avatar does not cover, and what it covers too much, with the nearest parts of the body."""
    opacity, phrases = view.frame.opacity, []
    for share, pixels, phrase in (
        (view.missing, (view.mask - opacity).clamp_min(0), "of the person is missing in the photo's own view"),
        (view.too_much, (opacity - view.mask).clamp_min(0), "of the avatar lies outside the person"),
    ):
        if share >= NAMED_SHARE:
            phrases.append(f"{share:.0%} {phrase}, most of it near the {_nearest_part(pixels, landmarks)}")
    return phrases


def _nearest_part(pixels: Float[Tensor, "h w"], landmarks: dict[str, Float[Tensor, "mark 2"]]) -> str:
    """Return the name of the part nearest to the largest patch."""
    labels, count = ndimage.label((pixels > 0.5).numpy())
    if count == 0:
        labels, count = ndimage.label((pixels > 0).numpy())
    sizes = ndimage.sum_labels(pixels.numpy(), labels, range(1, count + 1))
    y, x = ndimage.center_of_mass(labels == int(sizes.argmax()) + 1)
    centre = torch.tensor([x + 0.5, y + 0.5])
    return min(landmarks, key=lambda part: float((landmarks[part] - centre).norm(dim=1).min()))


def _judge_part(
    name: str, part: str, scores: Scores, view: OwnView, marks: Float[Tensor, "mark 2"], height: float
) -> dict[str, str]:
    """Return the verdict of a part, and the reason, by these names."""
    if scores.confidence.get(part, 0.0) < HIDDEN:
        return {"verdict": "not seen", "reason": f"the {name} is hidden or outside the photo"}
    error = scores.errors.get(part, 0.0)
    missing = _missing_around(view, marks, PART_RADIUS * height)
    verdict = max(
        _grade(-error, -GOOD_PART_ERROR, -USABLE_PART_ERROR),
        _grade(-missing, -GOOD_PART_MISSING, -USABLE_PART_MISSING),
        key=ORDER.index,
    )
    if verdict == "good":
        return {"verdict": verdict, "reason": ""}
    if _grade(-error, -GOOD_PART_ERROR, -USABLE_PART_ERROR) != "good":
        return {"verdict": verdict, "reason": f"the {name} is off by {error:.1f} % of the body's height"}
    return {"verdict": verdict, "reason": f"{missing:.0%} of the {name} is not covered"}


def _missing_around(view: OwnView, marks: Float[Tensor, "mark 2"], radius: float) -> float:
    """Return the share of the person's pixels around landmarks that the avatar does not cover."""
    h, w = view.mask.shape
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    distance = torch.stack([torch.hypot(x - float(mx), y - float(my)) for mx, my in marks]).amin(dim=0)
    around = F.relu(1 - distance / radius) > 0
    person = view.mask[around].sum()
    return float((view.mask - view.frame.opacity).clamp_min(0)[around].sum() / person.clamp_min(1))
