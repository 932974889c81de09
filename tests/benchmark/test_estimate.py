"""Body and camera from the picture: the worlds of fit and data set are brought together."""

import torch
from stage import camera_in_front, standing

from sherf.benchmark.estimated_body import driven, similarity_between
from sherf.body.body_model import BodyModel
from sherf.body.lbs import axis_angle_to_matrix
from sherf.camera.pinhole import project


def test_a_similarity_is_found_again_and_shows_the_same_picture() -> None:
    torch.manual_seed(0)
    points = torch.randn(24, 3)
    R, T, scale = axis_angle_to_matrix(torch.tensor([0.3, -1.2, 0.5])), torch.tensor([0.2, 1.0, -3.0]), 1.3
    there = scale * points @ R.T + T
    found = similarity_between(points, there)
    torch.testing.assert_close((found.R, found.T), (R, T), rtol=0, atol=1e-5)
    assert abs(found.scale - scale) < 1e-5
    camera = camera_in_front()
    near = there * 0.2
    again = similarity_between(points, near)
    torch.testing.assert_close(
        project(again.seen_by(camera), points)[0], project(camera, near)[0], rtol=1e-4, atol=1e-2
    )


def test_mirror_images_are_no_similarity() -> None:
    points = torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    assert torch.linalg.det(similarity_between(points, points * torch.tensor([-1.0, 1.0, 1.0])).R) > 0


def test_a_driven_body_has_its_own_shape_the_targets_pose_and_is_shown_as_large(body: BodyModel) -> None:
    own = body.rest_pose(torch.tensor([3.0] + [0.0] * 9))
    target = standing(0.7)
    pose, similarity = driven(own, target, body)
    assert torch.equal(pose.joints, target.joints) and torch.equal(pose.betas, own.betas)
    mine, theirs, camera = body.pose(pose).joints, body.pose(target).joints, camera_in_front()
    wanted, _ = project(camera, theirs)
    shown, _ = project(similarity.seen_by(camera), mine)
    unaligned, _ = project(camera, mine)
    assert (shown - wanted).norm(dim=1).mean() < 0.5 * (unaligned - wanted).norm(dim=1).mean()
