"""Tracing against the volume integral and closed forms, on fields whose surface is known: soft spheres."""

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import trimesh
from jaxtyping import Bool, Float
from meshes import as_tensors
from torch import Tensor

from sherf.camera.pinhole import camera_rays, intrinsics, look_at
from sherf.models.surface.decoder import OffsetHead
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend
from sherf.render.march import MarchOptions, RayColours, picture
from sherf.render.open3d_shell import Open3dShell
from sherf.render.trace import Shells, trace_frame
from sherf.scene import Camera, Frame, Rays

SOFTNESS_M, RADIUS_M = 0.002, 0.2
APART_M = 5 * SOFTNESS_M


@dataclass(frozen=True)
class Spheres:
    """Soft spheres in a row along z, the first red, the others green, with a pattern."""

    centres: tuple[float, ...] = (0.0,)
    opacity: float = 1.0
    head = OffsetHead(8)

    def __post_init__(self) -> None:
        with torch.no_grad():
            self.head.log_softness.fill_(math.log(SOFTNESS_M))

    def _offsets(self, points: Tensor) -> tuple[Tensor, Tensor]:
        apart = torch.stack([points - torch.tensor([0.0, 0.0, z]) for z in self.centres])
        distance = apart.norm(dim=-1) - RADIUS_M
        nearest = distance.argmin(dim=0)
        return apart[nearest, torch.arange(len(points))], distance.amin(dim=0)

    def locate(self, points: Float[Tensor, "point 3"]) -> Tensor:
        return points

    def inside(self, coordinates: Any) -> Float[Tensor, " point"]:
        return -self._offsets(coordinates)[1]

    def enters(self, coordinates: Any, directions: Tensor) -> Bool[Tensor, " point"]:
        return (self._offsets(coordinates)[0] * directions).sum(dim=1) < 0

    def density(self, coordinates: Any, inside: Tensor, directions: Tensor, before: Tensor, after: Tensor) -> Tensor:
        offset, _ = self._offsets(coordinates)
        slope = -(torch.nn.functional.normalize(offset, dim=1) * directions).sum(dim=1)
        coverage = torch.full_like(inside, self.opacity)
        return self.head.density(inside, slope, before, after, coverage).detach()

    def coverage(self, coordinates: Any, directions: Tensor) -> Float[Tensor, " point"]:
        return torch.full_like(coordinates[:, 0], self.opacity)

    def colour(self, coordinates: Any, directions: Tensor) -> tuple[Tensor, Tensor]:
        first = (coordinates[:, 2:] > self.centres[0] - RADIUS_M - 0.01).float()
        pattern = 0.5 + 0.5 * torch.sin(20 * coordinates[:, :1])
        return torch.cat([first * pattern, (1 - first) * pattern, pattern], dim=1), first[:, 0]

    def shells(self) -> Shells:
        outer, middle, inner = (self._mesh(RADIUS_M + shift) for shift in (APART_M, 0.0, -APART_M))
        return Shells(*(Open3dShell(*mesh) for mesh in (outer, middle, inner)), APART_M, outer[0])

    def _mesh(self, radius: float) -> tuple[Tensor, Tensor]:
        ball = trimesh.creation.icosphere(5, radius)
        moved = [ball.copy().apply_translation([0, 0, z]) for z in self.centres]
        return as_tensors(trimesh.util.concatenate(moved))


def camera(size: int = 64, eye: tuple[float, float, float] = (0.0, 0.0, 2.0), focal: float = 2.0) -> Camera:
    R, T = look_at(torch.tensor(eye), torch.zeros(3))
    return Camera(intrinsics(focal * size, (size, size)), R, T, (size, size))


def traced(field: Spheres, camera: Camera) -> Frame:
    return trace_frame(field, camera, field.shells(), choose_backend("cpu"), MarchOptions())


def integrated(field: Spheres, camera: Camera) -> Frame:
    """The volume integral by its definition, in steps of a softness: all samples of all rays, all of them coloured."""
    rays, step = camera_rays(camera), SOFTNESS_M
    middle = torch.arange(1.3, 3.0, step) + step / 2
    shape = (len(rays.origins), len(middle))
    points = (rays.origins[:, None] + middle[:, None] * rays.directions[:, None]).flatten(end_dim=1)
    directions = rays.directions[:, None].expand(*shape, 3).flatten(end_dim=1)
    half = torch.full((len(points),), step / 2)
    inside = field.inside(points)
    passed = torch.exp(-step * field.density(points, inside, directions, half, half)).reshape(shape)
    before = torch.cat([torch.ones(shape[0], 1), passed.cumprod(dim=1)[:, :-1]], dim=1)
    weights = before * (1 - passed)
    opacity = weights.sum(dim=1)
    colour, shown = (x.unflatten(0, shape) for x in field.colour(points, directions))
    norm = opacity.clamp_min(1e-6)
    return picture(camera, rays, [
        RayColours(
            (weights[..., None] * colour).sum(dim=1), opacity, (weights * middle).sum(dim=1) / norm,
            (weights * shown).sum(dim=1) / norm,
        )
    ])  # fmt: skip


def psnr(a: Frame, b: Frame) -> float:
    return float(-10 * torch.log10((a.rgb - b.rgb).square().mean()))


@pytest.mark.parametrize(("field", "least"), [
    (Spheres(), 45), (Spheres((0.0, -0.5)), 45), (Spheres((0.0, -0.42)), 45), (Spheres(opacity=0.6), 45),
    (Spheres((0.0, -0.5), opacity=0.3), 43),
], ids=["one", "behind", "close behind", "translucent", "translucent in a row"])  # fmt: skip
@pytest.mark.parametrize("eye", [(0.0, 0.0, 2.0), (1.2, 0.3, 1.5)], ids=["front", "aslant"])
def test_traced_frames_are_those_of_the_volume_integral(
    field: Spheres, least: int, eye: tuple[float, float, float]
) -> None:
    fast, slow = traced(field, camera(eye=eye)), integrated(field, camera(eye=eye))
    assert psnr(fast, slow) > least
    assert (fast.opacity - slow.opacity).abs().mean() < 1 / 255
    both = (fast.opacity > 0.9) & (slow.opacity > 0.9)
    assert not both.any() or (fast.depth - slow.depth)[both].abs().max() < 0.01


def test_rays_that_meet_an_opaque_surface_end_there() -> None:
    frame = traced(Spheres(), camera(97))
    assert frame.opacity[48, 48] == 1 and frame.visibility[48, 48] == 1
    assert float(frame.depth[48, 48]) == pytest.approx(2 - RADIUS_M, abs=1e-3)
    assert frame.opacity[0, 0] == 0 and frame.depth[0, 0] == 0


def test_the_opacity_of_a_grazing_ray_is_that_of_its_greatest_depth() -> None:
    """NeuS, Eq. 13: transmittance falls as sigmoid(-depth / softness), here along a row of pixels past the outline."""
    view = camera(401, focal=3.0)
    rays = camera_rays(view)
    closest = torch.linalg.cross(rays.origins, rays.directions).norm(dim=1).reshape(401, 401)[200]
    opacity = traced(Spheres(), view).opacity[200]
    expected = torch.sigmoid((RADIUS_M - closest) / SOFTNESS_M)
    grazing = (closest - RADIUS_M).abs() < 0.8 * APART_M
    assert grazing.sum() >= 8
    assert (opacity - expected)[grazing].abs().max() < 0.03


def test_a_surface_that_moves_behind_the_camera_is_still_rendered_whole() -> None:
    """The box around the projected surface means nothing then."""
    field, inside = Spheres((0.0, 3.0)), camera(32)
    assert traced(field, inside).opacity[16, 16] == 1


def test_a_camera_that_looks_away_sees_nothing() -> None:
    R, T = look_at(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([0.0, 0.0, 9.0]))
    frame = traced(Spheres(), Camera(intrinsics(64.0, (32, 32)), R, T, (32, 32)))
    assert frame.opacity.max() == 0 and frame.rgb.max() == 0
    beside, T = look_at(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([3.0, 1.0, -1.0]))
    frame = traced(Spheres(), Camera(intrinsics(64.0, (32, 32)), beside, T, (32, 32)))
    assert frame.opacity.max() == 0, "before the camera, outside of the frame"
    close_up = traced(Spheres(), camera(32, eye=(0.0, 0.0, 2.0), focal=500.0))
    assert close_up.opacity.min() == 1, "the surface fills the frame: nothing grazes"


def test_rays_that_miss_have_no_intervals() -> None:
    shell = Open3dShell(*as_tensors(trimesh.creation.icosphere(3, 0.2)))
    for count in (0, 1, 5):
        origins = torch.tensor([[5.0, 5.0, 5.0]]).expand(count, 3)
        rays = Rays(origins, torch.tensor([[1.0, 0.0, 0.0]]).expand(count, 3), torch.zeros(count), torch.ones(count))
        assert [len(x) for x in shell.intervals(rays)] == [0, 0, 0]


def test_the_intervals_inside_a_mesh_are_those_between_its_surfaces() -> None:
    ball = as_tensors(trimesh.creation.icosphere(4, 0.2))
    nested = as_tensors(
        trimesh.util.concatenate([trimesh.creation.icosphere(4, 0.2), trimesh.creation.icosphere(4, 0.1)])
    )
    origins = torch.tensor([[0.01, 0.02, 2.0], [0.5, 0.0, 2.0], [0.01, 0.02, 0.0]])
    rays = Rays(origins, torch.tensor([[0.0, 0.0, -1.0]]).expand(3, 3), torch.zeros(3), torch.full((3,), math.inf))
    ray, start, end = Open3dShell(*ball).intervals(rays)
    assert ray.tolist() == [0]
    torch.testing.assert_close(torch.stack([start, end])[:, 0], torch.tensor([1.8, 2.2]), atol=2e-3, rtol=0)
    ray, start, end = Open3dShell(*nested).intervals(rays)
    assert ray.tolist() == [0, 0, 0], "cut where the inner surface is passed, without gaps"
    torch.testing.assert_close(start[1:], end[:-1])
    assert float((end - start).sum()) == pytest.approx(0.4, abs=4e-3)


def test_the_exact_backend_marches_in_small_steps() -> None:
    backend: Backend = choose_backend("cpu").exact()
    assert backend.make_shell is None
    options = MarchOptions(step=0.014, stop=5e-3).on(backend)
    assert options.step <= 0.005 and options.stop <= 1e-4
    assert MarchOptions(step=0.002).on(backend) == replace(MarchOptions(step=0.002), stop=1e-4)
