"""The displacement that lays a fitted body on a person, on synthetic people with known bodies."""

import dataclasses
import math

import pytest
import torch
from stage import camera_in_front, observed, standing

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.pinhole import project
from sherf.photo import landmarks as marks
from sherf.photo.clothing import clothing_thickness
from sherf.photo.detect import Person
from sherf.photo.displacement import lay_on_person
from sherf.photo.face_mesh import Face, face_points
from sherf.photo.fit import BodyFit
from sherf.photo.smooth_basis import smooth_basis
from sherf.render.raycast import cast
from sherf.scene import BodyPose

SIZE = (400, 300)


def bulging(body: BodyModel, pose: BodyPose) -> BodyPose:
    """Return a person with a belly and broad hips, which no beta describes: up to 5 cm wider about the waist."""
    height = body.v_template[:, 1]
    belly = 0.05 * torch.exp(-((height + 0.15) / 0.12).square())
    outwards = torch.nn.functional.normalize(body.v_template * torch.tensor([1.0, 0.0, 1.0]), dim=1)
    trunk = body.weights[:, [0, 3, 6, 9]].sum(dim=1, keepdim=True)
    return dataclasses.replace(pose, displacement=belly[:, None] * outwards * trunk)


def clothed_mask(body: BodyModel, pose: BodyPose) -> torch.Tensor:
    """Return the silhouette of a body in usual clothes."""
    vertices = body.pose(pose).vertices
    clothed = vertices + clothing_thickness(body.weights)[:, None] * vertex_normals(vertices, body.faces)
    return cast(clothed, body.faces, camera_in_front(SIZE)).hit.float()


def dressed(body: BodyModel, pose: BodyPose) -> Person:
    """Return what a perfect detector would find of a body in usual clothes."""
    return dataclasses.replace(observed(body, pose, SIZE), mask=clothed_mask(body, pose))


def outline_overlap(body: BodyModel, pose: BodyPose, mask: torch.Tensor) -> float:
    mine = clothed_mask(body, pose)
    return float((mine * mask).sum() / torch.maximum(mine, mask).sum())


def test_a_body_that_lies_on_its_person_stays_there(body: BodyModel) -> None:
    pose = standing(0.1)
    laid = lay_on_person(body, BodyFit(pose, camera_in_front(SIZE)), dressed(body, pose), None)
    assert laid.pose.displacement is not None
    assert laid.pose.displacement.norm(dim=1).mean() < 0.006


def test_functions_of_the_basis_sum_to_one_and_are_symmetric(body: BodyModel) -> None:
    basis = smooth_basis(body)
    torch.testing.assert_close(basis.functions.sum(dim=1), torch.ones(len(body.v_template)))
    assert basis.mirrored[basis.mirrored].equal(torch.arange(basis.functions.shape[1]))
    there = basis.functions[body.mirror][:, basis.mirrored]
    assert (there - basis.functions).abs().median() < 1e-3


def test_a_belly_that_no_beta_describes_is_met(body: BodyModel) -> None:
    pose = standing(math.radians(15))
    truth = bulging(body, pose)
    person = dressed(body, truth)
    laid = lay_on_person(body, BodyFit(pose, camera_in_front(SIZE)), person, None)
    assert laid.pose.displacement is not None
    wide = (body.v_template[:, 1] + 0.15).abs() < 0.08
    trunk = wide & (body.weights[:, [0, 3, 6, 9]].sum(dim=1) > 0.9)
    towards = (laid.pose.displacement * truth.displacement).sum(dim=1)[trunk] > 0
    assert towards.float().mean() > 0.8, "the waist moves outwards"
    assert outline_overlap(body, laid.pose, person.mask) > outline_overlap(body, pose, person.mask) + 0.01


def test_landmarks_beside_the_body_are_met_within_half_a_percent_of_the_height(body: BodyModel) -> None:
    pose, camera = standing(0.2), camera_in_front(SIZE)
    person = observed(body, pose, SIZE)
    height = person.box[3] - person.box[1]
    # both knees are two percent of the height lower than the fit has them
    moved = person.landmarks.clone()
    moved[[25, 26], 1] += 0.02 * height
    person = dataclasses.replace(person, landmarks=moved)
    laid = lay_on_person(body, BodyFit(pose, camera), person, None)
    knees = [marks.INDEX["left_knee"], marks.INDEX["right_knee"]]
    target = marks.from_blazepose(moved)
    before, _ = project(camera, marks.displaced_landmarks(body, pose))
    after, _ = project(camera, marks.displaced_landmarks(body, laid.pose))
    assert (before - target)[knees].norm(dim=1).min() > 0.018 * height
    assert (after - target)[knees].norm(dim=1).max() < 0.006 * height
    assert (after - target).norm(dim=1).mean() < 0.005 * height


def test_a_hidden_landmark_does_not_pull_unless_the_user_placed_it(body: BodyModel) -> None:
    pose, camera = standing(), camera_in_front(SIZE)
    person = observed(body, pose, SIZE)
    moved, visibility = person.landmarks.clone(), person.visibility.clone()
    moved[15] += torch.tensor([0.0, 12.0])
    visibility[15] = 0.1
    person = dataclasses.replace(person, landmarks=moved, visibility=visibility)
    wrist = marks.INDEX["left_wrist"]

    def shift(placed: tuple[str, ...]) -> float:
        laid = lay_on_person(body, BodyFit(pose, camera), person, None, placed)
        before, after = (project(camera, marks.displaced_landmarks(body, p))[0][wrist, 1] for p in (pose, laid.pose))
        return float(after - before)

    assert shift(()) < 4 < 9 < shift(("left_wrist",))


def test_the_head_turns_to_the_face(body: BodyModel) -> None:
    """The mesh of a head that looks 25 degrees to its left is found again from its pixels alone."""
    camera, straight = camera_in_front(SIZE), standing()
    joints = straight.joints.clone()
    joints[15, 1] = math.radians(25)
    truth = dataclasses.replace(straight, joints=joints)
    on_body = face_points(body)
    assert on_body is not None

    def pixels(pose: BodyPose) -> torch.Tensor:
        vertices = body.pose(pose).vertices
        return project(camera, (vertices[on_body.corners] * on_body.weights[..., None]).sum(dim=1))[0]

    face = Face(pixels(truth), 1.0)
    laid = lay_on_person(body, BodyFit(straight, camera), observed(body, truth, SIZE), face)
    turned = laid.pose.joints[[12, 15], 1].sum()
    assert float(turned) == pytest.approx(math.radians(25), abs=math.radians(7))
    assert (pixels(laid.pose) - face.points).norm(dim=1).mean() < 0.02 * face.size, "2 % of the face"


def test_the_displacement_moves_with_the_body_and_leaves_joints_alone(body: BodyModel) -> None:
    pose = bulging(body, standing())
    plain = dataclasses.replace(pose, displacement=None)
    turned = dataclasses.replace(pose, R_world_body=torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]))
    torch.testing.assert_close(body.pose(pose).joints, body.pose(plain).joints)
    torch.testing.assert_close(
        body.pose(turned).vertices, body.pose(pose).vertices @ turned.R_world_body.T, atol=1e-5, rtol=0
    )
    rest = body.pose(body.at_rest(pose)).vertices - body.pose(body.at_rest(plain)).vertices
    torch.testing.assert_close(rest, pose.displacement, atol=1e-6, rtol=0)
    some = torch.tensor([0, 100, 3000])
    torch.testing.assert_close(body.pose_vertices(pose, some)[0], body.pose(pose).vertices[some])
