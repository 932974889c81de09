"""Bone directions from landmarks: more accurate than the detector's own, and symmetric as images are."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sherf.photo import landmarks as marks
from sherf.photo.bone_directions import (
    bone_unit_vectors,
    estimate_bone_directions,
    load_weights,
    mirror_bones,
    mirror_landmarks,
    predict,
    ray_to_camera_rotation,
)
from sherf.photo.detect import PersonLandmarks

SIZE = (256, 256)


@pytest.fixture(scope="module")
def found() -> dict[str, torch.Tensor]:
    """Detections in images of 24 rendered people of the validation split, and the ground truth."""
    read = np.load(Path(__file__).parent.parent / "data/bone_directions.npz", allow_pickle=False)
    return {name: torch.from_numpy(read[name]).float() for name in read.files}


def network_inputs(found):
    return tuple(torch.stack([marks.from_blazepose(x) for x in found[key]]) for key in ("lm", "world", "vis"))


def degrees(a, b):
    return torch.rad2deg(torch.acos((a * b).sum(dim=-1).clamp(-1, 1)))


def person_landmarks(found, row, shift=0.0):
    return PersonLandmarks(
        landmarks=found["lm"][row] + torch.tensor([shift, 0.0]), visibility=found["vis"][row], world=found["world"][row]
    )


def test_errors_are_half_of_the_detectors_and_match_the_predicted_std(found):
    """On unseen people; the predicted uncertainty is calibrated."""
    truth = bone_unit_vectors(found["cam"])
    directions, stds = zip(
        *(
            estimate_bone_directions(person_landmarks(found, row), SIZE, float(found["K"][row, 0, 0]))
            for row in range(len(found["lm"]))
        ),
        strict=True,
    )
    error = degrees(torch.stack(directions), truth)
    assert error.mean() < 0.6 * degrees(bone_unit_vectors(network_inputs(found)[1]), truth).mean()
    expected = torch.rad2deg(torch.stack(stds)) * math.sqrt(2)
    assert 0.6 < error.square().mean().sqrt() / expected.square().mean().sqrt() < 1.4
    uncertain = expected > expected.median()
    assert error[uncertain].mean() > 1.2 * error[~uncertain].mean()


def test_a_mirrored_image_has_exactly_mirrored_bones(found):
    directions, variance = predict(load_weights(), *network_inputs(found))
    flipped, of_flipped = predict(load_weights(), *mirror_landmarks(*network_inputs(found)))
    torch.testing.assert_close(mirror_bones(flipped), directions, atol=1e-5, rtol=0)
    assert torch.allclose(of_flipped.sum(dim=1), variance.sum(dim=1), rtol=1e-4)
    torch.testing.assert_close(mirror_bones(mirror_bones(directions)), directions)


def test_size_and_position_of_the_person_do_not_matter(found):
    """A larger image, and a person elsewhere in it, give the same directions relative to the ray."""
    points, world, seen = network_inputs(found)
    directions, _ = predict(load_weights(), points, world, seen)
    moved, _ = predict(load_weights(), 2 * points + 31.0, world, seen)
    torch.testing.assert_close(directions, moved, atol=1e-4, rtol=0)


def test_directions_of_an_off_centre_person_rotate_with_the_ray(found):
    """Moved across a wide image, the bones rotate with the ray and by the same angle."""
    focal, shift = 200.0, 150.0
    middle, _ = estimate_bone_directions(person_landmarks(found, 0), SIZE, focal)
    aside, _ = estimate_bone_directions(person_landmarks(found, 0, shift), SIZE, focal)
    x = float(marks.from_blazepose(found["lm"][0])[:, 0].mean()) - SIZE[1] / 2
    turned = math.degrees(math.atan2(x + shift, focal) - math.atan2(x, focal))
    assert degrees(middle, aside).max() == pytest.approx(turned, abs=2.0)


def test_the_ray_frame_is_a_rotation_that_looks_along_the_ray():
    """For the image centre it is the identity."""
    ray = torch.tensor([0.4, -0.2, 1.0])
    frame = ray_to_camera_rotation(ray)
    torch.testing.assert_close(frame @ frame.T, torch.eye(3))
    torch.testing.assert_close(frame[:, 2], ray / ray.norm())
    torch.testing.assert_close(ray_to_camera_rotation(torch.tensor([0.0, 0.0, 2.0])), torch.eye(3))
