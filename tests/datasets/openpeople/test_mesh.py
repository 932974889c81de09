"""Mesh operations against closed forms."""

import numpy as np
import pytest
import trimesh

from sherf.datasets.openpeople.mesh import (
    Draft,
    add_rim,
    border_edges,
    cut_mesh,
    loop_matrix,
    neighbour_average,
    vertex_normals,
)  # fmt: skip


def sheet(cells: int = 8) -> Draft:
    """The unit square in the plane z = 0, seen from +z."""
    x, y = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    number = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (n.ravel() for n in (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    weights = np.zeros((len(points), 24))
    weights[:, 0], weights[:, 1] = 1 - points[:, 0], points[:, 0]
    return Draft(points, np.tile([0.0, 0, 1], (len(points), 1)), np.zeros_like(points), weights, points[:, 1], faces)


def area(draft: Draft) -> float:
    a, b, c = (draft.vertices[draft.faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("where", [0.3, 0.5, 0.91])
def test_cutting_leaves_the_exact_part(where: float) -> None:
    whole = sheet()
    left = cut_mesh(whole, whole.reference[:, 0] - where)
    assert area(left) == pytest.approx(where)
    assert left.reference[:, 0].max() == pytest.approx(where)
    np.testing.assert_allclose(left.weights[:, 1], left.reference[:, 0], atol=1e-12)
    np.testing.assert_allclose(left.arm, left.reference[:, 1], atol=1e-12)


def test_both_sides_of_a_cut_make_the_whole() -> None:
    whole = sheet()
    side = whole.reference[:, 0] + 0.7 * whole.reference[:, 1] - 0.6
    assert area(cut_mesh(whole, side)) + area(cut_mesh(whole, -side)) == pytest.approx(1.0)


def test_a_cut_outside_the_mesh_changes_nothing() -> None:
    whole = sheet()
    assert area(cut_mesh(whole, np.full(len(whole.reference), -1.0))) == pytest.approx(1.0)


def test_borders_of_sheets_and_closed_surfaces() -> None:
    edges = border_edges(sheet(8).faces)
    assert len(edges) == 4 * 8
    # Each border vertex is entered once and left once, counter-clockwise.
    assert len(set(edges[:, 0])) == len(set(edges[:, 1])) == 32
    assert len(border_edges(np.array(trimesh.creation.icosphere(subdivisions=1).faces))) == 0


def test_a_rim_points_inwards_and_shares_the_border() -> None:
    rimmed = add_rim(sheet(), 0.05)
    added = rimmed.vertices[len(sheet().reference) :]
    assert len(added) == 32
    np.testing.assert_allclose(added[:, 2], -0.05, atol=1e-12)
    assert len(border_edges(rimmed.faces)) == 32


def test_normals_of_a_sphere_point_outwards() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    normals = vertex_normals(np.array(ball.vertices), np.array(ball.faces))
    assert (normals * ball.vertices).sum(axis=1).min() > 0.999


def test_loop_subdivision_reproduces_planes_and_shrinks_spheres_evenly() -> None:
    flat = sheet(4)
    matrix, faces = loop_matrix(flat.faces, len(flat.reference))
    fine = matrix @ flat.reference
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1, atol=1e-12)
    assert len(faces) == 4 * len(flat.faces) and np.abs(fine[:, 2]).max() == 0
    np.testing.assert_allclose(fine[:, :2].mean(axis=0), 0.5, atol=1e-12)
    ball = trimesh.creation.icosphere(subdivisions=2)
    matrix, faces = loop_matrix(np.array(ball.faces), len(ball.vertices))
    radius = np.linalg.norm(matrix @ np.array(ball.vertices), axis=1)
    assert radius.min() > 0.97 and np.ptp(radius) < 0.01
    assert len(border_edges(faces)) == 0


def test_the_mean_over_neighbours_keeps_constants() -> None:
    whole = sheet()
    np.testing.assert_allclose(neighbour_average(whole.faces, len(whole.reference)) @ np.ones(len(whole.reference)), 1)
