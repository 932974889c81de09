"""Backgrounds have the requested size, are repeatable and varied; people are composited over them by their mask."""

import numpy as np
import pytest

from sherf.datasets.openpeople.backgrounds import compose, make_background
from sherf.datasets.openpeople.stage import RenderedView
from sherf.datasets.openpeople.surfaces import grass, indoor_floor, outdoor_floor, wall


@pytest.mark.parametrize("size", [(64, 64), (96, 40), (33, 100)])
def test_backgrounds_have_the_requested_size_and_repeat(size: tuple[int, int]) -> None:
    for seed in range(8):
        first, second = (make_background(np.random.default_rng(seed), size) for _ in range(2))
        assert first.shape == (*size, 3)
        assert first.dtype == np.uint8
        np.testing.assert_array_equal(first, second)


def test_backgrounds_differ_and_are_neither_black_nor_overexposed() -> None:
    pictures = [make_background(np.random.default_rng(100 + seed), (64, 64)) for seed in range(40)]
    means = np.array([p.mean(axis=(0, 1)) for p in pictures])
    assert means.std(axis=0).min() > 25
    assert (means.max(axis=1) > 12).all()
    assert (means.min(axis=1) < 245).all()
    detail = np.array([np.abs(np.diff(p.astype(int), axis=1)).mean() for p in pictures])
    assert detail.min() < 3, "some are calm"
    assert detail.max() > 8, "some are busy"


def test_too_small_a_background_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 8 pixels"):
        make_background(np.random.default_rng(0), (4, 100))


@pytest.mark.parametrize("kind", [wall, indoor_floor, outdoor_floor, grass])
def test_coverings_tile_without_a_seam(kind) -> None:
    for seed in range(6):
        picture = kind(np.random.default_rng(seed)).image
        for axis in (0, 1):
            within = np.abs(np.diff(picture, axis=axis)).mean(axis=tuple({0, 1, 2} - {axis}))
            assert np.abs(np.take(picture, 0, axis) - np.take(picture, -1, axis)).mean() <= 1.3 * within.max() + 0.02


def test_people_cover_the_background_by_their_mask() -> None:
    mask = np.array([[0.0, 0.5, 1.0]], np.float32)
    person = np.array([200, 100, 50])
    image = np.rint(mask[..., None] * person).astype(np.uint8)
    found = compose(RenderedView(image, mask, mask), np.full((1, 3, 3), 80, np.uint8))
    np.testing.assert_array_equal(found, [[[80, 80, 80], [140, 90, 65], [200, 100, 50]]])


def test_sizes_must_agree() -> None:
    empty = np.zeros((4, 6), np.float32)
    picture = RenderedView(np.zeros((4, 6, 3), np.uint8), empty, empty)
    with pytest.raises(ValueError, match="6 x 4 and 8 x 8"):
        compose(picture, np.zeros((8, 8, 3), np.uint8))
