"""The occupancy grid covers the surface tightly; samples lie exactly where the grid is occupied."""

import math
from collections.abc import Callable

import pytest
import torch

from sherf.render.sampling import OccupancyGrid, sample_rays, scatter_points
from sherf.render.torch_backend import BruteForceSurface
from sherf.scene import Rays
from tests.render.meshes import Mesh, box, scattered, torus


@pytest.mark.parametrize("mesh", [box, torus])
@pytest.mark.parametrize(("reach", "voxel"), [(0.05, 0.02), (0.031, 0.01), (0.0, 0.02)])
def test_the_grid_covers_everything_within_reach_and_little_more(
    mesh: Callable[[], Mesh], reach: float, voxel: float
) -> None:
    vertices, faces = mesh()
    grid = OccupancyGrid.around(vertices, faces, reach, voxel)
    surface = BruteForceSurface(vertices, faces)

    on_surface = scatter_points(vertices, faces, 0.02)[0][::5]
    nudged = on_surface + scattered(len(on_surface), reach / math.sqrt(3))
    points = torch.cat([scattered(1000, 0.45), nudged])
    near = surface.nearest(points).distance.abs() <= reach
    assert near.sum() > 300
    assert grid.contains(points[near]).all()

    centres = grid.low + grid.voxel * (grid.occupied.nonzero()[::71] + 0.5)
    diagonal = math.sqrt(3) * voxel
    assert surface.nearest(centres).distance.abs().max() <= reach + 2 * diagonal


def test_the_grids_outermost_layer_is_empty_and_nothing_outside_is_contained() -> None:
    grid = OccupancyGrid.around(*torus(), 0.05)
    inner = grid.occupied[1:-1, 1:-1, 1:-1]
    assert inner.sum() == grid.occupied.sum() > 0
    assert not grid.contains(torch.tensor([[9.0, 0.0, 0.0], [-9.0, 0.0, 0.0], [0.0, 0.0, 0.0]])).any()


def test_scattered_points_lie_on_the_triangles_no_farther_apart_than_requested() -> None:
    vertices, faces = box()
    points, face = scatter_points(vertices, faces, 0.02)
    assert BruteForceSurface(vertices, faces).nearest(points).distance.abs().max() < 1e-6
    corners = vertices[faces][face]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((points - corners[:, 0]) * normals).sum(dim=1).abs().max() < 1e-6
    on_faces = vertices[faces][:, :1] * 0.2 + vertices[faces][:, 1:2] * 0.3 + vertices[faces][:, 2:] * 0.5
    assert torch.cdist(on_faces[:, 0], points).amin(dim=1).max() <= 0.02 / math.sqrt(3)


def rays_through_the_torus(count: int) -> Rays:
    origins = scattered(count, 1.0, seed=7)
    directions = torch.nn.functional.normalize(scattered(count, 0.4, seed=8) - origins, dim=-1)
    return Rays(origins, directions, torch.zeros(count), torch.full((count,), math.inf))


@pytest.mark.parametrize("step", [0.003, 0.01, 0.09])
def test_samples_are_the_steps_whose_midpoint_is_occupied(step: float) -> None:
    """Against a slow reference that steps along every ray from the box's near side and tests each midpoint."""
    grid, rays = OccupancyGrid.around(*torus(), 0.02), rays_through_the_torus(300)
    samples = sample_rays(rays, grid, step)
    mine: set[tuple[int, int]] = set()
    expected, doubtful = set(), set()
    low, high = grid.low.double(), grid.high.double()
    for ray, (origin, direction) in enumerate(zip(rays.origins.double(), rays.directions.double(), strict=True)):
        slabs = torch.stack([(low - origin) / direction, (high - origin) / direction]).sort(dim=0).values
        near, far = max(slabs[0].max().item(), 0.0), slabs[1].min().item()
        start = near + step * torch.arange(max(0, math.ceil((far - near) / step)), dtype=torch.float64)
        middle = origin + direction * ((start + (start + step).clamp(max=far)) / 2)[:, None]
        expected |= {(ray, number) for number in grid.contains(middle.float()).nonzero()[:, 0].tolist()}
        # float32 may decide differently within rounding of a voxel's border
        voxels = (middle - low) / grid.voxel
        border = (voxels - voxels.round()).abs().amin(dim=-1) < 1e-4
        doubtful |= {(ray, number) for number in border.nonzero()[:, 0].tolist()}
        mine |= {(ray, round((s - near) / step)) for s in samples.start[samples.ray == ray].tolist()}
    assert len(mine) == len(samples.ray) > 200
    assert mine ^ expected <= doubtful


def test_samples_are_packed_by_ray_in_order_without_overlap() -> None:
    samples = sample_rays(rays_through_the_torus(200), OccupancyGrid.around(*torus(), 0.03), 0.005)
    assert samples.num_rays == 200 and (samples.ray.diff() >= 0).all()
    same = samples.ray.diff() == 0
    assert (samples.start[1:] >= samples.end[:-1] - 1e-5)[same].all()
    length = samples.end - samples.start
    assert (length > 0).all() and (length < 0.005 + 1e-5).all()


def test_near_and_far_are_respected() -> None:
    rays = rays_through_the_torus(200)
    cut = Rays(rays.origins, rays.directions, torch.full((200,), 0.6), torch.full((200,), 0.8))
    samples = sample_rays(cut, OccupancyGrid.around(*torus(), 0.03), 0.007)
    assert len(samples.ray) > 100
    assert samples.start.min() >= 0.6 and samples.end.max() <= 0.8


def test_degenerate_rays_get_no_samples_and_leave_others_unchanged() -> None:
    forever = torch.full((1,), math.inf)
    good = Rays(torch.tensor([[0.3, 0.1, 1.0]]), torch.tensor([[0.0, 0.0, -1.0]]), torch.zeros(1), forever)
    grid = OccupancyGrid.around(*torus(), 0.03)
    zero, nan, far_off = torch.zeros(3), torch.full((3,), math.nan), torch.full((3,), math.inf)
    origin, direction = good.origins[0], good.directions[0]
    rays = Rays(
        torch.stack([origin, origin, origin, nan, far_off, origin, origin]),
        torch.stack([zero, nan, direction, direction, direction, direction, direction]),
        torch.tensor([0.0, 0.0, 2.0, 0.0, 0.0, math.nan, 0.0]),
        torch.tensor([math.inf, math.inf, 1.0, math.inf, math.inf, math.inf, math.inf]),
    )
    samples, alone = sample_rays(rays, grid, 0.01), sample_rays(good, grid, 0.01)
    assert (samples.ray == 6).all() and len(alone.ray) > 0
    torch.testing.assert_close(samples.start, alone.start)


def test_rays_along_an_axis_are_sampled_too() -> None:
    grid = OccupancyGrid.around(*torus(), 0.02)
    rays = Rays(
        torch.tensor([[0.3, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, -1.0]]), torch.zeros(1), torch.full((1,), math.inf)
    )
    samples = sample_rays(rays, grid, 0.002)
    # the tube's upper and lower side, each within its reach, a voxel or two more
    assert 0.08 <= float((samples.end - samples.start).sum()) <= 0.08 + 0.08
