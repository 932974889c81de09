"""The published pixel coordinates: the top-left pixel's centre is (0, 0), and an epsilon is added to depths."""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.scene import Camera

DEPTH_EPS = 1e-5
"""Added to depths before the perspective division, as published, metres."""


def published_pixels(camera: Camera, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 2"]:
    """Return pixel coordinates of world points in the published convention: the top-left pixel's centre is (0, 0)."""
    projection = published_projection(camera)
    return divide(points @ projection[:, :3].T + projection[:, 3])


def published_projection(camera: Camera) -> Float[Tensor, "3 4"]:
    """Return the matrix from world points to homogeneous pixels (x z, y z, z), published convention."""
    half = camera.K.new_tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    return (camera.K - half) @ torch.cat([camera.R, camera.T[:, None]], dim=1)


def divide(homogeneous: Float[Tensor, "point 3"]) -> Float[Tensor, "point 2"]:
    """Return the pixel coordinates of homogeneous pixels."""
    return homogeneous[:, :2] / (homogeneous[:, 2:] + DEPTH_EPS)


def published_grid(pixels: Float[Tensor, "point 2"], size: tuple[int, int]) -> Float[Tensor, "point 2"]:
    """Return grid coordinates for `grid_sample(align_corners=True)`: as published, divided by size, not size - 1."""
    return 2 * pixels / pixels.new_tensor(size[::-1]) - 1
