"""Laws of posing a body, on the toy body (with pose offsets) and the open body."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.body.lbs import skin
from sherf.body.skeleton import joint_index
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.scene import BodyPose

FRAMES = [(), (1,), (2, 3)]


@pytest.fixture(scope="module")
def open_body() -> BodyModel:
    return load_body_model("openbody")


def random_pose(*frame: int, dtype: torch.dtype = torch.float32) -> BodyPose:
    return BodyPose(
        betas=torch.randn(*frame, 10, dtype=dtype),
        joints=0.4 * torch.randn(*frame, 24, 3, dtype=dtype),
        R_world_body=axis_angle_to_matrix(torch.randn(*frame, 3, dtype=dtype)),
        T_world_body=torch.randn(*frame, 3, dtype=dtype),
    )


@pytest.mark.parametrize("frame", FRAMES)
def test_rest_pose_gives_template_plus_shape(toy_body: BodyModel, frame: tuple[int, ...]) -> None:
    betas = torch.randn(*frame, 10)
    body = toy_body.pose(toy_body.rest_pose(betas))
    shaped = toy_body.v_template + (toy_body.shapedirs * betas[..., None, None, :]).sum(dim=-1)
    torch.testing.assert_close(body.vertices, shaped)
    torch.testing.assert_close(toy_body.rest_vertices(betas), shaped)
    torch.testing.assert_close(body.joints, toy_body.J_regressor @ shaped)
    torch.testing.assert_close(body.T_world_rest, torch.eye(4).expand(*frame, 24, 4, 4))


def test_root_rotation_rotates_the_body_about_the_pelvis(toy_body: BodyModel) -> None:
    pose = replace(random_pose(), R_world_body=torch.eye(3), T_world_body=torch.zeros(3))
    still = toy_body.pose(replace(pose, joints=pose.joints.index_fill(0, torch.tensor([0]), 0.0)))
    turned = toy_body.pose(pose)
    pelvis = toy_body.rest_joints(pose.betas)[0]
    R = axis_angle_to_matrix(pose.joints[0])
    torch.testing.assert_close(turned.vertices, (still.vertices - pelvis) @ R.T + pelvis)
    torch.testing.assert_close(turned.joints, (still.joints - pelvis) @ R.T + pelvis)


def test_placement_comes_after_the_pose(toy_body: BodyModel) -> None:
    """x_world = R_world_body x_body + T_world_body, for vertices, joints and transforms."""
    pose = random_pose()
    placed = toy_body.pose(pose)
    unplaced = toy_body.pose(replace(pose, R_world_body=torch.eye(3), T_world_body=torch.zeros(3)))
    R, T = pose.R_world_body, pose.T_world_body
    torch.testing.assert_close(placed.vertices, unplaced.vertices @ R.T + T)
    torch.testing.assert_close(placed.joints, unplaced.joints @ R.T + T)
    torch.testing.assert_close(placed.offsets, unplaced.offsets)
    rest = toy_body.v_template + placed.offsets
    torch.testing.assert_close(skin(rest, placed.weights, placed.T_world_rest), placed.vertices)


def test_pose_offsets_do_not_move_joints(toy_body: BodyModel) -> None:
    pose = random_pose()
    stiff = replace(toy_body, posedirs=None).pose(pose)
    soft = toy_body.pose(pose)
    torch.testing.assert_close(soft.joints, stiff.joints)
    assert (soft.vertices - stiff.vertices).abs().max() > 1e-3


@pytest.mark.parametrize("frame", FRAMES)
def test_a_batch_is_a_loop(toy_body: BodyModel, frame: tuple[int, ...]) -> None:
    pose = random_pose(*frame)
    body = toy_body.pose(pose)
    assert body.vertices.shape == (*frame, len(toy_body.v_template), 3)
    for at in product(*map(range, frame)):
        one = toy_body.pose(BodyPose(pose.betas[at], pose.joints[at], pose.R_world_body[at], pose.T_world_body[at]))
        for field in ("vertices", "joints", "T_world_rest", "offsets"):
            torch.testing.assert_close(getattr(body, field)[at], getattr(one, field), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frame", FRAMES)
def test_posing_selected_vertices_equals_posing_all(
    toy_body: BodyModel, open_body: BodyModel, frame: tuple[int, ...]
) -> None:
    for model in (toy_body, open_body):
        pose, ids = random_pose(*frame), torch.tensor([7, 0, 900, 7])
        vertices, joints, transforms = model.pose_vertices(pose, ids)
        body = model.pose(pose)
        torch.testing.assert_close(vertices, body.vertices[..., ids, :])
        torch.testing.assert_close(joints, body.joints)
        torch.testing.assert_close(transforms, body.T_world_rest)


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_gradients_agree_with_finite_differences(toy_body: BodyModel, scale: float) -> None:
    """Also at rotation zero, where a naive norm gives NaN."""
    fields = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    model = replace(toy_body, **{name: getattr(toy_body, name).double() for name in fields})
    pose, ids = random_pose(dtype=torch.float64), torch.tensor([3, 500, 1000])

    def corners(betas: torch.Tensor, joints: torch.Tensor, T: torch.Tensor) -> torch.Tensor:
        vertices, centres, _ = model.pose_vertices(BodyPose(betas, joints, pose.R_world_body, T), ids)
        return torch.cat([vertices, centres])

    start = [x.requires_grad_() for x in (scale * pose.betas, scale * pose.joints, scale * pose.T_world_body)]
    assert torch.autograd.gradcheck(corners, start, eps=1e-6, atol=1e-6, fast_mode=True)


def test_big_pose_spreads_the_legs(open_body: BodyModel) -> None:
    pose = open_body.big_pose()
    flat = pose.joints.flatten()
    nonzero = {index: flat[index].item() for index in flat.nonzero().flatten().tolist()}
    quarter, sixth = math.pi / 4, math.pi / 6
    assert nonzero == pytest.approx({5: quarter, 8: -quarter, 23: -sixth, 26: sixth})
    assert not pose.betas.any() and not pose.T_world_body.any()
    torch.testing.assert_close(pose.R_world_body, torch.eye(3))
    joints = open_body.pose(pose).joints
    assert joints[joint_index("left_ankle"), 0] > 0.5 and joints[joint_index("right_ankle"), 0] < -0.5


def test_mirror_of_an_asymmetric_template_is_the_nearest_vertex(toy_body: BodyModel) -> None:
    bent = replace(toy_body, v_template=toy_body.v_template + 1e-3 * torch.randn_like(toy_body.v_template))
    wanted = torch.cdist(bent.v_template * torch.tensor([-1.0, 1.0, 1.0]), bent.v_template).argmin(dim=1)
    assert torch.equal(bent.mirror, wanted)


def test_to_moves_every_array(toy_body: BodyModel) -> None:
    moved = toy_body.to("meta")
    arrays = (moved.v_template, moved.shapedirs, moved.posedirs, moved.J_regressor, moved.weights, moved.faces)
    assert all(array.device.type == "meta" for array in arrays)
    assert moved.parents == toy_body.parents and moved.name == "toy"
