"""Simple meshes for accessories: tubes, ribbons, surfaces of revolution, rounded boxes; and a plain material."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from sherf.datasets.openpeople.colours import Colour
from sherf.datasets.openpeople.noise import value_noise
from sherf.datasets.openpeople.part import SurfaceSamples

Mesh = tuple[Float[np.ndarray, "_ 3"], Int[np.ndarray, "_ 3"]]
"""Vertices (metres) and faces."""


@dataclass(frozen=True)
class PlainMaterial:
    """A slightly uneven single colour."""

    colour: Colour
    gloss: float = 0.03
    sharpness: float = 12.0
    grain: float = 0.04

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light."""
        uneven = 1 + self.grain * value_noise(samples.rest * 500, 3)
        return np.clip(self.colour * uneven[:, None], 0, 1).astype(np.float32)


def grid_faces(rows: int, columns: int, closed: bool) -> Int[np.ndarray, "face 3"]:
    """Return two triangles per cell of a grid of vertices; `closed` joins the last column to the first."""
    number = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(number, -1, axis=1) if closed else number[:, 1:]
    left = number if closed else number[:, :-1]
    a, b, c, d = (x.ravel() for x in (left[:-1], right[:-1], right[1:], left[1:]))
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def make_tube(path: Float[np.ndarray, "point 3"], radius: float, closed: bool = False, sides: int = 8) -> Mesh:
    """Return a round tube along a path, metres; `closed` joins its ends."""
    along = np.gradient(path, axis=0)
    if closed:
        along = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.where(np.abs(along[:, 1:2]) > 0.9, np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]]))
    first = np.cross(helper, along)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None]
    points = path[:, None] + radius * ring
    if closed:
        points = np.concatenate([points, points[:1]])
    return points.reshape(-1, 3), grid_faces(len(points), sides, True)


def make_ribbon(
    path: Float[np.ndarray, "point 3"], normals: Float[np.ndarray, "point 3"], width: float, thickness: float = 0.004
) -> Mesh:
    """Return a flat band along a path, with its surface normals; all lengths in metres."""
    along = np.gradient(path, axis=0)
    across = np.cross(along, normals)
    across *= 0.5 * width / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    off = normals * thickness
    points = np.stack([path - across, path - across + off, path + across + off, path + across], axis=1)
    return points.reshape(-1, 3), grid_faces(len(path), 4, True)


def revolve(
    profile: Float[np.ndarray, "row 2"], centre: Float[np.ndarray, "3"], radii: tuple[float, float], sides: int = 48
) -> Mesh:
    """Return a surface of revolution about y, with an elliptic cross-section.

    Args:
        profile: rows of (share of the radii, height above the centre in metres).
        centre: rest space, metres.
        radii: along x and z, metres.
        sides: vertices around.
    """
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([radii[0] * np.sin(angle), np.zeros(sides), radii[1] * np.cos(angle)], axis=1)
    points = centre + profile[:, None, :1] * circle
    points[..., 1] += profile[:, 1:2]
    return points.reshape(-1, 3), grid_faces(len(profile), sides, True)


def make_rounded_box(
    centre: Float[np.ndarray, "3"], half: tuple[float, float, float], power: float = 4.0, rows: int = 17
) -> Mesh:
    """Return a box with round edges: a superellipsoid of this exponent, with half extents in metres."""
    up = np.linspace(-np.pi / 2, np.pi / 2, rows)
    around = np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False)
    exponent = 2 / power
    x = signed_power(np.cos(up), exponent)[:, None] * signed_power(np.sin(around), exponent)
    z = signed_power(np.cos(up), exponent)[:, None] * signed_power(np.cos(around), exponent)
    y = np.broadcast_to(signed_power(np.sin(up), exponent)[:, None], x.shape)
    points = centre + np.stack([x, y, z], axis=-1) * np.array(half)
    return points.reshape(-1, 3), grid_faces(rows, 2 * rows, True)


def signed_power(x: Float[np.ndarray, "*any"], exponent: float) -> Float[np.ndarray, "*any"]:
    """Return sign(x) |x|^exponent."""
    return np.sign(x) * np.abs(x) ** exponent


def join_meshes(meshes: list[Mesh]) -> Mesh:
    """Join several meshes into one."""
    starts = np.cumsum([0, *[len(v) for v, _ in meshes[:-1]]])
    return np.concatenate([v for v, _ in meshes]), np.concatenate(
        [f + s for (_, f), s in zip(meshes, starts, strict=True)]
    )
