"""The definition of every backend operation, in plain torch on any device: readable first, fast second."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.backend import Backend
from sherf.render.sampling import sample_rays
from sherf.render.signed_mesh import SignedMesh, closest_on_triangles
from sherf.scene import RaySamples, SurfacePoints

THICKNESS_MAX = 80.0
"""Optical thickness at which a sample counts as solid: exp(-80) is 0 beside 1, and sums of many stay exact."""

PAIRS_PER_CHUNK = 2**18
"""Point-triangle pairs evaluated together: bounds memory at about 50 MB."""


class BruteForceSurface:
    """Nearest surface points by the distance to every triangle: for tests and small meshes."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> None:
        """Keep a mesh: vertices in metres, faces counter-clockwise seen from outside."""
        self.mesh = SignedMesh.of(vertices, faces)

    def nearest(self, points: Float[Tensor, "point 3"]) -> SurfacePoints:
        """Return the nearest surface points: `Surface.nearest`."""
        with torch.no_grad():
            chunk = max(1, PAIRS_PER_CHUNK // len(self.mesh.corners))
            parts = [self._nearest_triangle(some) for some in points.split(chunk)]
            face, barycentric = (torch.cat(x) for x in zip(*parts, strict=True))
            return self.mesh.signed(points, face, barycentric)

    def _nearest_triangle(
        self, points: Float[Tensor, "point 3"]
    ) -> tuple[Int[Tensor, " point"], Float[Tensor, "point 3"]]:
        barycentric, squared = closest_on_triangles(points[:, None], self.mesh.corners[None])
        face = squared.argmin(dim=1)
        return face, barycentric[torch.arange(len(points), device=points.device), face]


class BruteForceVertices:
    """Nearest vertices by the distance to every vertex."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], reach: float = math.inf) -> None:
        """Keep vertices, metres; `reach` does not matter here."""
        self.vertices = vertices.detach()

    def __call__(self, points: Float[Tensor, "point 3"]) -> Int[Tensor, " point"]:
        """Return the index of the nearest vertex; the first of several equally near ones."""
        chunk = max(1, 8 * PAIRS_PER_CHUNK // len(self.vertices))
        found = [
            (some[:, None] - self.vertices).square().sum(dim=-1).argmin(dim=1) for some in points.detach().split(chunk)
        ]
        return torch.cat(found)


def composite(
    density: Float[Tensor, " sample"], samples: RaySamples, transmittance: Float[Tensor, " ray"]
) -> tuple[Float[Tensor, " sample"], Float[Tensor, " ray"]]:
    """Return the weights of packed samples, T_i (1 - exp(-density_i length_i)): NeRF (Mildenhall et al. 2020), Eq. 3.

    Args:
        density: 1/m, non-negative; evaluated once per sample.
        samples: sorted by ray, then by distance.
        transmittance: of what lies before each ray's first sample, 0..1.

    Returns:
        The samples' weights, and the transmittance behind each ray's last sample.
    """
    thickness = (density * (samples.end - samples.start)).clamp(max=THICKNESS_MAX)
    # sums within rays are differences of one long sum, in double precision so that nothing is lost
    through = thickness.double().cumsum(dim=0)
    count = torch.bincount(samples.ray, minlength=samples.num_rays)
    before_ray = torch.cat([through.new_zeros(1), through])[count.cumsum(dim=0) - count]
    within = (through - before_ray[samples.ray]).to(thickness.dtype)
    weights = transmittance[samples.ray] * torch.exp(thickness - within) * -torch.expm1(-thickness)
    total = torch.zeros_like(transmittance).index_add(0, samples.ray, thickness)
    return weights, transmittance * torch.exp(-total)


def torch_backend(device: torch.device) -> Backend:
    """Return the backend that defines all operations, on any device."""
    return Backend("torch", device, BruteForceSurface, BruteForceVertices, sample_rays, composite)
