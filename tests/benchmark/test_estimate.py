"""Body and camera estimated from the image: the worlds of the fit and of the data set are aligned."""

import torch
from stage import camera_in_front, standing

from sherf.benchmark.estimated_body import repose, similarity_between
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.camera.rotations import axis_angle_to_matrix


def test_a_similarity_is_recovered_and_its_camera_sees_the_same_image() -> None:
    torch.manual_seed(0)
    points = torch.randn(24, 3)
    R, T, scale = axis_angle_to_matrix(torch.tensor([0.3, -1.2, 0.5])), torch.tensor([0.2, 1.0, -3.0]), 1.3
    transformed = scale * points @ R.T + T
    found = similarity_between(points, transformed)
    torch.testing.assert_close((found.R, found.T), (R, T), rtol=0, atol=1e-5)
    assert abs(found.scale - scale) < 1e-5
    camera = camera_in_front()
    near = transformed * 0.2
    again = similarity_between(points, near)
    torch.testing.assert_close(
        project(again.transform_camera(camera), points)[0], project(camera, near)[0], rtol=1e-4, atol=1e-2
    )


def test_a_similarity_is_never_a_reflection() -> None:
    points = torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    assert torch.linalg.det(similarity_between(points, points * torch.tensor([-1.0, 1.0, 1.0])).R) > 0


def test_a_reposed_body_keeps_its_shape_takes_the_targets_pose_and_is_shown_as_large(body: BodyModel) -> None:
    estimated = body.rest_pose(torch.tensor([3.0] + [0.0] * 9))
    target = standing(0.7)
    pose, similarity = repose(estimated, target, body)
    assert torch.equal(pose.joints, target.joints) and torch.equal(pose.betas, estimated.betas)
    reposed, original, camera = body.pose(pose).joints, body.pose(target).joints, camera_in_front()
    wanted, _ = project(camera, original)
    shown, _ = project(similarity.transform_camera(camera), reposed)
    unaligned, _ = project(camera, reposed)
    assert (shown - wanted).norm(dim=1).mean() < 0.5 * (unaligned - wanted).norm(dim=1).mean()
