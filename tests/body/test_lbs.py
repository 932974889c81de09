"""Laws of linear blend skinning."""

import math

import pytest
import torch
import trimesh
from round_trips import unskin

from sherf.body.body_model import BodyModel
from sherf.body.lbs import (
    affine,
    blend_transforms,
    inverse_affine,
    joint_transforms,
    skin,
    transform_points,
    vertex_normals,
)
from sherf.body.skeleton import JOINT_NAMES, PARENTS, mirrored_joints
from sherf.camera.rotations import axis_angle_to_matrix

FRAMES = [(), (1,), (2, 3)]


def joint_transforms_one_by_one(rotations: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """SMPL's Eq. 3 and 4, written out for one body."""
    world = []
    for joint, parent in enumerate(PARENTS):
        local = torch.eye(4, dtype=rotations.dtype)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    back = torch.eye(4, dtype=rotations.dtype).repeat(len(PARENTS), 1, 1)
    back[:, :3, 3] = -joints
    return torch.stack(world) @ back


@pytest.mark.parametrize("frame", FRAMES)
def test_joint_transforms_are_the_products_down_the_tree(frame: tuple[int, ...]) -> None:
    rotations = axis_angle_to_matrix(torch.randn(*frame, 24, 3, dtype=torch.float64))
    joints = torch.randn(*frame, 24, 3, dtype=torch.float64)
    together = joint_transforms(rotations, joints, PARENTS).reshape(-1, 24, 4, 4)
    for one, r, j in zip(together, rotations.reshape(-1, 24, 3, 3), joints.reshape(-1, 24, 3), strict=True):
        torch.testing.assert_close(one, joint_transforms_one_by_one(r, j))


def test_rest_joints_and_rotations_broadcast_over_frames() -> None:
    """One set of rest joints with many rotations, and the reverse."""
    rotations, joints = axis_angle_to_matrix(torch.randn(5, 24, 3)), torch.randn(24, 3)
    many = joint_transforms(rotations, joints, PARENTS)
    torch.testing.assert_close(many[3], joint_transforms(rotations[3], joints, PARENTS))
    many = joint_transforms(rotations[0], torch.stack([joints, 2 * joints]), PARENTS)
    torch.testing.assert_close(many[1], joint_transforms(rotations[0], 2 * joints, PARENTS))


def test_a_tree_of_one_joint_rotates_about_it() -> None:
    rotation = axis_angle_to_matrix(torch.tensor([[0.0, 0.0, math.pi / 2]]))
    moved = transform_points(
        joint_transforms(rotation, torch.tensor([[1.0, 0.0, 0.0]]), (-1,)), torch.tensor([2.0, 0, 0])
    )
    torch.testing.assert_close(moved, torch.tensor([[1.0, 1.0, 0.0]]))


@pytest.mark.parametrize("frame", FRAMES)
def test_unskin_undoes_skin(toy_body: BodyModel, frame: tuple[int, ...]) -> None:
    joints = toy_body.J_template.expand(*frame, 24, 3)
    transforms = joint_transforms(axis_angle_to_matrix(0.5 * torch.randn(*frame, 24, 3)), joints, PARENTS)
    rest = torch.randn(*frame, len(toy_body.weights), 3)
    posed = skin(rest, toy_body.weights, transforms)
    assert (posed - rest).abs().max() > 0.1
    torch.testing.assert_close(unskin(posed, toy_body.weights, transforms), rest, atol=1e-5, rtol=1e-5)


def test_inverse_affine_is_the_matrix_inverse() -> None:
    transforms = affine(torch.randn(4, 5, 3, 3, dtype=torch.float64), torch.randn(4, 5, 3, dtype=torch.float64))
    torch.testing.assert_close(inverse_affine(transforms), torch.linalg.inv(transforms))


def test_inverse_of_a_collapsed_blend_is_finite() -> None:
    """The mean of a half turn and no rotation projects onto a line: no inverse exists, but no infinity may appear."""
    rotations = torch.stack([torch.eye(3), torch.diag(torch.tensor([-1.0, -1.0, 1.0]))])
    blended = blend_transforms(torch.full((1, 2), 0.5), affine(rotations, torch.zeros(2, 3)))
    assert torch.linalg.det(blended[0, :3, :3]) == 0
    assert inverse_affine(blended).isfinite().all()


@pytest.mark.parametrize("frame", FRAMES)
def test_normals_of_a_ball_point_away_from_its_centre(frame: tuple[int, ...]) -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices = torch.tensor(ball.vertices, dtype=torch.float32)
    normals = vertex_normals((2 * vertices + 5).expand(*frame, -1, 3).contiguous(), torch.tensor(ball.faces))
    torch.testing.assert_close(normals, vertices.expand(*frame, -1, 3), atol=0.02, rtol=0)


def test_normals_weigh_faces_by_area() -> None:
    """At a corner between a floor of area 2 and a wall of area 1 the normal leans to the floor two to one."""
    vertices = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 1.0], [9, 9, 9]])
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    torch.testing.assert_close(normals[0], torch.tensor([1.0, 0.0, 2.0]) / math.sqrt(5))
    torch.testing.assert_close(normals[4], torch.zeros(3))


def test_mirroring_joints_swaps_left_and_right_and_keeps_the_tree() -> None:
    mirror = mirrored_joints()
    assert [mirror[mirror[joint]] for joint in range(24)] == list(range(24))
    assert JOINT_NAMES[mirror[JOINT_NAMES.index("left_wrist")]] == "right_wrist"
    assert mirror[0] == 0
    for joint, parent in enumerate(PARENTS[1:], start=1):
        assert PARENTS[mirror[joint]] == mirror[parent]
