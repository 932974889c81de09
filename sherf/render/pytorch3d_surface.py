"""Nearest vertices and nearest surface points by PyTorch3D's exhaustive searches: exact, and fast on CUDA."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.signed_mesh import SignedMesh, closest_on_triangles
from sherf.scene import SurfacePoints

POINTS_PER_CHUNK = 2**20
"""Bounds memory at about 500 MB."""
UNITS_PER_M = 1000.0
"""The search adds 1e-8 to squared areas, which must not matter: millimetres."""
MIN_AREA = 1e-8
"""Triangles with a smaller area count as their edges, square units."""


class Pytorch3dVertices:
    """Same answers as `torch_backend.BruteForceVertices`."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], reach: float = math.inf) -> None:
        """Keep vertices, metres; `reach` does not matter here."""
        self.vertices = vertices.detach()

    def __call__(self, points: Float[Tensor, "point 3"]) -> Int[Tensor, " point"]:
        """Return the index of the vertex that is nearest to each point. No gradients."""
        from pytorch3d.ops import knn_points

        with torch.no_grad():
            return knn_points(points[None], self.vertices[None], K=1).idx[0, :, 0]


class Pytorch3dSurface:
    """Same answers as `torch_backend.BruteForceSurface`."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> None:
        """Keep a mesh: vertices in metres, faces counter-clockwise seen from outside."""
        self.mesh = SignedMesh.of(vertices, faces)

    def nearest(self, points: Float[Tensor, "point 3"]) -> SurfacePoints:
        """Return the nearest surface points: `Surface.nearest`."""
        with torch.no_grad():
            parts = [self._nearest_triangle(some) for some in points.split(POINTS_PER_CHUNK)]
            face, barycentric = (torch.cat(x) for x in zip(*parts, strict=True))
            return self.mesh.signed(points, face, barycentric)

    def _nearest_triangle(
        self, points: Float[Tensor, "point 3"]
    ) -> tuple[Int[Tensor, " point"], Float[Tensor, "point 3"]]:
        from pytorch3d import _C

        corners = self.mesh.corners
        if len(points) == 0:
            return points.new_zeros(0, dtype=torch.long), points
        first = torch.zeros(1, dtype=torch.long, device=points.device)
        _, face = _C.point_face_dist_forward(
            UNITS_PER_M * points.float(), first, UNITS_PER_M * corners.float(), first, len(points), MIN_AREA
        )
        # the search leaves -1 where no distance is finite
        face = face.clamp(min=0)
        return face, closest_on_triangles(points, corners[face])[0]
