"""Decoding of the outputs of detector and landmark model, against closed forms."""

import numpy as np
import pytest

from sherf.photo.affine_warp import warp_affine
from sherf.photo.mediapipe_detector import anchors, box_iou, weighted_suppression
from sherf.photo.mediapipe_landmarks import CROP_SIDE, MIRRORED, Roi, refine_by_heatmap


def test_anchors_cover_the_square_in_the_models_order() -> None:
    """28 x 28 cells with 2 anchors, 14 x 14 with 2, 7 x 7 with 6; row by row."""
    centres = anchors()
    assert centres.shape == (2254, 2)
    np.testing.assert_allclose(centres[:4], [[0.5 / 28, 0.5 / 28]] * 2 + [[1.5 / 28, 0.5 / 28]] * 2)
    np.testing.assert_allclose(centres[1568 + 2 * 14], [0.5 / 14, 1.5 / 14])
    np.testing.assert_allclose(centres[-6:], [[6.5 / 7, 6.5 / 7]] * 6)
    assert len(np.unique(centres, axis=0)) == 28 * 28 + 14 * 14 + 7 * 7


def test_iou_of_known_boxes() -> None:
    box = np.array([[0.0, 0.0], [2.0, 2.0]])
    others = np.array([[[0, 0], [2, 2]], [[1, 0], [3, 2]], [[2, 2], [3, 3]], [[5, 5], [6, 6]]], dtype=float)
    np.testing.assert_allclose(box_iou(box, others), [1, 1 / 3, 0, 0])


def test_suppression_averages_neighbours_by_score_and_keeps_others_separate() -> None:
    first = np.array([[0, 0], [1, 1], [0.2, 0.2], [0.4, 0.4], [0.6, 0.6], [0.8, 0.8]])
    points = np.stack([first, first + 0.1, first + 5])
    merged = weighted_suppression(points, np.array([0.6, 0.9, 0.7]))
    assert [score for _, score in merged] == [0.9, 0.7]
    np.testing.assert_allclose(merged[0][0], first + 0.1 * 0.9 / 1.5)
    np.testing.assert_allclose(merged[1][0], first + 5)


@pytest.mark.parametrize("degrees", [0, 30, -90, 179])
def test_roi_rotates_the_persons_head_upwards(degrees: float) -> None:
    """The circle's point lies above the hips in the crop, 1 / 1.25 of the way to its border."""
    angle = np.radians(degrees)
    hips = np.array([300.0, 200.0])
    roi = Roi.around(hips, hips + 100 * np.array([np.sin(angle), -np.cos(angle)]))
    assert roi.side == pytest.approx(250) and roi.rotation == pytest.approx(angle)
    up = roi.image_from_crop @ np.array([CROP_SIDE / 2, CROP_SIDE / 2 * (1 - 1 / 1.25), 1.0])
    np.testing.assert_allclose(up, hips + 100 * np.array([np.sin(angle), -np.cos(angle)]), atol=1e-9)


def test_refinement_finds_the_weighted_mean_of_confident_heat_maps_only() -> None:
    heatmap = np.full((64, 64, 3), -30.0)
    heatmap[20, 31, 0] = heatmap[20, 32, 0] = 5.0
    heatmap[20, 31, 1] = -1.0  # 0.27: not confident
    start = np.array([[30.5 / 64, 21.5 / 64], [30.5 / 64, 21.5 / 64], [1.2, 0.5]])
    refined = refine_by_heatmap(start, heatmap)
    np.testing.assert_allclose(refined[0], [31.5 / 64, 20 / 64], atol=1e-6)
    np.testing.assert_array_equal(refined[1:], start[1:])


def test_mirroring_landmarks_twice_changes_nothing() -> None:
    assert [MIRRORED[i] for i in MIRRORED] == list(range(39))
    assert [MIRRORED[i] for i in (0, 2, 7, 11, 16, 24, 33)] == [0, 5, 8, 12, 15, 23, 33]


@pytest.mark.parametrize("scale", [3.0, 1.0, 0.5, 0.13])
def test_warp_keeps_linear_ramps_in_place(scale: float) -> None:
    """A linear ramp is reproduced without a half-pixel shift at any scale."""
    x = np.arange(200) + 0.5
    ramp = np.broadcast_to(x, (160, 200)).astype(np.float32)
    size = (round(160 * scale * 0.5), round(200 * scale * 0.5))
    matrix = np.array([[scale, 0.0, -30 * scale], [0.0, scale, -20 * scale]])
    warped = warp_affine(ramp, matrix, size)
    expected = (np.arange(size[1]) + 0.5) / scale + 30
    np.testing.assert_allclose(warped[size[0] // 2], expected, atol=0.05)
