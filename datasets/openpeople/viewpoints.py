"""Cameras around a posed person, with heights and focal lengths of phones and portrait lenses."""

import numpy as np
import torch
from jaxtyping import Float32

from sherf.camera.pinhole import intrinsics, look_at
from sherf.scene import Camera

PHOTO_AZIMUTH = np.radians(35)
"""The observation view is taken from within this angle of the front, radians."""
FOCAL_RANGE = (1.0, 3.4)
"""Focal length over image side: 1.0 is a phone's wide lens held upright, 3.4 a portrait lens."""
FILL_RANGE = (0.78, 0.93)
"""Share of the image that the person's extent fills."""


def draw_viewpoints(
    rng: np.random.Generator, vertices: Float32[np.ndarray, "vertex 3"], views: int, size: int
) -> list[Camera]:
    """Return random square cameras that see the whole person: the first from the front, the others from all around.

    Args:
        rng: random numbers.
        vertices: the posed person, world space, metres.
        views: number of cameras.
        size: image side, pixels.
    """
    first = float(np.clip(rng.normal(0, PHOTO_AZIMUTH / 2), -PHOTO_AZIMUTH, PHOTO_AZIMUTH))
    azimuths = first + 2 * np.pi * np.arange(views) / views
    azimuths[1:] += rng.uniform(-0.5, 0.5, views - 1) * 2 * np.pi / views
    return [_viewpoint(rng, vertices, float(azimuth), size) for azimuth in azimuths]


def _viewpoint(
    rng: np.random.Generator, vertices: Float32[np.ndarray, "vertex 3"], azimuth: float, size: int
) -> Camera:
    focal = float(np.exp(rng.uniform(*np.log(FOCAL_RANGE)))) * size
    height = float(rng.choice([rng.uniform(0.9, 1.7), rng.uniform(0.3, 2.4)], p=[0.7, 0.3]))
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = (low + high) / 2 + rng.normal(0, 0.02, 3)
    fill = rng.uniform(*FILL_RANGE)
    points = torch.from_numpy(vertices[:: max(len(vertices) // 4000, 1)])
    distance = 1.4 * focal / size + 1.0
    towards = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
    for _ in range(6):
        eye = middle + distance * towards
        eye[1] = height
        camera = _camera_at(eye, middle, focal, size)
        seen = points @ camera.R.T + camera.T
        pixels = seen[:, :2] / seen[:, 2:].clamp(min=0.05) * focal + size / 2
        extent = float((pixels - size / 2).abs().max()) * 2 / size
        distance = max(distance * max(extent / fill, 0.5), 0.8)
    return camera


def _camera_at(eye: np.ndarray, target: np.ndarray, focal: float, size: int) -> Camera:
    R, T = look_at(torch.from_numpy(eye).float(), torch.from_numpy(target).float())
    return Camera(intrinsics(focal, (size, size)), R, T, (size, size))
