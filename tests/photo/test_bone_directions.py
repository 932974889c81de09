"""Directions of bones out of landmarks: better than the detector's own, and the same laws as pictures."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sherf.photo import landmarks as marks
from sherf.photo.bone_directions import (
    along_bones,
    bone_directions,
    bones_in_mirror,
    landmarks_in_mirror,
    learned,
    predict,
    ray_frame,
)
from sherf.photo.detect import Sighting

SIZE = (256, 256)


@pytest.fixture(scope="module")
def found() -> dict[str, torch.Tensor]:
    """What the detector found in pictures of 24 rendered people of the validation split, and the truth."""
    read = np.load(Path(__file__).parent.parent / "data/bone_directions.npz", allow_pickle=False)
    return {name: torch.from_numpy(read[name]).float() for name in read.files}


def observed(found):
    return tuple(torch.stack([marks.observed(x) for x in found[key]]) for key in ("lm", "world", "vis"))


def degrees(a, b):
    return torch.rad2deg(torch.acos((a * b).sum(dim=-1).clamp(-1, 1)))


def sighting(found, row, shift=0.0):
    return Sighting(
        landmarks=found["lm"][row] + torch.tensor([shift, 0.0]), visibility=found["vis"][row], world=found["world"][row]
    )


def test_errors_are_half_of_the_detectors_and_about_as_large_as_it_says(found):
    """Of unseen people; what is said of the spread is neither boast nor despair."""
    truth = along_bones(found["cam"])
    told, spreads = zip(
        *(bone_directions(sighting(found, row), SIZE, float(found["K"][row, 0, 0])) for row in range(len(found["lm"]))),
        strict=True,
    )
    error = degrees(torch.stack(told), truth)
    assert error.mean() < 0.6 * degrees(along_bones(observed(found)[1]), truth).mean()
    expected = torch.rad2deg(torch.stack(spreads)) * math.sqrt(2)
    assert 0.6 < error.square().mean().sqrt() / expected.square().mean().sqrt() < 1.4
    doubtful = expected > expected.median()
    assert error[doubtful].mean() > 1.2 * error[~doubtful].mean()


def test_a_mirrored_picture_has_mirrored_bones(found):
    """Exactly."""
    directions, variance = predict(learned(), *observed(found))
    flipped, of_flipped = predict(learned(), *landmarks_in_mirror(*observed(found)))
    torch.testing.assert_close(bones_in_mirror(flipped), directions, atol=1e-5, rtol=0)
    assert torch.allclose(of_flipped.sum(dim=1), variance.sum(dim=1), rtol=1e-4)
    torch.testing.assert_close(bones_in_mirror(bones_in_mirror(directions)), directions)


def test_neither_size_nor_place_of_the_person_counts(found):
    """A picture twice as large, and a person elsewhere in it, is the same but for the ray towards them."""
    points, world, seen = observed(found)
    here, there = predict(learned(), points, world, seen)[0], predict(learned(), 2 * points + 31.0, world, seen)[0]
    torch.testing.assert_close(here, there, atol=1e-4, rtol=0)


def test_a_person_beside_the_middle_is_seen_along_the_ray(found):
    """Moved across a wide picture, the bones turn with the ray and by as much."""
    focal, shift = 200.0, 150.0
    middle, _ = bone_directions(sighting(found, 0), SIZE, focal)
    aside, _ = bone_directions(sighting(found, 0, shift), SIZE, focal)
    x = float(marks.observed(found["lm"][0])[:, 0].mean()) - SIZE[1] / 2
    turned = math.degrees(math.atan2(x + shift, focal) - math.atan2(x, focal))
    assert degrees(middle, aside).max() == pytest.approx(turned, abs=2.0)


def test_the_ray_frame_is_a_rotation_that_looks_along_the_ray():
    """And nothing at all for the middle of the picture."""
    ray = torch.tensor([0.4, -0.2, 1.0])
    frame = ray_frame(ray)
    torch.testing.assert_close(frame @ frame.T, torch.eye(3))
    torch.testing.assert_close(frame[:, 2], ray / ray.norm())
    torch.testing.assert_close(ray_frame(torch.tensor([0.0, 0.0, 2.0])), torch.eye(3))
