"""Nearest surface points: closed forms, and every backend against the definition."""

from collections.abc import Callable

import pytest
import torch
from simulated_device import any_gpu

from sherf.body.body_model import BodyModel
from sherf.render.backend import MakeSurface
from sherf.render.devices import cuda_backend
from sherf.render.open3d_surface import Open3dSurface
from sherf.render.pytorch3d_surface import Pytorch3dSurface
from sherf.render.signed_mesh import closest_on_triangles
from sherf.render.torch_backend import BruteForceSurface
from tests.render.meshes import RING, Mesh, box, box_distance, scattered, spike, torus, torus_distance

SURFACES = [BruteForceSurface, Open3dSurface, Pytorch3dSurface]


@pytest.mark.parametrize("make", SURFACES)
def test_distance_to_a_box_is_exact_on_every_side_of_its_edges_and_corners(make: MakeSurface) -> None:
    points = torch.cat([scattered(1000, 0.5), torch.tensor([[0.2, 0.3, 0.4], [0.2, 0.3, 0.0], [-0.2, -0.3, -0.4]])])
    torch.testing.assert_close(make(*box()).nearest(points).distance, box_distance(points), atol=1e-6, rtol=0)


@pytest.mark.parametrize("make", SURFACES)
def test_distance_to_a_torus_has_the_right_sign_beside_saddles(make: MakeSurface) -> None:
    points = scattered(1000, 0.5, seed=1)
    # the mesh's flat faces lie up to 3 mm inside the smooth torus
    torch.testing.assert_close(make(*torus()).nearest(points).distance, torus_distance(points), atol=4e-3, rtol=0)


@pytest.mark.parametrize("make", [BruteForceSurface, Open3dSurface])
def test_the_sign_is_right_around_sharp_edges_and_corners_however_they_are_triangulated(make: MakeSurface) -> None:
    """A convex needle: inside is behind all faces. Inverting the mesh inverts every sign."""
    vertices, faces = spike()
    corners = vertices[faces]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = torch.nn.functional.normalize(normals, dim=-1)
    assert (torch.einsum("fd,fd->f", normals, corners[:, 0] - vertices.mean(dim=0)) > 0).all(), "faces point outwards"
    points = torch.cat(
        [vertices[0] + scattered(800, 0.05), scattered(800, 0.3), 0.7 * vertices + 0.3 * vertices.mean(0)]
    )
    beyond = torch.einsum("fd,pfd->pf", normals, points[:, None] - corners[None, :, 0]).amax(dim=-1)
    clear = beyond.abs() > 1e-4
    inside = make(vertices, faces).nearest(points).distance < 0
    assert (inside == (beyond < 0))[clear].all() and inside.sum() > 10
    outside_in = make(vertices, faces.flip(1)).nearest(points).distance < 0
    assert (outside_in == (beyond > 0))[clear].all()


@pytest.mark.parametrize("make", [BruteForceSurface, Open3dSurface])
def test_points_that_are_not_finite_get_a_distance_that_is_not_finite(make: MakeSurface) -> None:
    points = torch.tensor([[torch.nan, 0.0, 0.0], [torch.inf, 0.0, 0.0], [0.2, 0.0, 0.0]])
    distance = make(*box()).nearest(points).distance
    assert not distance[:2].isfinite().any()
    torch.testing.assert_close(distance[2], torch.tensor(0.1))


@pytest.mark.parametrize("make", [Open3dSurface, Pytorch3dSurface])
@pytest.mark.parametrize("mesh", [box, torus])
def test_backends_find_the_surface_point_that_the_definition_finds(make: MakeSurface, mesh: Callable[[], Mesh]) -> None:
    vertices, faces = mesh()
    points = scattered(700, 0.5, seed=2)
    here, there = make(vertices, faces).nearest(points), BruteForceSurface(vertices, faces).nearest(points)
    torch.testing.assert_close(here.distance, there.distance, atol=1e-6, rtol=0)
    # faces may differ where they meet; the point on them may not, unless two are equally near (medial axis)
    at, at_too = (torch.einsum("pc,pcd->pd", found.barycentric, vertices[faces[found.face]]) for found in (here, there))
    assert ((at - at_too).norm(dim=-1) < 1e-4).float().mean() > 0.995


@pytest.mark.parametrize("make", SURFACES)
def test_a_point_moved_along_a_normal_finds_its_vertex(make: MakeSurface) -> None:
    """From a vertex, along its normal: nearest point, distance and sign are known."""
    vertices, faces = torus()
    in_tube = RING * torch.nn.functional.normalize(vertices * torch.tensor([1.0, 1.0, 0.0]), dim=-1)
    outwards = torch.nn.functional.normalize(vertices - in_tube, dim=-1)
    for push in (0.02, -0.02):
        found = make(vertices, faces).nearest(vertices + push * outwards)
        torch.testing.assert_close(found.distance, torch.full((len(vertices),), push), atol=2e-3, rtol=0)
        assert (found.barycentric >= 0).all()
        torch.testing.assert_close(found.barycentric.sum(dim=-1), torch.ones(len(vertices)))


@pytest.mark.parametrize("make", SURFACES)
def test_an_empty_set_of_points_is_accepted(make: MakeSurface) -> None:
    found = make(*box()).nearest(torch.zeros(0, 3))
    assert found.distance.shape == (0,) and found.face.shape == (0,) and found.barycentric.shape == (0, 3)


def test_triangles_without_area_still_have_a_nearest_point() -> None:
    """A triangle squeezed to a segment, and one squeezed to a point."""
    line = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    corners = torch.stack([line, torch.ones(3, 3)])
    barycentric, squared = closest_on_triangles(torch.tensor([[0.25, 2.0, 0.0]]), corners)
    torch.testing.assert_close(squared, torch.tensor([4.0, 0.75**2 + 1 + 1]))
    torch.testing.assert_close(barycentric.sum(dim=-1), torch.ones(2))


def test_permuting_a_triangles_corners_permutes_the_barycentric_weights() -> None:
    """For points nearest to a face, an edge and a corner."""
    points, corners = scattered(500, 2.0).double(), scattered(1500, 1.0, seed=5).reshape(500, 3, 3).double()
    weights, squared = closest_on_triangles(points, corners)
    at = torch.einsum("pc,pcd->pd", weights, corners)
    for shift in (1, 2):
        turned, squared_too = closest_on_triangles(points, corners.roll(shift, dims=1))
        at_too = torch.einsum("pc,pcd->pd", turned, corners.roll(shift, dims=1))
        torch.testing.assert_close(at_too, at, atol=1e-9, rtol=0)
        torch.testing.assert_close(squared_too, squared)


@pytest.mark.parametrize("make", [Open3dSurface, Pytorch3dSurface])
def test_distances_to_a_body_are_those_of_the_nearest_of_all_triangles(make: MakeSurface, body: BodyModel) -> None:
    """Fingers and faces have triangles of square millimetres beside long ones."""
    rng = torch.Generator().manual_seed(0)
    near = body.v_template[torch.randint(len(body.v_template), (100,), generator=rng)]
    points = near + 0.05 * torch.randn(100, 3, generator=rng) * torch.rand(100, 1, generator=rng)
    found = make(body.v_template, body.faces).nearest(points)
    every = BruteForceSurface(body.v_template, body.faces).nearest(points)
    torch.testing.assert_close(found.distance, every.distance, atol=1e-6, rtol=0)


@pytest.mark.gpu
def test_the_cuda_surface_agrees_with_the_definition() -> None:
    vertices, faces = torus()
    points = scattered(2000, 0.5, seed=3)
    with any_gpu():
        backend = cuda_backend()
        on_device = (x.to(backend.device) for x in (vertices, faces))
        found = backend.surface(*on_device).nearest(points.to(backend.device)).distance.cpu()
    torch.testing.assert_close(found, BruteForceSurface(vertices, faces).nearest(points).distance, atol=1e-5, rtol=0)
