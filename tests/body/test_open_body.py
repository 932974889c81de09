"""Properties of the open body that ships."""

from collections import Counter

import numpy as np
import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.body.files import OPEN_BODY, load_body_model
from sherf.body.skeleton import PARENTS, joint_index, mirrored_joints

FLIP_X = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model("openbody")


def test_it_has_smpls_layout(body: BodyModel) -> None:
    assert body.name == "openbody" and body.parents == PARENTS and body.posedirs is None
    assert body.v_template.shape == (6890, 3) and body.faces.shape == (13776, 3)
    with np.load(OPEN_BODY, allow_pickle=False) as stored:
        assert len(np.unique(stored["base_mesh_ids"])) == 6890


def test_its_surface_is_closed_and_faces_outwards(body: BodyModel) -> None:
    """Every edge has one face on either side; the enclosed volume is a person's."""
    edges = Counter(tuple(edge) for k in range(3) for edge in body.faces[:, [k, (k + 1) % 3]].tolist())
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)
    a, b, c = (body.v_template[body.faces[:, k]] for k in range(3))
    volume = (torch.linalg.cross(a, b) * c).sum() / 6
    assert 0.05 < volume < 0.1
    assert len(body.faces.unique()) == 6890


def test_it_is_its_own_mirror_image(body: BodyModel) -> None:
    mirror, joints = body.mirror, list(mirrored_joints())
    assert torch.equal(mirror[mirror], torch.arange(6890))
    torch.testing.assert_close(body.v_template[mirror] * FLIP_X, body.v_template, atol=1e-6, rtol=0)
    torch.testing.assert_close(body.shapedirs[mirror] * FLIP_X[:, None], body.shapedirs, atol=1e-6, rtol=0)
    torch.testing.assert_close(body.weights[mirror][:, joints], body.weights, atol=1e-6, rtol=0)
    torch.testing.assert_close(body.J_template[joints] * FLIP_X, body.J_template, atol=1e-5, rtol=0)
    faces = {tuple(sorted(face)) for face in body.faces.tolist()}
    mirrored = {tuple(sorted(face)) for face in mirror[body.faces].tolist()}
    assert len(faces & mirrored) > 0.99 * len(faces)  # the closed eyes and mouth are triangulated from one side


def test_it_stands_upright_and_looks_along_z(body: BodyModel) -> None:
    joints = body.J_template
    assert joints[joint_index("head"), 1] > joints[joint_index("pelvis"), 1] > joints[joint_index("left_foot"), 1]
    assert joints[joint_index("left_wrist"), 0] > 0.5 and joints[joint_index("right_wrist"), 0] < -0.5
    assert joints[joint_index("left_foot"), 2] > joints[joint_index("left_ankle"), 2]
    height = body.v_template[:, 1].max() - body.v_template[:, 1].min()
    assert 1.6 < height < 1.8


def test_the_first_beta_is_height_and_moves_the_joints(body: BodyModel) -> None:
    tall = body.rest_vertices(torch.eye(10)[0])
    assert torch.aminmax(tall[:, 1]).max - torch.aminmax(body.v_template[:, 1]).max > 0.02
    torch.testing.assert_close(body.rest_joints(torch.eye(10)[0]), body.J_regressor @ tall, atol=1e-5, rtol=0)


def test_joints_move_with_the_vertices_they_are_regressed_from(body: BodyModel) -> None:
    """The regressor's rows sum to 1, so that it works for a translated body too."""
    torch.testing.assert_close(body.J_regressor.sum(dim=1), torch.ones(24), atol=1e-5, rtol=0)
    torch.testing.assert_close(body.weights.sum(dim=1), torch.ones(6890), atol=1e-5, rtol=0)


def test_landmarks_lie_where_their_names_say(body: BodyModel) -> None:
    """SMPL-H's vertex numbers for nose, left eye, left ear, left thumb, left big toe, left heel, right heel."""
    nose, eye, ear, thumb, toe, heel, right_heel = body.v_template[[332, 2800, 583, 2746, 3216, 3387, 6787]]
    assert nose[2] > eye[2] > ear[2] and eye[1] > nose[1] and ear[0] > eye[0] > 0
    assert abs(nose[0]) < 0.005 and thumb[0] > 0.6
    assert toe[2] - heel[2] > 0.2 and heel[0] > 0 > right_heel[0]
