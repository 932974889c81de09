"""Ambient occlusion and soft shadows per vertex: computed once per pose, for all cameras."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float32, Int

from sherf.datasets.openpeople.casting import RayCaster
from sherf.datasets.openpeople.lighting import Lighting

AMBIENT_RAYS, SHADOW_RAYS = 16, 6
"""Rays per sampled vertex, and per lamp."""
REACH_M = 0.5
"""Farther surfaces do not occlude the sky: floors and walls are bright."""
OFF_SURFACE_M = 0.004
"""Rays start this far above the surface, so that its own creases and the layer below do not occlude it."""
MAX_SAMPLED_VERTICES = 30_000
"""Of larger meshes only every second, third ... vertex is sampled; the others are interpolated."""
_SMOOTHING_STEPS = 2
_MAX_STEPS = 12
_VARIANTS = 64
"""Direction sets that vertices cycle through; smoothing removes the differences between them."""


@dataclass(frozen=True)
class OcclusionMesh:
    """A mesh prepared for visibility sampling at its vertices."""

    caster: RayCaster
    vertices: Float32[np.ndarray, "vertex 3"]
    normals: Float32[np.ndarray, "vertex 3"]
    neighbours: sp.csr_matrix
    """Adjacency matrix: 1 where two vertices share an edge."""
    sampled: Int[np.ndarray, " sampled"]
    """Indices of the vertices that rays are cast from."""

    def open_fraction(
        self,
        vertices: Int[np.ndarray, " some"],
        directions: Float32[np.ndarray, "some ray 3"],
        reach: float,
    ) -> Float32[np.ndarray, " some"]:
        """Return the share of each vertex's rays that hit nothing within reach.

        Args:
            vertices: indices of the vertices that rays start from.
            directions: world-space unit directions, several per vertex.
            reach: length of the rays, metres.
        """
        origins = self.vertices[vertices] + self.normals[vertices] * np.float32(OFF_SURFACE_M)
        rays = np.empty((*directions.shape[:2], 6), np.float32)
        rays[..., :3] = origins[:, None]
        rays[..., 3:] = directions
        blocked = self.caster.is_blocked(rays.reshape(-1, 6), 0.0, reach)
        return 1 - blocked.reshape(len(vertices), -1).mean(axis=1, dtype=np.float32)

    def spread_to_all(self, values: Float32[np.ndarray, " sampled"]) -> Float32[np.ndarray, " vertex"]:
        """Interpolate values at the sampled vertices to all vertices, smoothing away the sampling noise."""
        known = np.zeros(len(self.vertices), np.float32)
        sums = np.zeros(len(self.vertices), np.float32)
        known[self.sampled], sums[self.sampled] = 1, values
        steps = 0
        while steps < _SMOOTHING_STEPS or (known.min() < 1e-6 and steps < _MAX_STEPS):
            known = known + self.neighbours @ known
            sums = sums + self.neighbours @ sums
            scale = 1 / np.maximum(known, 1)
            known, sums = known * scale, sums * scale
            steps += 1
        # Components without any sampled vertex count as unoccluded.
        return np.where(known > 1e-6, sums / np.maximum(known, 1e-6), 1).astype(np.float32)


def prepare_occlusion(
    caster: RayCaster,
    vertices: Float32[np.ndarray, "vertex 3"],
    normals: Float32[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
) -> OcclusionMesh:
    """Choose the vertices to sample and compute the adjacency of a mesh in world space."""
    a, b = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    ones = np.ones(2 * len(a), np.float32)
    neighbours = sp.csr_matrix((ones, (np.r_[a, b], np.r_[b, a])), (len(vertices), len(vertices)))
    every = -(-len(vertices) // MAX_SAMPLED_VERTICES)
    return OcclusionMesh(caster, vertices, normals, neighbours, np.arange(0, len(vertices), every))


def ambient_occlusion(mesh: OcclusionMesh) -> Float32[np.ndarray, " vertex"]:
    """Return the cosine-weighted share of the hemisphere over each vertex that is unoccluded within `REACH_M`."""
    local = _cosine_directions(AMBIENT_RAYS)[np.arange(len(mesh.sampled)) % _VARIANTS]
    return mesh.spread_to_all(
        mesh.open_fraction(mesh.sampled, _rotate_to_axis(local, mesh.normals[mesh.sampled]), REACH_M)
    )


def shadows(mesh: OcclusionMesh, lighting: Lighting) -> Float32[np.ndarray, " vertex"]:
    """Return the share of the shadow-casting lamps' discs that each vertex sees; 1 everywhere without such lamps."""
    lamp_visibility = np.ones(len(mesh.sampled), np.float32)
    for lamp in lighting.lamps:
        if lamp.casts_shadow:
            towards = np.array(lamp.direction, np.float32)
            towards /= np.linalg.norm(towards)
            facing = np.flatnonzero(mesh.normals[mesh.sampled] @ towards > 0)
            local = _disc_directions(SHADOW_RAYS, lamp.softness)[facing % _VARIANTS]
            directions = _rotate_to_axis(local, np.broadcast_to(towards, (len(facing), 3)))
            lamp_visibility[facing] *= mesh.open_fraction(mesh.sampled[facing], directions, np.inf)
    return mesh.spread_to_all(lamp_visibility)


def _cosine_directions(count: int) -> Float32[np.ndarray, "variant ray 3"]:
    """Return cosine-distributed unit directions about +z: a rotated and shifted spiral for each variant."""
    variant = np.arange(_VARIANTS)[:, None]
    share = (np.arange(count) + (variant * 0.754877666) % 1) / count
    angle = 2 * np.pi * (np.arange(count) * 0.6180339887 + (variant * 0.569840291) % 1)
    radius = np.sqrt(share)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - share)], -1).astype(np.float32)


def _disc_directions(count: int, softness: float) -> Float32[np.ndarray, "variant ray 3"]:
    """Return unit directions about +z within a cone of half-angle arcsin(softness)."""
    directions = _cosine_directions(count)
    directions[..., :2] *= np.float32(softness)
    directions[..., 2] = np.sqrt(1 - (directions[..., :2] ** 2).sum(axis=-1))
    return directions


def _rotate_to_axis(
    local: Float32[np.ndarray, "vertex ray 3"], axis: Float32[np.ndarray, "vertex 3"]
) -> Float32[np.ndarray, "vertex ray 3"]:
    """Return directions rotated so that +z maps to each axis.

    Source: Duff et al., Building an Orthonormal Basis, Revisited (2017).
    """
    x, y, z = axis.T
    sign = np.where(z < 0, np.float32(-1), np.float32(1))
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    frame = np.stack([first, second, axis], axis=1).astype(np.float32)
    return local @ frame
