"""Sampling of the photo on a surface, and filling of unseen parts."""

import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import intrinsics
from sherf.models.template.texture import erode_mask, fill_smoothly, sample_photo
from sherf.scene import Camera

ARM, LEG = 18, 4


def _camera(size: tuple[int, int] = (20, 30)) -> Camera:
    return Camera(intrinsics(20.0, size), torch.eye(3), torch.zeros(3), size)


def _layers(depth: float, size: tuple[int, int] = (20, 30)) -> torch.Tensor:
    ramp = torch.linspace(0, 1, size[1]).expand(3, *size)
    return torch.cat([ramp, torch.ones(1, *size), torch.full((1, *size), depth)])


def test_a_point_on_the_first_surface_is_visible_with_the_pixels_colour() -> None:
    """The pixel at column c shows c / 29: a point that projects to its centre gets just that."""
    camera = _camera()
    points = torch.tensor([[(c + 0.5 - 15) / 20 * 2.0, 0.0, 2.0] for c in (3, 15, 26)])
    colour, visible = sample_photo(points, torch.ones(3), camera, _layers(2.0))
    torch.testing.assert_close(colour[:, 0], torch.tensor([3.0, 15.0, 26.0]) / 29, atol=1e-5, rtol=0)
    assert (visible > 0.95).all()


@pytest.mark.parametrize(
    ("point", "facing"),
    [
        ((0.0, 0.0, 2.1), 1.0),  # 10 cm behind the first surface
        ((9.0, 0.0, 2.0), 1.0),  # outside the photo
        ((0.0, 0.0, -2.0), 1.0),  # behind the camera
        ((0.0, 0.0, 2.0), -0.4),  # faces away
    ],
)
def test_points_that_the_photo_cannot_show_are_invisible(point: tuple[float, float, float], facing: float) -> None:
    _, visible = sample_photo(torch.tensor([point]), torch.tensor([facing]), _camera(), _layers(2.0))
    assert float(visible) < 0.02


def test_erosion_removes_the_masks_rim_only() -> None:
    mask = torch.zeros(20, 20)
    mask[5:15, 5:15] = 1
    kept = erode_mask(mask, rim=2)
    assert (kept[7:13, 7:13] == 1).all()
    assert kept.sum() == 36


def _fill(body: BodyModel, colour: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return fill_smoothly(colour, known, body.faces, body.v_template, body.weights)


def test_fill_preserves_constants_and_stays_within_the_known_range(body: BodyModel) -> None:
    front = (body.v_template[:, 2] > 0.05).float()
    constant = torch.tensor([0.2, 0.5, 0.7]).expand(len(front), 3)
    torch.testing.assert_close(_fill(body, constant, front), constant, atol=1e-3, rtol=0)
    noise = 0.3 + 0.4 * torch.rand(len(front), 3, generator=torch.Generator().manual_seed(0))
    filled = _fill(body, noise, front)
    assert filled.min() > 0.29 and filled.max() < 0.71


def test_a_belt_seen_in_front_continues_behind(body: BodyModel) -> None:
    """Black trousers and a white shirt in front: behind, the border is at the same height."""
    height, front = body.v_template[:, 1], body.v_template[:, 2] > 0.02
    trunk = body.weights[:, [0, 1, 2, 3, 6, 9]].sum(1) > 0.9
    border = float(height[trunk].mean())
    shirt = (height > border).float()[:, None].expand(-1, 3)
    filled = _fill(body, shirt, front.float())[:, 0]
    behind = trunk & ~front
    assert filled[behind & (height > border + 0.1)].mean() > 0.85
    assert filled[behind & (height < border - 0.1)].mean() < 0.15


def test_fill_without_known_vertices_raises(body: BodyModel) -> None:
    with pytest.raises(ValueError, match="at least one vertex"):
        _fill(body, torch.zeros(len(body.v_template), 3), torch.zeros(len(body.v_template)))
