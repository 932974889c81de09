"""Augmentation: mirroring keeps body and image aligned; changes to the observation leave the target alone."""

import numpy as np
import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.datasets.multiview import View
from sherf.datasets.pairs import Pair
from sherf.training.augment import augment, mirror_view
from sherf.training.options import AugmentOptions


@pytest.fixture
def view(body: BodyModel) -> View:
    seen = photograph(body, standing(0.6), camera_in_front((96, 80)))
    return View(seen, body.pose(seen.pose).vertices, depth=torch.rand(96, 80))


def test_a_mirrored_view_shows_the_mirrored_body_in_the_mirrored_image(view: View, body: BodyModel) -> None:
    other = mirror_view(view, body)
    torch.testing.assert_close(body.pose(other.subject.pose).vertices, other.vertices, rtol=0, atol=1e-5)
    pixels, depth = project(view.subject.camera, view.vertices[body.mirror])
    mirrored, same_depth = project(other.subject.camera, other.vertices)
    torch.testing.assert_close(
        mirrored, pixels * torch.tensor([-1.0, 1.0]) + torch.tensor([80.0, 0.0]), rtol=0, atol=1e-2
    )
    torch.testing.assert_close(same_depth, depth, rtol=0, atol=1e-5)
    twice = mirror_view(other, body)
    assert torch.equal(twice.subject.image, view.subject.image)
    torch.testing.assert_close(twice.vertices, view.vertices)


def test_fit_mask_occlusion_and_crop_leave_the_target_unchanged(view: View, body: BodyModel) -> None:
    options = AugmentOptions(mirror=0.0, exposure=0.0, gamma=0.0, fit=1.0, occluded=1.0, cut=1.0)
    for seed in range(6):
        pair, _ = augment(Pair(view, view), None, body, options, np.random.default_rng(seed))
        kept = pair.target
        torch.testing.assert_close(kept.subject.image, view.subject.image)
        assert torch.equal(kept.vertices, view.vertices) and torch.equal(kept.subject.mask, view.subject.mask)
        seen = pair.observation.subject
        assert seen.image.shape[1:] == seen.mask.shape == seen.camera.size
        moved = (pair.observation.vertices - view.vertices).norm(dim=1)
        assert 0.001 < moved.mean() < 0.2
        assert seen.mask.min() >= 0 and seen.mask.max() <= 1
