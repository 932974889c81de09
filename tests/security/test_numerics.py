"""Cameras, skinning, sampling and compositing stay finite and keep their laws at extreme numbers."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from round_trips import unproject, unskin

from sherf.body.body_model import BodyModel
from sherf.body.lbs import joint_transforms, skin
from sherf.body.skeleton import PARENTS
from sherf.camera.pinhole import camera_rays, intrinsics, look_at, project, resize
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.render.nerfacc_backend import composite_dense
from sherf.render.sampling import OccupancyGrid, sample_rays
from sherf.render.torch_backend import composite
from sherf.scene import Camera, Rays, RaySamples
from tests.render.meshes import torus

SETTINGS = settings(
    derandomize=True, database=None, deadline=None, max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
DISTANCES = st.sampled_from([0.5, 1.0, 3.0, 20.0, 100.0])
FOCALS = st.floats(1.0, 200_000.0)
"""Pixels: from far wider than any lens to a telescope."""
ANGLES = st.sampled_from([0.0, 1e-30, 1e-8, 1.0, math.pi - 1e-6, math.pi, -math.pi, 2 * math.pi, 4 * math.pi, 100.0])
DIRECTIONS = st.sampled_from([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (0.6, 0.48, -0.64)])
SIZES = st.sampled_from([(1, 1), (33, 2048), (480, 640), (16384, 16384)])


def camera_at(distance: float, focal: float, size: tuple[int, int], height: float = 0.0) -> Camera:
    R, T = look_at(torch.tensor([0.0, height, distance]), torch.zeros(3))
    return Camera(intrinsics(focal, size), R, T, size)


@SETTINGS
@given(distance=DISTANCES, focal=FOCALS, size=SIZES, seed=st.integers(0, 10**6))
def test_unproject_undoes_project_near_and_far(distance: float, focal: float, size: tuple[int, int], seed: int) -> None:
    camera = camera_at(distance, focal, size)
    points = 0.2 * torch.randn(8, 3, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)
    pixels, depth = project(camera, points)
    assert pixels.isfinite().all() and (depth > 0).all()
    # a pixel's rounding, seen at that distance
    rounding = 4e-7 * (distance + float(pixels.abs().max()) * distance / focal)
    torch.testing.assert_close(unproject(camera, pixels, depth), points, atol=max(1e-5, 4 * rounding), rtol=0)


@SETTINGS
@given(
    distance=DISTANCES, focal=st.sampled_from([1e-3, 1.0, 1e6]), height=st.sampled_from([0.0, 1e-6, -50.0, 1e4]),
    points=st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 3), min_size=1, max_size=6),
)  # fmt: skip
def test_any_point_projects_to_finite_numbers(
    distance: float, focal: float, height: float, points: list[tuple[float, float, float]]
) -> None:
    """Behind the camera, at its centre, and kilometres away; gradients too."""
    camera = camera_at(distance, focal, (480, 640), height)
    world = torch.tensor(points, requires_grad=True)
    pixels, depth = project(camera, world)
    (pixels.sum() + depth.sum()).backward()
    assert pixels.isfinite().all() and depth.isfinite().all()
    assert world.grad is not None and world.grad.isfinite().all()


@SETTINGS
@given(focal=FOCALS, size=SIZES, distance=DISTANCES)
def test_rays_have_unit_length_and_pass_through_their_pixels(
    focal: float, size: tuple[int, int], distance: float
) -> None:
    camera = camera_at(distance, focal, size)
    corners = torch.tensor([[0.5, 0.5], [size[1] - 0.5, size[0] - 0.5], [size[1] / 2, size[0] / 2]])
    bundle = camera_rays(camera, corners)
    torch.testing.assert_close(bundle.directions.norm(dim=-1), torch.ones(3))
    forward = bundle.directions @ camera.R[2]
    points = bundle.origins + bundle.directions * (distance / forward)[:, None]
    pixels, _ = project(camera, points)
    # the rounding of metres, in pixels
    torch.testing.assert_close(pixels, corners, atol=0.02 + 2e-6 * (focal + max(size)), rtol=1e-4)


@SETTINGS
@given(size=SIZES, other=SIZES, focal=FOCALS)
def test_resizing_and_resizing_back_changes_nothing(
    size: tuple[int, int], other: tuple[int, int], focal: float
) -> None:
    camera = camera_at(3.0, focal, size)
    torch.testing.assert_close(resize(resize(camera, other), size).K, camera.K)


@SETTINGS
@given(angle=ANGLES, direction=DIRECTIONS, bent=st.integers(0, 23), other=ANGLES)
def test_skinning_with_one_joint_per_vertex_is_rigid_at_every_angle(
    toy_body: BodyModel, angle: float, direction: tuple[float, float, float], bent: int, other: float
) -> None:
    """Distances are kept, and the inverse is exact."""
    joints = torch.zeros(24, 3, dtype=torch.float64)
    joints[bent] = angle * torch.tensor(direction, dtype=torch.float64)
    joints[(bent + 7) % 24, 1] = other
    rotations = axis_angle_to_matrix(joints)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).double().expand(24, 3, 3), atol=1e-9, rtol=0)
    transforms = joint_transforms(rotations, toy_body.J_template.double(), PARENTS)
    whole = torch.eye(24, dtype=torch.float64)[toy_body.weights.argmax(dim=1)]
    rest = toy_body.v_template.double()
    posed = skin(rest, whole, transforms)
    torch.testing.assert_close(unskin(posed, whole, transforms), rest, atol=1e-9, rtol=0)
    ball = whole.argmax(dim=1) == bent
    torch.testing.assert_close(torch.cdist(posed[ball], posed[ball]), torch.cdist(rest[ball], rest[ball]))


@SETTINGS
@given(angles=st.lists(ANGLES, min_size=24, max_size=24), direction=DIRECTIONS)
def test_blended_half_turns_and_their_inverse_stay_finite(
    toy_body: BodyModel, angles: list[float], direction: tuple[float, float, float]
) -> None:
    """Blending a half turn with no rotation collapses space: the inverse is wrong there, but finite."""
    joints = (torch.tensor(angles)[:, None] * torch.tensor(direction)).requires_grad_(True)
    transforms = joint_transforms(axis_angle_to_matrix(joints), toy_body.J_template, PARENTS)
    posed = skin(toy_body.v_template, toy_body.weights, transforms)
    back = unskin(posed.detach(), toy_body.weights, transforms)
    assert posed.isfinite().all() and back.isfinite().all()
    posed.sum().backward()
    assert joints.grad is not None and joints.grad.isfinite().all()


@SETTINGS
@given(turns=st.integers(-3, 3), angle=st.floats(0, math.pi), direction=DIRECTIONS)
def test_full_turns_do_not_change_a_rotation(turns: int, angle: float, direction: tuple[float, float, float]) -> None:
    axis = torch.tensor(direction, dtype=torch.float64)
    axis = axis / axis.norm()
    once, again = (axis_angle_to_matrix(axis * (angle + extra)) for extra in (0.0, 2 * math.pi * turns))
    torch.testing.assert_close(once, again, atol=1e-9, rtol=0)


DENSITIES = st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 80.0, 1e6, 1e12, 1e30])


@pytest.mark.parametrize("function", [composite, composite_dense])
@SETTINGS
@given(
    rays_of=st.lists(st.lists(DENSITIES, max_size=6), min_size=1, max_size=5),
    transmittance=st.sampled_from([0.0, 1e-20, 0.5, 1.0]), length=st.sampled_from([1e-7, 0.01, 1.0, 50.0]),
)  # fmt: skip
def test_weights_and_final_transmittance_sum_to_the_initial_one(
    function: object, rays_of: list[list[float]], transmittance: float, length: float
) -> None:
    """For any densities, each is between 0 and the initial transmittance; gradients are finite."""
    counts = torch.tensor([len(ray) for ray in rays_of])
    ray = torch.repeat_interleave(torch.arange(len(rays_of)), counts)
    number = torch.cat([torch.arange(count) for count in counts.tolist()]).float()
    density = torch.tensor([x for ray in rays_of for x in ray], requires_grad=True)
    samples = RaySamples(ray, number * length, (number + 1) * length, len(rays_of))
    start = torch.full((len(rays_of),), transmittance)
    weights, after = function(density, samples, start)  # type: ignore[operator]
    assert weights.isfinite().all() and (weights >= 0).all() and (after >= 0).all()
    opacity = torch.zeros(len(rays_of)).index_add(0, ray, weights)
    assert (opacity <= transmittance + 1e-5).all()
    torch.testing.assert_close(opacity + after, start, atol=2e-5, rtol=0)
    if len(density):
        (weights.sum() + after.sum()).backward()
        assert density.grad is not None and density.grad.isfinite().all()


@SETTINGS
@given(
    distance=st.sampled_from([0.5, 3.0, 100.0, 1e4]), step=st.sampled_from([1e-3, 0.02, 5.0]),
    aim=st.tuples(*[st.floats(-0.4, 0.4)] * 3), far=st.sampled_from([0.0, 1.0, math.inf]),
)  # fmt: skip
def test_samples_are_in_order_and_on_their_ray(
    distance: float, step: float, aim: tuple[float, float, float], far: float
) -> None:
    grid = OccupancyGrid.around(*torus(16, 8), 0.03, 0.02)
    origin = torch.tensor([[0.0, 0.0, distance]])
    direction = torch.nn.functional.normalize(torch.tensor([aim]) - origin, dim=-1)
    samples = sample_rays(Rays(origin, direction, torch.zeros(1), torch.tensor([far])), grid, step)
    assert samples.start.isfinite().all() and samples.end.isfinite().all()
    assert (samples.end >= samples.start).all() and (samples.start.diff() >= 0).all()
    assert len(samples.ray) == 0 or (float(samples.start[0]) >= 0 and float(samples.end[-1]) <= far + 1e-3)


def test_an_empty_grid_has_no_samples() -> None:
    grid = OccupancyGrid.around(*torus(16, 8), 0.03, 0.02)
    nothing = OccupancyGrid(torch.zeros_like(grid.occupied), grid.low, grid.voxel)
    towards = Rays(torch.tensor([[0.0, 0, 2]]), torch.tensor([[0.0, 0, -1]]), torch.zeros(1), torch.tensor([math.inf]))
    samples = sample_rays(towards, nothing, 0.01)
    weights, after = composite(torch.zeros(0), samples, torch.ones(1))
    assert len(samples.ray) == len(weights) == 0 and after.tolist() == [1.0]
