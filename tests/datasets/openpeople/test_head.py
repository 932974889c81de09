"""Faces, hair, beards, hats, glasses and bags are in their places; expressions move the right parts."""

import dataclasses

import numpy as np
import pytest

from sherf.datasets.openpeople.bags import BAGS, TEST_BAGS, make_bag
from sherf.datasets.openpeople.body import make_figure
from sherf.datasets.openpeople.face import Expression, apply_expression, find_landmarks
from sherf.datasets.openpeople.hair import BEARD_LENGTH, STYLES, TEST_STYLES, make_beard, make_hair
from sherf.datasets.openpeople.headwear import HATS, TEST_HATS, make_glasses, make_hat
from sherf.datasets.openpeople.look import draw_look, hair_colour
from sherf.datasets.openpeople.part import SurfaceSamples
from sherf.datasets.openpeople.skin import beard_zone, make_eyes, make_skin
from sherf.datasets.openpeople.tailoring import Measures

SHAPE = make_figure(np.random.default_rng(4).normal(size=10))
FACE = find_landmarks(SHAPE)
LOOK = draw_look(np.random.default_rng(1), True, 0.3)
NOTHING = np.zeros(13380, bool)
ALL_STYLES = sorted({*STYLES["masculine"], *STYLES["feminine"], *TEST_STYLES})


def test_landmarks_are_arranged_as_in_a_face() -> None:
    left, right = FACE.eyes
    assert left[0] > 0 > right[0] and abs(left[1] - right[1]) < 0.004
    assert FACE.chin_y < FACE.mouth[1] < FACE.nose[1] < left[1] < FACE.crown_y
    assert FACE.nose[2] > FACE.mouth[2] > left[2] > FACE.ear[2]


def test_a_neutral_expression_moves_nothing() -> None:
    np.testing.assert_array_equal(apply_expression(SHAPE, FACE, Expression()), SHAPE.vertices[:13380])


def test_a_smile_lifts_the_corners_of_the_mouth_and_nothing_below_the_neck() -> None:
    skin = SHAPE.vertices[:13380]
    moved = apply_expression(SHAPE, FACE, Expression(smile=1.0)) - skin
    corner = np.argmin(np.linalg.norm(skin - FACE.mouth_corner, axis=1))
    assert moved[corner, 1] > 0.004 and moved[corner, 0] > 0.002
    assert np.abs(moved[skin[:, 1] < SHAPE.joints[12, 1]]).max() < 1e-6


def test_an_open_mouth_moves_the_lower_lip_only() -> None:
    skin = SHAPE.vertices[:13380]
    moved = apply_expression(SHAPE, FACE, Expression(open=1.0)) - skin
    assert moved[skin[:, 1] > FACE.mouth[1] + 0.001].any() == False  # noqa: E712
    assert moved[:, 1].min() < -0.004


def _colours(part) -> np.ndarray:
    uv = part.uv if part.uv is not None else np.zeros((len(part.vertices), 2))
    colours = part.material.albedo(SurfaceSamples(part.reference.astype(np.float32), uv.astype(np.float32), 0.002))
    assert colours.shape == (len(part.vertices), 3) and colours.dtype == np.float32
    assert np.isfinite(colours).all() and colours.min() >= 0 and colours.max() <= 1
    return colours


def test_lips_are_painted_at_the_mouth_and_hands_have_skin_colour() -> None:
    look = dataclasses.replace(LOOK, lips=np.array([0.8, 0.1, 0.1], np.float32), lip_strength=0.9, beard="none")
    part = make_skin(SHAPE, FACE, look, Expression(), NOTHING)
    colours = _colours(part)
    near_mouth = np.linalg.norm(part.reference - FACE.mouth, axis=1) < 0.008
    assert colours[near_mouth, 1].min() < 0.25
    hand = np.abs(part.reference[:, 0]) > 0.75
    assert np.abs(colours[hand].mean(axis=0) - look.skin).max() < 0.12


def test_eyes_have_pupils_in_front() -> None:
    part = make_eyes(SHAPE, FACE, LOOK)
    colours = _colours(part)
    towards = part.reference - FACE.left_eye
    front = (np.linalg.norm(towards, axis=1) < 0.03) & (towards[:, 2] / np.linalg.norm(towards, axis=1) > 0.99)
    assert colours[front].max() < 0.3


def test_hidden_skin_has_no_faces() -> None:
    hidden = SHAPE.vertices[:13380, 1] < SHAPE.joints[12, 1]
    part = make_skin(SHAPE, FACE, LOOK, Expression(), hidden)
    assert part.vertices[:, 1].min() > SHAPE.joints[12, 1] - 0.05


@pytest.mark.parametrize("style", ALL_STYLES)
def test_hair_grows_on_the_head(style: str) -> None:
    hair = make_hair(SHAPE, FACE, LOOK, style, np.random.default_rng(0))
    assert hair.vertices[:, 1].max() > FACE.crown_y - 0.02
    assert np.abs(hair.vertices[:, 0]).max() < 0.45
    np.testing.assert_allclose(hair.weights.sum(axis=1), 1, atol=1e-9)
    _colours(hair)


@pytest.mark.parametrize("beard", [*BEARD_LENGTH, "stubble", "none"])
def test_beards_grow_below_the_nose_and_leave_the_lips(beard: str) -> None:
    look = dataclasses.replace(LOOK, beard=beard)
    part = make_beard(SHAPE, FACE, look, SHAPE.vertices[:13380])
    assert (part is None) == (beard not in BEARD_LENGTH)
    lips = FACE.mouth[None] + np.array([[0.0, 0.0, 0.0], [0.01, 0.0, -0.002], [-0.01, 0.0, -0.002]])
    assert beard_zone(FACE, lips, beard).max() < 0.05  # type: ignore[arg-type]
    if part is not None:
        assert part.vertices[:, 1].max() < FACE.ear[1] + 0.03
        _colours(part)


def test_grey_hair_is_grey_and_red_hair_red() -> None:
    grey = hair_colour(dataclasses.replace(LOOK, grey=1.0, dye=None))
    red = hair_colour(dataclasses.replace(LOOK, grey=0.0, dye=None, hair_red=0.9, hair_melanin=0.5))
    black = hair_colour(dataclasses.replace(LOOK, grey=0.0, dye=None, hair_red=0.0, hair_melanin=0.98))
    assert np.ptp(grey) < 0.02 and red[0] > 1.4 * red[2] and black.max() < 0.15


@pytest.mark.parametrize("kind", [*HATS, *TEST_HATS])
def test_hats_sit_above_the_eyes_and_clear_the_skull(kind: str) -> None:
    hat = make_hat(SHAPE, FACE, kind, np.random.default_rng(0), kind in TEST_HATS)
    assert hat.vertices[:, 1].min() > FACE.left_eye[1] - 0.01
    if kind != "headband":
        assert hat.vertices[:, 1].max() > FACE.crown_y
    assert (hat.weights[:, 15] == 1).all()
    _colours(hat)


def test_an_unknown_hat_is_named() -> None:
    with pytest.raises(KeyError, match="fez"):
        make_hat(SHAPE, FACE, "fez", np.random.default_rng(0), False)


def test_glasses_sit_in_front_of_the_eyes_and_reach_the_ears() -> None:
    for seed in range(6):
        frame = make_glasses(FACE, np.random.default_rng(seed))[0]
        assert frame.vertices[:, 2].max() > FACE.left_eye[2] + 0.02
        assert frame.vertices[:, 2].min() < FACE.ear[2] + 0.01
        assert abs(frame.vertices[:, 0].mean()) < 0.002


@pytest.mark.parametrize("kind", [*BAGS, *TEST_BAGS])
def test_bags_hang_on_the_body(kind: str) -> None:
    measures = Measures(SHAPE)
    skin = make_skin(SHAPE, FACE, LOOK, Expression(), NOTHING)
    bag, strap = make_bag(measures, [skin], kind, np.random.default_rng(0), kind in TEST_BAGS)  # type: ignore[arg-type]
    behind = bag.vertices[:, 2].mean() < measures.neck[2]
    assert behind == (kind == "backpack")
    assert strap.vertices[:, 1].max() < measures.neck[1] + 0.03
    for part in (bag, strap):
        np.testing.assert_allclose(part.weights.sum(axis=1), 1, atol=1e-6)
        _colours(part)
