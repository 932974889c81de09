"""How much of the sky and of the lamps each vertex sees: computed once a pose, for all cameras."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float32, Int

from sherf.datasets.openpeople.casting import Caster
from sherf.datasets.openpeople.lighting import Lighting

AMBIENT_RAYS, SHADOW_RAYS = 16, 6
REACH_M = 0.5
"""Farther things do not darken: a floor and walls are bright."""
OFF_SURFACE_M = 0.004
"""Rays start so far above the surface that its own creases, and the layer beneath, do not count."""
MAX_ASKED = 30_000
"""Meshes with more vertices are asked at every second, third ... of them; the rest follows its neighbours."""
_SMOOTHING_STEPS = 2
_MOST_STEPS = 12
_VARIANTS = 64
"""Sets of directions that vertices take turns with: what differs between them is smoothed away."""


@dataclass(frozen=True)
class Surface:
    """A mesh whose vertices are asked what they see."""

    caster: Caster
    vertices: Float32[np.ndarray, "vertex 3"]
    normals: Float32[np.ndarray, "vertex 3"]
    neighbours: sp.csr_matrix
    """1 where two vertices share a face's edge."""
    asked: Int[np.ndarray, " asked"]
    """Vertices that rays are sent from."""

    def share_open(
        self,
        vertices: Int[np.ndarray, " some"],
        directions: Float32[np.ndarray, "some ray 3"],
        reach: float,
    ) -> Float32[np.ndarray, " some"]:
        """Share of the rays from some vertices that meet nothing within reach."""
        origins = self.vertices[vertices] + self.normals[vertices] * np.float32(OFF_SURFACE_M)
        rays = np.empty((*directions.shape[:2], 6), np.float32)
        rays[..., :3] = origins[:, None]
        rays[..., 3:] = directions
        blocked = self.caster.is_blocked(rays.reshape(-1, 6), 0.0, reach)
        return 1 - blocked.reshape(len(vertices), -1).mean(axis=1, dtype=np.float32)

    def spread(self, values: Float32[np.ndarray, " asked"]) -> Float32[np.ndarray, " vertex"]:
        """What the asked vertices found, averaged over neighbours: the rays' grain goes, the creases stay."""
        known = np.zeros(len(self.vertices), np.float32)
        sums = np.zeros(len(self.vertices), np.float32)
        known[self.asked], sums[self.asked] = 1, values
        steps = 0
        while steps < _SMOOTHING_STEPS or (known.min() < 1e-6 and steps < _MOST_STEPS):
            known = known + self.neighbours @ known
            sums = sums + self.neighbours @ sums
            scale = 1 / np.maximum(known, 1)
            known, sums = known * scale, sums * scale
            steps += 1
        # A scrap of mesh that no asked vertex touches lies open.
        return np.where(known > 1e-6, sums / np.maximum(known, 1e-6), 1).astype(np.float32)


def surface(
    caster: Caster,
    vertices: Float32[np.ndarray, "vertex 3"],
    normals: Float32[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
) -> Surface:
    """Make a mesh ready to be asked."""
    a, b = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    ones = np.ones(2 * len(a), np.float32)
    neighbours = sp.csr_matrix((ones, (np.r_[a, b], np.r_[b, a])), (len(vertices), len(vertices)))
    every = -(-len(vertices) // MAX_ASKED)
    return Surface(caster, vertices, normals, neighbours, np.arange(0, len(vertices), every))


def ambient_occlusion(mesh: Surface) -> Float32[np.ndarray, " vertex"]:
    """Share of the sky over each vertex that is open within reach, weighted by the cosine: 1 open, 0 closed."""
    local = _cosine_directions(AMBIENT_RAYS)[np.arange(len(mesh.asked)) % _VARIANTS]
    return mesh.spread(mesh.share_open(mesh.asked, _turned(local, mesh.normals[mesh.asked]), REACH_M))


def shadows(mesh: Surface, lighting: Lighting) -> Float32[np.ndarray, " vertex"]:
    """Share of the shadow-casting lamps' discs that each vertex sees; 1 everywhere if no lamp casts shadows."""
    lit = np.ones(len(mesh.asked), np.float32)
    for lamp in lighting.lamps:
        if lamp.casts_shadow:
            towards = np.array(lamp.direction, np.float32)
            towards /= np.linalg.norm(towards)
            facing = np.flatnonzero(mesh.normals[mesh.asked] @ towards > 0)
            local = _disc_directions(SHADOW_RAYS, lamp.softness)[facing % _VARIANTS]
            directions = _turned(local, np.broadcast_to(towards, (len(facing), 3)))
            lit[facing] *= mesh.share_open(mesh.asked[facing], directions, np.inf)
    return mesh.spread(lit)


def _cosine_directions(count: int) -> Float32[np.ndarray, "variant ray 3"]:
    """Directions about +z, as dense as the cosine, well spread within each variant (a turned and shifted spiral)."""
    variant = np.arange(_VARIANTS)[:, None]
    share = (np.arange(count) + (variant * 0.754877666) % 1) / count
    angle = 2 * np.pi * (np.arange(count) * 0.6180339887 + (variant * 0.569840291) % 1)
    radius = np.sqrt(share)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - share)], -1).astype(np.float32)


def _disc_directions(count: int, softness: float) -> Float32[np.ndarray, "variant ray 3"]:
    """Directions about +z within a cone whose rim has this sine."""
    directions = _cosine_directions(count)
    directions[..., :2] *= np.float32(softness)
    directions[..., 2] = np.sqrt(1 - (directions[..., :2] ** 2).sum(axis=-1))
    return directions


def _turned(
    local: Float32[np.ndarray, "vertex ray 3"], axis: Float32[np.ndarray, "vertex 3"]
) -> Float32[np.ndarray, "vertex ray 3"]:
    """Directions about +z, turned so that +z falls on each axis (Duff et al. 2017)."""
    x, y, z = axis.T
    sign = np.where(z < 0, np.float32(-1), np.float32(1))
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    frame = np.stack([first, second, axis], axis=1).astype(np.float32)
    return local @ frame
