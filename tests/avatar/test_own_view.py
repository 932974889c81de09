"""Figures of the own view in closed form, and the verdict that follows from them."""

import dataclasses

import pytest
import torch

from sherf.avatar.own_view import PERFECT_PSNR, OwnView
from sherf.avatar.verdict import judge
from sherf.photo.scores import PARTS, Scores
from sherf.scene import Frame

GOOD = Scores(0.4, 0.85, 1.0, 0.45, dict.fromkeys(PARTS, 1.0), dict.fromkeys(PARTS, 0.3), {})
MARKS = {part: torch.tensor([[20.0 + 5 * i, 50.0]]) for i, part in enumerate(PARTS)} | {
    "head": torch.tensor([[50.0, 10.0]])
}


def view(opacity: torch.Tensor, mask: torch.Tensor, difference: float = 0.0) -> OwnView:
    """Return the view of a grey person whose avatar is brighter by a difference."""
    photo = (0.4 * mask + 1 - mask).expand(3, -1, -1)
    rgb = ((0.4 + difference) * opacity).expand(3, -1, -1)
    return OwnView(photo, mask, Frame(rgb, opacity, torch.zeros_like(mask), torch.ones_like(mask)))


def square(rows: slice, columns: slice) -> torch.Tensor:
    layer = torch.zeros(100, 100)
    layer[rows, columns] = 1
    return layer


PERSON = square(slice(10, 90), slice(30, 70))


def test_equal_views_are_perfect() -> None:
    same = view(PERSON, PERSON)
    assert (same.overlap, same.missing, same.too_much) == (1, 0, 0)
    assert same.psnr_inside == same.psnr_box == PERFECT_PSNR
    assert judge(GOOD, same, MARKS, 80.0).record == {
        "verdict": "good",
        "reasons": [],
        "parts": {
            name: {"verdict": "good", "reason": ""}
            for name in ("face", "left hand", "right hand", "left foot", "right foot")
        },
    }


def test_figures_in_closed_form() -> None:
    half = view(square(slice(10, 50), slice(30, 70)), PERSON, 0.1)
    assert half.overlap == pytest.approx(0.5) and half.missing == pytest.approx(0.5) and half.too_much == 0
    assert half.psnr_inside == pytest.approx(20, abs=0.01), "an error of a tenth everywhere"
    twice = view(square(slice(10, 90), slice(10, 90)), PERSON)
    assert twice.overlap == pytest.approx(0.5) and twice.too_much == pytest.approx(1) and twice.missing == 0
    faint = view(0.5 * PERSON, PERSON)
    assert faint.overlap == pytest.approx(0.5), "the overlap is soft"
    assert view(torch.zeros(100, 100), torch.zeros(100, 100)).overlap == 1


def test_what_is_missing_is_said_in_words_with_its_place() -> None:
    headless = view(square(slice(22, 90), slice(30, 70)), PERSON)
    verdict = judge(GOOD, headless, MARKS, 80.0)
    assert verdict.overall == "usable"
    assert verdict.reasons == ["15% of the person is missing in the photo's own view, most of it near the head"]
    assert verdict.parts["face"]["verdict"] == "poor" and "not covered" in verdict.parts["face"]["reason"]


def test_the_worst_grade_counts() -> None:
    assert judge(GOOD, view(PERSON, PERSON, 0.06), MARKS, 80.0).overall == "usable", "24 dB"
    assert judge(GOOD, view(PERSON, PERSON, 0.3), MARKS, 80.0).overall == "poor", "10 dB"
    off = dataclasses.replace(GOOD, keypoint_error=3.5)
    assert judge(off, view(PERSON, PERSON), MARKS, 80.0).overall == "usable", "3.5 % is not good"


def test_a_hidden_hand_and_a_foot_beside_its_shoe_are_named() -> None:
    scores = dataclasses.replace(
        GOOD, confidence=GOOD.confidence | {"left hand": 0.1}, errors=GOOD.errors | {"right foot": 2.5}
    )
    parts = judge(scores, view(PERSON, PERSON), MARKS, 80.0).parts
    assert parts["left hand"] == {"verdict": "not seen", "reason": "the left hand is hidden or outside the photo"}
    assert parts["right foot"] == {"verdict": "usable", "reason": "the right foot is off by 2.5 % of the body's height"}
