"""Laws of axis-angle rotations, and their identity with PyTorch3D's to the bit."""

import math

import pytest
import pytorch3d.transforms
import torch

from sherf.camera.rotations import axis_angle_to_matrix


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e-8, 1e-4, 1e-2, 1.0, math.pi, 30.0, 1e4])
@pytest.mark.parametrize("batch", [(), (1,), (50,), (7, 24)])
def test_matrices_and_gradients_equal_pytorch3ds_to_the_bit(
    dtype: torch.dtype, scale: float, batch: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = scale * torch.randn(*batch, 3, generator=generator, dtype=dtype)
    weights = torch.randn(*batch, 3, 3, generator=generator, dtype=dtype)
    results = []
    for convert in (axis_angle_to_matrix, pytorch3d.transforms.axis_angle_to_matrix):
        axis_angle = drawn.clone().requires_grad_(True)
        matrices = convert(axis_angle)
        (matrices * weights).sum().backward()
        results.append((matrices, axis_angle.grad))
    (ours, our_gradient), (theirs, their_gradient) = results
    assert torch.equal(ours, theirs) and ours.dtype == dtype
    assert our_gradient is not None and torch.equal(our_gradient, their_gradient)


def test_rotations_about_one_axis_equal_pytorch3ds_to_the_bit() -> None:
    """Other components are exactly zero, as in camera paths."""
    angles = torch.linspace(-7, 7, 1001)
    for axis in torch.eye(3):
        vectors = angles[:, None] * axis
        assert torch.equal(axis_angle_to_matrix(vectors), pytorch3d.transforms.axis_angle_to_matrix(vectors))


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-4, 1e-2, 1.0, math.pi, 7.0])
def test_rotation_matrix_is_the_exponential_of_its_axis_angle(angle: float) -> None:
    axis_angle = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64) * angle
    x, y, z = axis_angle.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    torch.testing.assert_close(axis_angle_to_matrix(axis_angle), torch.linalg.matrix_exp(cross))


@pytest.mark.parametrize("scale", [0.0, 1e-10, 1e-5, 1.0])
def test_rotation_gradients_hold_at_and_near_zero(scale: float) -> None:
    """d R / d v at zero are the generators; elsewhere central differences."""
    start = scale * torch.tensor([0.3, -0.5, 0.2], dtype=torch.float64)
    analytic = torch.autograd.functional.jacobian(axis_angle_to_matrix, start)
    step = 1e-6 * torch.eye(3, dtype=torch.float64)
    numeric = [(axis_angle_to_matrix(start + h) - axis_angle_to_matrix(start - h)) / 2e-6 for h in step]
    torch.testing.assert_close(analytic, torch.stack(numeric, dim=-1), atol=1e-8, rtol=1e-6)
