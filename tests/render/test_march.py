"""Whole frames against closed forms, and laws that hold for all options."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sherf.camera.pinhole import camera_rays, intrinsics, look_at
from sherf.render.devices import cpu_backend
from sherf.render.march import MarchOptions, render, render_rays
from sherf.render.sampling import OccupancyGrid
from sherf.render.torch_backend import composite
from sherf.scene import Camera, Radiance, Rays
from tests.render.meshes import torus, torus_distance

NERFACC = cpu_backend()
TORCH = replace(NERFACC, name="torch", composite=composite)
RADIUS = 0.3


def full_grid(half: float = 0.4, voxel: float = 0.05) -> OccupancyGrid:
    """Return a grid that is occupied in a cube with this half extent about the origin."""
    inside = round(2 * half / voxel)
    occupied = torch.zeros(3 * (inside + 2,), dtype=torch.bool)
    occupied[1:-1, 1:-1, 1:-1] = True
    return OccupancyGrid(occupied, torch.full((3,), -half - voxel), voxel)


def camera(size: tuple[int, int] = (24, 32), eye: tuple[float, float, float] = (0.5, 0.4, 1.5)) -> Camera:
    R, T = look_at(torch.tensor(eye), torch.zeros(3))
    return Camera(intrinsics(1.3 * size[0], size), R, T, size)


def ball(density: float, colour: tuple[float, float, float] = (0.2, 0.5, 1.0)) -> Callable[[Tensor, Tensor], Radiance]:
    def field(points: Tensor, directions: Tensor) -> Radiance:
        inside = points.norm(dim=-1) < RADIUS
        return Radiance(
            density * inside, points.new_tensor(colour).expand_as(points), torch.full_like(points[:, 0], 0.25)
        )

    return field


def chord(bundle: Rays) -> tuple[Tensor, Tensor]:
    """Return the distance at which each ray enters the ball, and the length of its chord (0: misses)."""
    middle = -(bundle.origins * bundle.directions).sum(dim=-1)
    miss = (bundle.origins + middle[:, None] * bundle.directions).norm(dim=-1)
    half = (RADIUS**2 - miss**2).clamp(min=0).sqrt()
    return middle - half, 2 * half


@pytest.mark.parametrize("backend", [TORCH, NERFACC], ids=["torch", "nerfacc"])
def test_the_opacity_of_a_ball_of_fog_follows_its_chords(backend) -> None:
    view, step, density = camera(), 0.004, 4.0
    frame = render(ball(density), view, full_grid(), backend, MarchOptions(step=step))
    _, length = chord(camera_rays(view))
    expected = (1 - torch.exp(-density * length)).reshape(view.size)
    assert expected.max() > 0.85 and (expected == 0).any()
    # a chord is cut into whole steps: at most half a step too much or too little at each end
    assert (frame.opacity - expected).abs().max() < density * step
    torch.testing.assert_close(frame.rgb, frame.opacity * torch.tensor([0.2, 0.5, 1.0])[:, None, None])
    torch.testing.assert_close(frame.visibility, 0.25 * (frame.opacity > 0))


def test_the_depth_of_a_solid_ball_is_its_surface_along_the_cameras_axis() -> None:
    view, step = camera(), 0.004
    frame = render(ball(1e5), view, full_grid(), NERFACC, MarchOptions(step=step))
    bundle = camera_rays(view)
    entry, length = chord(bundle)
    depth = (entry * (bundle.directions @ view.R[2])).reshape(view.size)
    solid = (length > 2 * step).reshape(view.size)
    assert solid.sum() > 100 and (frame.depth[frame.opacity == 0] == 0).all()
    assert (frame.depth - depth)[solid].abs().max() < step
    assert (frame.opacity[solid] > 0.9999).all()


def test_two_layers_blend_in_order_with_their_depth_and_visibility() -> None:
    """Red seen by the photo in front of invented blue, each absorbing half."""

    def field(points: Tensor, directions: Tensor) -> Radiance:
        front, back = (points[:, 2] - 0.2).abs() < 0.05, (points[:, 2] + 0.2).abs() < 0.05
        colour = torch.stack([front, torch.zeros_like(front), back], dim=-1).float()
        return Radiance((front | back) * math.log(2) / 0.1, colour, front.float())

    one = Rays(torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.0, 0.0, -1.0]]), torch.zeros(1), torch.ones(1) * 9)
    seen = render_rays(field, one, full_grid(), NERFACC, MarchOptions(step=0.002))
    torch.testing.assert_close(seen.rgb, torch.tensor([[0.5, 0.0, 0.25]]), atol=0.02, rtol=0)
    torch.testing.assert_close(seen.opacity, torch.tensor([0.75]), atol=0.02, rtol=0)
    torch.testing.assert_close(seen.visibility, torch.tensor([2 / 3]), atol=0.02, rtol=0)
    # within a layer the front half weighs more: expected depth in a layer of thickness ln 2 is 0.0443 m from its front
    inside = 0.1 * (1 / math.log(2) - 1)
    expected = (2 * (1.75 + inside) + 1 * (2.15 + inside)) / 3
    torch.testing.assert_close(seen.distance, torch.tensor([expected]), atol=0.01, rtol=0)


def blob(points: Tensor, directions: Tensor) -> Radiance:
    """A smooth off-centre cloud whose colour depends on position and direction."""
    near = torch.exp(-((points - points.new_tensor([0.05, -0.1, 0.0])) / 0.08).square().sum(dim=-1))
    return Radiance(30 * near, torch.sigmoid(10 * points + directions), near)


def test_moving_the_whole_scene_rigidly_changes_no_pixel() -> None:
    view = camera()
    Q, _ = look_at(torch.tensor([0.3, 1.0, -0.7]), torch.zeros(3))
    move = torch.tensor([0.7, -2.0, 1.1])

    def moved(points: Tensor, directions: Tensor) -> Radiance:
        return blob((points - move) @ Q, directions @ Q)

    R = view.R @ Q.T
    carried = Camera(view.K, R, view.T - R @ move, view.size)
    grid = full_grid(0.7)
    options = MarchOptions(step=0.004)
    here = render(blob, view, full_grid(0.7), NERFACC, options)
    there = render(moved, carried, replace(grid, low=grid.low + move), NERFACC, options)
    assert here.opacity.max() > 0.9
    for a, b in ((here.rgb, there.rgb), (here.opacity, there.opacity)):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0)
    dense = here.opacity > 0.05
    torch.testing.assert_close(here.depth[dense], there.depth[dense], atol=2e-3, rtol=0)


def counted(field: Callable[[Tensor, Tensor], Radiance]) -> tuple[Callable[[Tensor, Tensor], Radiance], list[int]]:
    counts: list[int] = []

    def counting(points: Tensor, directions: Tensor) -> Radiance:
        counts.append(len(points))
        return field(points, directions)

    return counting, counts


def test_early_termination_saves_work_and_changes_nothing() -> None:
    frames, work = [], []
    for stop in (0.0, 1e-4):
        field, counts = counted(ball(300.0))
        frames.append(render(field, camera(), full_grid(), NERFACC, MarchOptions(step=0.004, stop=stop)))
        work.append(sum(counts))
    assert work[1] < 0.8 * work[0]
    for name in ("rgb", "opacity", "depth", "visibility"):
        torch.testing.assert_close(getattr(frames[0], name), getattr(frames[1], name), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "options",
    [MarchOptions(block=1), MarchOptions(block=7), MarchOptions(points_per_chunk=100), MarchOptions(rays_per_chunk=7)],
)
def test_blocks_and_chunks_change_nothing(options: MarchOptions) -> None:
    field, counts = counted(blob)
    frame = render(field, camera((8, 8)), full_grid(), NERFACC, options)
    whole = render(blob, camera((8, 8)), full_grid(), NERFACC, MarchOptions(block=10**6))
    assert max(counts) <= options.points_per_chunk and len(counts) > 1
    for name in ("rgb", "opacity", "depth", "visibility"):
        torch.testing.assert_close(getattr(frame, name), getattr(whole, name), atol=2e-4, rtol=1e-4)


def test_skipping_empty_space_changes_nothing() -> None:
    """A shell of 3 cm around a torus, in the grid around it and in the same box fully occupied."""

    def shell(points: Tensor, directions: Tensor) -> Radiance:
        # 4 mm: the mesh that the grid is made of lies inside the smooth torus
        depth = (0.03 - 0.004 - torus_distance(points).abs()).clamp(min=0)
        return Radiance(500 * depth, torch.sigmoid(9 * points), torch.ones_like(depth))

    grid = OccupancyGrid.around(*torus(), 0.03)
    occupied = torch.zeros_like(grid.occupied)
    occupied[1:-1, 1:-1, 1:-1] = True
    work, frames = [], []
    for each in (grid, replace(grid, occupied=occupied)):
        field, counts = counted(shell)
        frames.append(render(field, camera((48, 64)), each, NERFACC, MarchOptions(stop=0.0)))
        work.append(sum(counts))
    assert frames[0].opacity.max() > 0.5 and work[0] < 0.8 * work[1]
    for name in ("rgb", "opacity", "depth", "visibility"):
        torch.testing.assert_close(getattr(frames[0], name), getattr(frames[1], name), atol=1e-5, rtol=1e-4)


def test_the_backends_render_the_same_frame() -> None:
    here, there = (render(blob, camera(), full_grid(), backend) for backend in (TORCH, NERFACC))
    for a, b in ((here.rgb, there.rgb), (here.opacity, there.opacity)):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    # averages are defined by noise where there is almost nothing
    dense = here.opacity > 1e-3
    for a, b in ((here.depth, there.depth), (here.visibility, there.visibility)):
        torch.testing.assert_close(a[dense], b[dense], atol=1e-3, rtol=0)


@pytest.mark.parametrize("backend", [TORCH, NERFACC], ids=["torch", "nerfacc"])
def test_the_gradient_of_a_colour_by_the_density_is_that_of_beer_lambert(backend) -> None:
    """Through every block: d opacity / d density = chord * exp(-density * chord) in a ball of fog."""
    bundle = camera_rays(camera())
    density = torch.tensor(4.0, requires_grad=True)
    seen = render_rays(ball(density), bundle, full_grid(), backend, MarchOptions(step=0.004, block=5))
    middle = bundle.directions.shape[0] // 2 + 16
    (slope,) = torch.autograd.grad(seen.rgb[middle, 2], density)
    length = chord(bundle)[1][middle]
    assert length > 0.5
    torch.testing.assert_close(slope, length * torch.exp(-4.0 * length), atol=2e-3, rtol=0)


def test_a_frame_of_nothing_is_empty() -> None:
    R, T = look_at(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([0.0, 0.0, 4.0]))
    away = Camera(intrinsics(20.0, (4, 6)), R, T, (4, 6))
    nothing = replace(full_grid(), occupied=torch.zeros_like(full_grid().occupied))
    for view, grid in ((away, full_grid()), (camera((4, 6)), nothing)):
        field, counts = counted(ball(9.0))
        frame = render(field, view, grid, NERFACC)
        assert not counts
        for layer in (frame.rgb[0], frame.opacity, frame.depth, frame.visibility):
            torch.testing.assert_close(layer, torch.zeros(4, 6))


def test_degenerate_rays_are_empty() -> None:
    bundle = camera_rays(camera((2, 2)))
    directions = bundle.directions.clone()
    directions[0], directions[1] = 0, math.nan
    seen = render_rays(ball(9.0), replace(bundle, directions=directions), full_grid(), NERFACC)
    torch.testing.assert_close(seen.opacity[:2], torch.zeros(2))
    assert seen.rgb.isfinite().all() and seen.distance.isfinite().all()
