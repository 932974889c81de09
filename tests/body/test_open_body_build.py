"""The steps that build the open body, on small synthetic data, without anny."""

from collections import Counter

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from sherf.body.files import load_body_model
from sherf.body.skeleton import mirrored_joints
from sherf.datasets.openbody.base_mesh import LIMB_SHARES, NUM_VERTICES, SKIN, TRUNK_SHARES
from sherf.datasets.openbody.decimate import border_loops, decimate
from sherf.datasets.openbody.pack import smooth_weights
from sherf.datasets.openbody.regressor import regress_joints
from sherf.datasets.openbody.rest_pose import rotation_about, rotation_between
from sherf.datasets.openbody.sample import People
from sherf.datasets.openbody.shape_space import FLIP_X, HELD_OUT, ORIGIN, fit_shape_space
from sherf.errors import SherfError


def mirror_of(vertices: np.ndarray) -> np.ndarray:
    return cKDTree(vertices).query(vertices * FLIP_X)[1]


def face_with_an_open_mouth() -> tuple[np.ndarray, np.ndarray]:
    """An egg whose edges run along x = 0, with a hole at its front."""
    octahedron = trimesh.Trimesh(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]],
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]],
        process=False,
    )
    for _ in range(4):
        octahedron = octahedron.subdivide()
    directions = np.array(octahedron.vertices) / np.linalg.norm(octahedron.vertices, axis=1, keepdims=True)
    faces = np.array(octahedron.faces)
    middle = directions[faces].mean(axis=1)
    is_mouth = (middle[:, 2] > 0) & (abs(middle[:, 0]) < 0.35) & (abs(middle[:, 1]) < 0.12)
    return directions * [0.08, 0.12, 0.1], faces[~is_mouth]


@pytest.mark.parametrize("target", [300, 301])
def test_decimation_closes_the_mesh_and_keeps_it_symmetric(target: int) -> None:
    vertices, faces = face_with_an_open_mouth()
    mirror, labels = mirror_of(vertices), np.full(len(faces), "head", object)
    assert len(border_loops(faces)) == 1
    small = decimate(vertices, faces, labels, mirror, target)
    kept = np.unique(small)
    assert len(kept) == target and not border_loops(small)
    assert set(mirror[kept]) == set(kept)
    edges = Counter(tuple(sorted(edge)) for k in range(3) for edge in small[:, [k, (k + 1) % 3]].tolist())
    assert set(edges.values()) == {2} and len(kept) - len(edges) + len(small) == 2
    # Far fewer triangles, nearly the same egg.
    volume = trimesh.Trimesh(vertices, small, process=False).volume
    assert volume == pytest.approx(4 / 3 * np.pi * 0.08 * 0.12 * 0.1, rel=0.05)


def test_an_unreachable_decimation_target_is_reported() -> None:
    vertices, faces = face_with_an_open_mouth()
    with pytest.raises(SherfError, match="expected 4, closed"):
        decimate(vertices, faces, np.full(len(faces), "head", object), mirror_of(vertices), 4)


def test_shape_space_finds_a_population_of_ten_dimensions() -> None:
    """Made from ten symmetric fields, people are rebuilt from ten betas; the betas are N(0, 1) over those fitted."""
    rng = np.random.default_rng(0)
    mirror = np.arange(NUM_VERTICES).reshape(-1, 2)[:, ::-1].ravel()
    mean, fields = rng.normal(size=(NUM_VERTICES, 3)), 0.05 * rng.normal(size=(10, NUM_VERTICES, 3))
    mean, fields = ((x + x[..., mirror, :] * FLIP_X) / 2 for x in (mean, fields))
    coefficients = rng.normal(size=(HELD_OUT + 60, 10))
    vertices = (mean + np.tensordot(coefficients, fields, 1)).astype(np.float32)
    joints = rng.normal(size=(len(vertices), 24, 3))
    triangles = rng.permuted(np.tile(np.arange(SKIN.stop), (2, 1)), axis=1).reshape(-1, 3)
    space = fit_shape_space(People(vertices, joints), mirror, triangles)
    assert space.is_fitted.sum() == 60
    assert space.held_out_error_mm() < 0.01
    np.testing.assert_allclose(space.betas[space.is_fitted].std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(space.mean, vertices[:60].mean(axis=0) + ORIGIN, atol=1e-5)
    np.testing.assert_allclose(space.directions[mirror] * FLIP_X[:, None], space.directions, atol=1e-5)
    assert np.corrcoef(space.betas[:60, 0], space.people.heights[:60])[0, 1] > 0


def test_regressed_joints_are_exact_on_template_and_shape_directions() -> None:
    body = load_body_model("openbody")
    template, directions = body.v_template.double().numpy(), body.shapedirs.double().numpy()
    centres = np.concatenate(
        [body.J_shapedirs.permute(2, 0, 1).double().numpy(), body.J_template[None].double().numpy()]
    )
    betas = np.random.default_rng(0).normal(size=(60, 10))
    regressor = regress_joints(
        template,
        directions,
        body.mirror.numpy(),
        vertices=template + np.einsum("vck,nk->nvc", directions, betas),
        joints=np.tensordot(np.column_stack([betas, np.ones(60)]), centres, 1),
        is_fitted=np.ones(60, bool),
        joints_of_betas=centres,
    )
    np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(regressor @ template, centres[10], atol=1e-5)
    np.testing.assert_allclose(np.einsum("jv,vck->kjc", regressor, directions), centres[:10], atol=1e-5)
    np.testing.assert_allclose(regressor[:, body.mirror.numpy()][list(mirrored_joints())], regressor, atol=1e-12)
    assert (np.abs(regressor) > 0).sum(axis=1).max() < 800


def test_smoothed_weights_stay_weights_on_few_joints() -> None:
    body = load_body_model("openbody")
    mirror = body.mirror.numpy()
    nearest = np.linalg.norm(body.v_template.numpy()[:, None] - body.J_template.numpy(), axis=2).argmin(axis=1)
    weights = smooth_weights(np.eye(24)[nearest], body.faces.numpy(), mirror)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[mirror][:, mirrored_joints()], weights, atol=1e-9)
    assert weights.min() >= 0 and 2 <= (weights > 0).sum(axis=1).max() <= 8
    assert (weights.max(axis=1) < 1).mean() > 0.2


def test_rotation_between_directions_is_the_smallest() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(20, 3)), rng.normal(size=3)
    rotations = rotation_between(source, target)
    unit = source / np.linalg.norm(source, axis=1, keepdims=True)
    np.testing.assert_allclose(
        np.einsum("nij,nj->ni", rotations, unit), np.tile(target / np.linalg.norm(target), (20, 1))
    )
    angles = np.arccos(unit @ target / np.linalg.norm(target))
    np.testing.assert_allclose(np.trace(rotations, axis1=1, axis2=2), 1 + 2 * np.cos(angles))
    np.testing.assert_allclose(rotation_about(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_every_bones_shares_sum_to_one() -> None:
    for shares in (*TRUNK_SHARES.values(), *LIMB_SHARES.values()):
        assert sum(shares.values()) == 1
