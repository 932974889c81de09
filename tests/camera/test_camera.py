"""Laws of pinhole cameras, their paths and their files."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from round_trips import unproject

from sherf.camera.pinhole import camera_rays, intrinsics, look_at, orbit, project, resize, turntable
from sherf.camera.transforms_json import read_cameras, write_cameras
from sherf.errors import BadInput, OutputError
from sherf.scene import Camera

CENTRE = torch.tensor([0.1, -0.3, 0.2])


def some_camera(*view: int, seed: int = 0) -> Camera:
    """Cameras a few metres away, with different focal lengths and some skew, looking roughly at the origin."""
    rng = torch.Generator().manual_seed(seed)
    eye = torch.randn(*view, 3, generator=rng) + torch.tensor([0.0, 0.5, 4.0])
    R, T = look_at(eye, 0.2 * torch.randn(*view, 3, generator=rng))
    K = intrinsics(500.0, (480, 640), (310.0, 250.0)).repeat(*view, 1, 1)
    K[..., 1, 1], K[..., 0, 1] = 520.0, 3.0
    return Camera(K, R, T, (480, 640))


@pytest.mark.parametrize("view", [(), (1,), (2, 3)])
def test_unproject_undoes_project(view: tuple[int, ...]) -> None:
    camera = some_camera(*view)
    points = torch.randn(*view, 20, 3, generator=torch.Generator().manual_seed(1))
    pixels, depth = project(camera, points)
    assert (depth > 0).all()
    torch.testing.assert_close(unproject(camera, pixels, depth), points, atol=2e-5, rtol=0)


def test_points_without_a_view_axis_project_into_every_view() -> None:
    camera, points = some_camera(4), torch.randn(7, 3)
    pixels, depth = project(camera, points)
    for view in range(4):
        alone, depth_alone = project(camera[view], points)
        torch.testing.assert_close(pixels[view], alone)
        torch.testing.assert_close(depth[view], depth_alone)


def test_points_behind_and_at_the_camera_project_to_finite_pixels_and_gradients() -> None:
    camera = some_camera()
    axis = camera.R[2]
    points = torch.stack([camera.position, camera.position - 2 * axis, camera.position + 1e-9 * axis])
    points.requires_grad_(True)
    pixels, depth = project(camera, points)
    pixels.sum().backward()
    assert pixels.isfinite().all() and points.grad is not None and points.grad.isfinite().all()
    torch.testing.assert_close(depth.detach(), torch.tensor([0.0, -2.0, 0.0]), atol=1e-5, rtol=0)


def test_rays_pass_through_their_pixels_centres() -> None:
    camera = resize(some_camera(), (6, 8))
    bundle = camera_rays(camera)
    torch.testing.assert_close(bundle.directions.norm(dim=-1), torch.ones(48))
    pixels, depth = project(camera, bundle.origins + 2.5 * bundle.directions)
    x, y = torch.arange(8) + 0.5, torch.arange(6) + 0.5
    expected = torch.stack([x.expand(6, 8), y[:, None].expand(6, 8)], dim=-1).reshape(-1, 2)
    torch.testing.assert_close(pixels, expected, atol=1e-4, rtol=0)
    assert (depth > 0).all()
    one = camera_rays(camera, expected[13:14])
    torch.testing.assert_close(one.directions[0], bundle.directions[13])


@pytest.mark.parametrize("view", [(), (1,), (2, 3)])
def test_look_at_puts_the_target_at_the_principal_point_and_up_upwards(view: tuple[int, ...]) -> None:
    eye = torch.randn(*view, 3, generator=torch.Generator().manual_seed(3)) * 3
    target = CENTRE.expand(*view, 3)
    R, T = look_at(eye, target)
    camera = Camera(intrinsics(300.0, (200, 100), (40.0, 90.0)).expand(*view, 3, 3), R, T, (200, 100))
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand(*view, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(view))
    torch.testing.assert_close(camera.position, eye, atol=1e-5, rtol=0)
    above = target + torch.tensor([0.0, 0.1, 0.0])
    pixels, depth = project(camera, torch.stack([target, above], dim=-2))
    torch.testing.assert_close(pixels[..., 0, :], torch.tensor([40.0, 90.0]).expand(*view, 2), atol=1e-3, rtol=0)
    torch.testing.assert_close(depth[..., 0], (eye - target).norm(dim=-1))
    assert (pixels[..., 1, 1] < 90).all()


@pytest.mark.parametrize("height", [5.0, -5.0])
def test_look_at_straight_along_up_is_still_a_rotation(height: float) -> None:
    R, _ = look_at(torch.tensor([0.0, height, 0.0]), torch.zeros(3))
    torch.testing.assert_close(R @ R.T, torch.eye(3))
    torch.testing.assert_close(R[2], torch.tensor([0.0, -math.copysign(1.0, height), 0.0]))


def test_resizing_scales_pixels_and_keeps_directions() -> None:
    camera, points = some_camera(), torch.randn(9, 3)
    smaller = resize(camera, (120, 320))
    torch.testing.assert_close(project(smaller, points)[0], project(camera, points)[0] * torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize("path", [turntable, orbit])
def test_camera_paths_start_at_the_photo_and_are_rigid(path: Callable[..., Camera]) -> None:
    base = some_camera()
    views = path(base, CENTRE, 12)
    torch.testing.assert_close(views.R[0], base.R, atol=1e-6, rtol=0)
    torch.testing.assert_close(views.T[0], base.T, atol=1e-5, rtol=0)
    torch.testing.assert_close(views.R @ views.R.mT, torch.eye(3).expand(12, 3, 3), atol=1e-5, rtol=0)
    # the centre keeps its pixel, whatever the camera does
    pixels, _ = project(views, CENTRE[None])
    torch.testing.assert_close(pixels, pixels[:1].expand_as(pixels), atol=2e-2, rtol=0)


def test_turntable_closes_at_constant_height_and_distance() -> None:
    base = some_camera()
    views = turntable(base, CENTRE, 8)
    offset = views.position - CENTRE
    torch.testing.assert_close(offset.norm(dim=-1), (base.position - CENTRE).norm().expand(8))
    torch.testing.assert_close(offset[:, 1], offset[:1, 1].expand(8))
    # opposite frames face each other; equal steps, the last one back to the first
    torch.testing.assert_close(offset[:4, [0, 2]], -offset[4:, [0, 2]], atol=1e-5, rtol=0)
    steps = (offset - offset.roll(1, dims=0)).norm(dim=-1)
    torch.testing.assert_close(steps, steps[:1].expand(8))


def test_turntable_moves_towards_the_right_of_the_image() -> None:
    R, T = look_at(torch.tensor([0.0, 0.0, 3.0]), torch.zeros(3))
    base = Camera(intrinsics(100.0, (64, 64)), R, T, (64, 64))
    quarter = turntable(base, torch.zeros(3), 4)[1]
    torch.testing.assert_close(quarter.position, torch.tensor([3.0, 0.0, 0.0]), atol=1e-6, rtol=0)


def test_orbit_swings_by_its_angles_and_back() -> None:
    R, T = look_at(CENTRE + torch.tensor([0.0, 0.0, 3.0]), CENTRE)
    base = Camera(intrinsics(100.0, (64, 64)), R, T, (64, 64))
    offset = orbit(base, CENTRE, 400, azimuth_degrees=20.0, elevation_degrees=7.0).position - CENTRE
    azimuth = torch.rad2deg(torch.atan2(offset[:, 0], offset[:, 2]))
    elevation = torch.rad2deg(torch.asin(offset[:, 1] / 3))
    for angle, reach in ((azimuth, 20.0), (elevation, 7.0)):
        torch.testing.assert_close(angle.aminmax(), (torch.tensor(-reach), torch.tensor(reach)), atol=0.01, rtol=0)


def test_camera_files_survive_a_round_trip(tmp_path: Path) -> None:
    views = turntable(resize(some_camera(), (480, 640)), CENTRE, 5)
    without_skew = views.K.clone()
    without_skew[:, 0, 1] = 0
    views = Camera(without_skew, views.R, views.T, views.size)
    write_cameras(tmp_path / "path.json", views)
    again = read_cameras(tmp_path / "path.json")
    assert again.size == views.size and [p.name for p in tmp_path.iterdir()] == ["path.json"]
    torch.testing.assert_close((again.K, again.R, again.T), (views.K, views.R, views.T), atol=2e-6, rtol=1e-6)


def transforms(**changes: object) -> dict:
    """Return a minimal file: one camera at (0, 1, 4) looking along -z, as NeRF-studio writes it."""
    pose = [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 4], [0, 0, 0, 1]]
    frame = {"file_path": "0.png", "transform_matrix": pose}
    return {"fl_x": 500, "w": 640, "h": 480, "frames": [frame], **changes}


def test_an_opengl_camera_sees_what_lies_along_its_negative_z(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(transforms()))
    camera = read_cameras(tmp_path / "t.json")[0]
    pixels, depth = project(camera, torch.tensor([[0.0, 1.0, 2.0], [0.2, 1.2, 2.0]]))
    torch.testing.assert_close(pixels, torch.tensor([[320.0, 240.0], [370.0, 190.0]]))
    torch.testing.assert_close(depth, torch.tensor([2.0, 2.0]))


def test_a_frames_own_intrinsics_override_and_an_angle_gives_the_focal_length(tmp_path: Path) -> None:
    content = transforms(camera_angle_x=math.pi / 2)
    del content["fl_x"]
    content["frames"].append({**content["frames"][0], "fl_x": 700.0, "fl_y": 710.0, "cx": 1.0, "cy": 2.0})
    (tmp_path / "t.json").write_text(json.dumps(content))
    K = read_cameras(tmp_path / "t.json").K
    torch.testing.assert_close(K[0], intrinsics(320.0, (480, 640)))
    torch.testing.assert_close(K[1], torch.tensor([[700.0, 0.0, 1.0], [0.0, 710.0, 2.0], [0.0, 0.0, 1.0]]))


MIRROR = [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]
SCALED = [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 4], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not json", "JSON"),
        ("[]", "frames"),
        (json.dumps({"frames": []}), "frames"),
        (json.dumps({"frames": [3]}), "frames"),
        (json.dumps(transforms(frames=[{}])), "transform_matrix"),
        (json.dumps(transforms(frames=[{"transform_matrix": [[1, 2], [3, 4]]}])), "4 rows"),
        (json.dumps(transforms(frames=[{"transform_matrix": MIRROR}])), "rigid"),
        (json.dumps(transforms(frames=[{"transform_matrix": SCALED}])), "rigid"),
        (json.dumps(transforms(frames=[{"transform_matrix": [["a"] * 4] * 4}])), "numbers"),
        (json.dumps(transforms(fl_x=math.nan)), "fl_x"),
        (json.dumps(transforms(fl_x=-5)), "positive"),
        (json.dumps(transforms(fl_x=True)), "fl_x"),
        (json.dumps(transforms(w=0)), "w must be"),
        (json.dumps(transforms(h=480.5)), "h must be"),
        (json.dumps(transforms(w=10**300)), "w of"),
        (json.dumps(transforms(h=None)), "h of"),
        (json.dumps({k: v for k, v in transforms().items() if k != "w"}), "no w"),
        (json.dumps({k: v for k, v in transforms().items() if k != "fl_x"}), "no fl_x"),
        (json.dumps(transforms(k1=0.1)), "k1"),
        (json.dumps(transforms(camera_model="OPENCV_FISHEYE")), "FISHEYE"),
        (json.dumps(transforms(frames=transforms()["frames"] + [{**transforms()["frames"][0], "w": 4}])), "agree"),
    ],
)
def test_an_invalid_camera_file_is_refused_and_its_fault_named(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(BadInput, match=complaint):
        read_cameras(tmp_path / "t.json")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.json"):
        read_cameras(tmp_path / "absent.json")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="file"):
        write_cameras(tmp_path / "file" / "path.json", some_camera(2))
