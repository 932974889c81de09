"""Framing keeps the whole person in the image from every side."""

import math

import pytest
import torch

from sherf.camera.framing import frame_person
from sherf.camera.pinhole import intrinsics, look_at, project, turntable
from sherf.scene import Camera


def _photo_camera(azimuth: float) -> Camera:
    eye = torch.tensor([3 * math.sin(azimuth), 1.5, 3 * math.cos(azimuth)])
    R, T = look_at(eye, torch.zeros(3))
    return Camera(intrinsics(500.0, (480, 640)), R, T, (480, 640))


@pytest.mark.parametrize("size", [(512, 512), (300, 900), (900, 300)])
@pytest.mark.parametrize("leading", [(), (3,)])
def test_every_vertex_is_in_the_image_from_every_side(size: tuple[int, int], leading: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    vertices = torch.rand(*leading, 500, 3, generator=generator) * torch.tensor([1.8, 1.7, 0.6]) + 4.0
    camera, centre = frame_person(vertices, _photo_camera(0.7), size)
    pixels, depth = project(turntable(camera, centre, 12), vertices.reshape(-1, 3))
    assert (depth > 0).all()
    assert (pixels >= 0).all() and (pixels[..., 0] <= size[1]).all() and (pixels[..., 1] <= size[0]).all()


def test_a_standing_person_fills_most_of_the_height() -> None:
    vertices = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.8, 0.0], [0.3, 1.0, 0.0], [-0.3, 1.0, 0.0]])
    camera, _ = frame_person(vertices, _photo_camera(0.0), (512, 512))
    pixels, _ = project(camera, vertices)
    assert 0.75 * 512 < pixels[:, 1].max() - pixels[:, 1].min() < 0.95 * 512


@pytest.mark.parametrize("azimuth", [0.0, 1.0, 3.0])
def test_the_camera_is_level_and_on_the_photos_side(azimuth: float) -> None:
    photo = _photo_camera(azimuth)
    camera, centre = frame_person(torch.rand(50, 3), photo, (64, 64))
    offset = camera.position - centre
    assert abs(float(offset[1])) < 1e-5
    horizontal = photo.position * torch.tensor([1.0, 0.0, 1.0])
    torch.testing.assert_close(offset / offset.norm(), horizontal / horizontal.norm(), atol=1e-5, rtol=0)
    torch.testing.assert_close(camera.R @ camera.R.T, torch.eye(3), atol=1e-6, rtol=0)
    assert float(torch.linalg.det(camera.R)) == pytest.approx(1.0, abs=1e-5)
