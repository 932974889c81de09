"""The face mesh in the shipped photographs, and where the open body has it."""

import dataclasses
from functools import cache

import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import HEAD
from sherf.files.assets import assets_root
from sherf.photo.detect import Person, choose_person, detect_people
from sherf.photo.face_mesh import Face, face_points, find_face
from sherf.photo.photo_reader import read_photo

EXAMPLES = assets_root().parent / "examples"


@cache
def seen(name: str) -> tuple[torch.Tensor, Person]:
    image = read_photo(EXAMPLES / name).image
    return image, choose_person(detect_people(image))


def found(image: torch.Tensor, person: Person) -> Face:
    face = find_face(image, person)
    assert face is not None
    return face


@pytest.mark.parametrize("name", ["person_1.jpg", "person_2.jpg"])
def test_a_face_is_found_at_the_nose(name: str) -> None:
    image, person = seen(name)
    face = found(image, person)
    assert face.score > 0.9
    assert (face.points[1] - person.landmarks[0]).norm() < 0.3 * face.size, "point 1 is the tip of the nose"
    assert (face.points[263] - face.points[33])[0] > 0.3 * face.size, "the person's left eye is on the right"


def test_a_mirrored_photo_has_the_mirrored_mesh() -> None:
    image, person = seen("person_1.jpg")
    width = image.shape[2]
    swap = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, 33))]
    landmarks = (person.landmarks * torch.tensor([-1.0, 1.0]) + torch.tensor([width, 0.0]))[swap]
    flipped = dataclasses.replace(person, landmarks=landmarks, visibility=person.visibility[swap])
    plain, mirrored = found(image, person), found(image.flip(2), flipped)
    back = mirrored.points * torch.tensor([-1.0, 1.0]) + torch.tensor([width, 0.0])
    assert (back[1] - plain.points[1]).norm() < 0.05 * plain.size
    assert (back[33] - plain.points[263]).norm() < 0.05 * plain.size


def test_a_shifted_photo_has_the_shifted_mesh() -> None:
    image, person = seen("person_1.jpg")
    shifted = dataclasses.replace(person, landmarks=person.landmarks - torch.tensor([7.0, 4.0]))
    plain, moved = found(image, person), found(image[:, 4:, 7:], shifted)
    assert (moved.points + torch.tensor([7.0, 4.0]) - plain.points).norm(dim=1).mean() < 0.02 * plain.size


def test_a_back_a_covered_face_and_a_tiny_one_have_none() -> None:
    assert find_face(*seen("darknet_person.jpg")) is None, "seen from behind"
    image, person = seen("person_1.jpg")
    face = found(image, person)
    covered = image.clone()
    (x0, y0), (x1, y1) = (face.points.amin(0) - face.size / 4).int().tolist(), (face.points.amax(0) + 8).int().tolist()
    covered[:, max(y0, 0) : y1, max(x0, 0) : x1] = 0.5
    assert find_face(covered, person) is None
    small = torch.nn.functional.interpolate(image[None], scale_factor=16 / face.size, mode="area")[0]
    assert find_face(small, dataclasses.replace(person, landmarks=person.landmarks * 16 / face.size)) is None


def test_points_lie_on_the_front_of_the_head_and_are_symmetric(body: BodyModel, toy_body: BodyModel) -> None:
    points = face_points(body)
    assert points is not None and face_points(toy_body) is None
    torch.testing.assert_close(points.weights.sum(dim=1), torch.ones(468))
    assert points.weights.min() >= 0
    where = (body.v_template[points.corners] * points.weights[..., None]).sum(dim=1)
    assert body.weights[points.corners, HEAD].amax(dim=1).min() > 0.5
    assert where[:, 2].min() > body.v_template[body.weights[:, HEAD] > 0.5][:, 2].mean() - 0.03
    # nose tip, chin and forehead in the middle; the eyes' outer corners 8 to 12 cm apart
    assert where[[1, 152, 10], 0].abs().max() < 0.004
    assert where[10, 1] > where[1, 1] > where[152, 1]
    assert 0.075 < float(where[263, 0] - where[33, 0]) < 0.125
    mirrored = where * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.cdist(mirrored, where).amin(dim=1).max() < 0.006
