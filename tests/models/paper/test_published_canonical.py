"""The published order of operations computes the same warp as ours."""

from dataclasses import replace

import pytest
import torch
from round_trips import warp_points

from sherf.body.body_model import BodyModel
from sherf.body.published_canonical import published_canonical
from sherf.body.vertex_warp import vertex_warp
from sherf.scene import BodyPose


@pytest.mark.parametrize("with_pose_offsets", [True, False])
def test_published_canonical_equals_vertex_warp(with_pose_offsets: bool, toy_body: BodyModel) -> None:
    body = toy_body if with_pose_offsets else replace(toy_body, posedirs=None)
    random = torch.Generator().manual_seed(3)
    rotation = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.4, 0.2], [0.4, 0.0, -0.9], [-0.2, 0.9, 0.0]]))
    pose = BodyPose(
        betas=torch.randn(10, generator=random),
        joints=0.3 * torch.randn(24, 3, generator=random),
        R_world_body=rotation,
        T_world_body=torch.tensor([0.5, -1.0, 2.0]),
    )
    posed, every = body.pose(pose), torch.arange(len(body.v_template))
    expected = warp_points(posed.vertices, every, vertex_warp(posed, body.pose(body.big_pose())))
    torch.testing.assert_close(published_canonical(body, pose, posed.vertices), expected, rtol=0, atol=5e-6)
