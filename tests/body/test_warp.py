"""Laws of the warp between two poses of one body."""

from dataclasses import replace

import pytest
import torch
from round_trips import warp_directions, warp_points

from sherf.body.body_model import BodyModel
from sherf.body.vertex_warp import vertex_warp
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.scene import BodyPose

FRAMES = [(), (1,), (2, 3)]


def random_pose(*frame: int) -> BodyPose:
    return BodyPose(
        betas=torch.randn(*frame, 10),
        joints=0.3 * torch.randn(*frame, 24, 3),
        R_world_body=axis_angle_to_matrix(torch.randn(*frame, 3)),
        T_world_body=torch.randn(*frame, 3),
    )


def warp_step_by_step(
    model: BodyModel, pose: BodyPose, x_world: torch.Tensor, d_world: torch.Tensor, v: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """One point and direction, posed -> canonical, in the published order of steps and in body space."""
    big = model.big_pose()
    unplaced = replace(pose, R_world_body=torch.eye(3), T_world_body=torch.zeros(3))
    G, B = model.pose(unplaced).T_world_rest, model.pose(big).T_world_rest
    A = sum(model.weights[v, j] * G[j] for j in range(24))
    D = sum(model.weights[v, j] * B[j] for j in range(24))
    x_body = (x_world - pose.T_world_body) @ pose.R_world_body
    y = torch.linalg.inv(A[:3, :3]) @ (x_body - A[:3, 3])
    identity = torch.eye(3)
    y = y - model.posedirs[v] @ (axis_angle_to_matrix(pose.joints[1:]) - identity).flatten()
    y = y - model.shapedirs[v] @ pose.betas
    y = y + model.posedirs[v] @ (axis_angle_to_matrix(big.joints[1:]) - identity).flatten()
    direction = D[:3, :3] @ torch.linalg.inv(A[:3, :3]) @ (d_world @ pose.R_world_body)
    return D[:3, :3] @ y + D[:3, 3], direction


def test_warp_follows_the_published_steps(toy_body: BodyModel) -> None:
    pose = random_pose()
    posed = toy_body.pose(pose)
    vertex = torch.tensor([3, 444, 999])
    x, d = posed.vertices[vertex] + 0.03 * torch.randn(3, 3), torch.randn(3, 3)
    warp = vertex_warp(posed, toy_body.pose(toy_body.big_pose()))
    points, directions = warp_points(x, vertex, warp), warp_directions(d, vertex, warp)
    for i, v in enumerate(vertex.tolist()):
        point, direction = warp_step_by_step(toy_body, pose, x[i], d[i], v)
        torch.testing.assert_close(points[i], point, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(directions[i], direction, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frame", FRAMES)
def test_vertices_land_on_the_other_bodys_vertices_and_return(toy_body: BodyModel, frame: tuple[int, ...]) -> None:
    posed, canonical = toy_body.pose(random_pose(*frame)), toy_body.pose(toy_body.big_pose())
    vertex = torch.arange(len(toy_body.v_template)).expand(*frame, -1)
    there = warp_points(posed.vertices, vertex, vertex_warp(posed, canonical))
    torch.testing.assert_close(there, canonical.vertices.expand(*frame, -1, 3), atol=1e-5, rtol=0)
    back = warp_points(there, vertex, vertex_warp(canonical, posed))
    torch.testing.assert_close(back, posed.vertices, atol=1e-5, rtol=0)


@pytest.mark.parametrize("frame", FRAMES)
def test_points_around_vertices_return(toy_body: BodyModel, frame: tuple[int, ...]) -> None:
    posed, canonical = toy_body.pose(random_pose(*frame)), toy_body.pose(toy_body.big_pose())
    vertex = torch.randint(0, len(toy_body.v_template), (*frame, 50))
    near = torch.take_along_dim(posed.vertices, vertex[..., None], dim=-2)
    points = near + 0.05 * torch.randn(*frame, 50, 3)
    there = warp_points(points, vertex, vertex_warp(posed, canonical))
    back = warp_points(there, vertex, vertex_warp(canonical, posed))
    torch.testing.assert_close(back, points, atol=1e-4, rtol=0)


def test_a_warp_without_frame_axes_applies_to_points_of_any_shape(toy_body: BodyModel) -> None:
    warp = vertex_warp(toy_body.pose(random_pose()), toy_body.pose(toy_body.big_pose()))
    points, vertex = torch.randn(4, 7, 3), torch.randint(0, 1000, (4, 7))
    flat = warp_points(points.reshape(-1, 3), vertex.flatten(), warp)
    torch.testing.assert_close(warp_points(points, vertex, warp), flat.reshape(4, 7, 3))


def test_directions_transform_as_differences_of_points(toy_body: BodyModel) -> None:
    warp = vertex_warp(toy_body.pose(random_pose()), toy_body.pose(toy_body.big_pose()))
    vertex, a, b = torch.randint(0, 1000, (20,)), torch.randn(20, 3), torch.randn(20, 3)
    difference = warp_points(a, vertex, warp) - warp_points(b, vertex, warp)
    torch.testing.assert_close(warp_directions(a - b, vertex, warp), difference, atol=1e-5, rtol=1e-5)


def test_a_body_warps_to_itself_by_the_identity(toy_body: BodyModel) -> None:
    posed = toy_body.pose(random_pose())
    identity = torch.eye(4).expand(len(toy_body.v_template), 4, 4)
    torch.testing.assert_close(vertex_warp(posed, posed), identity, atol=1e-5, rtol=0)
