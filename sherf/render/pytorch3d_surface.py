"""Nearest vertices on CUDA by PyTorch3D's knn, and nearest surface points among the triangles around them."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.signed_mesh import SignedMesh, closest_on_triangles
from sherf.scene import SurfacePoints

NEIGHBOURS = 4
"""Nearest vertices whose triangles are candidates; the nearest triangle rarely misses all four."""

POINTS_PER_CHUNK = 2**16
"""Bounds memory at about 500 MB: a point has some 30 candidate triangles."""


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
    """`torch_backend.BruteForceSurface` among nearby triangles only: exact for triangles of similar sizes.

    Where a long triangle passes close to a point but has its corners far away, one of its neighbours is returned.
    """

    def __init__(self, vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> None:
        """Keep a mesh: vertices in metres, faces counter-clockwise seen from outside."""
        self.vertices = vertices.detach()
        self.mesh = SignedMesh.of(vertices, faces)
        self.faces_around = _faces_around(len(vertices), faces.long())

    def nearest(self, points: Float[Tensor, "point 3"]) -> SurfacePoints:
        """Return the nearest surface points: `Surface.nearest`."""
        with torch.no_grad():
            parts = [self._nearest_triangle(some) for some in points.split(POINTS_PER_CHUNK)]
            face, barycentric = (torch.cat(x) for x in zip(*parts, strict=True))
            return self.mesh.signed(points, face, barycentric)

    def _nearest_triangle(
        self, points: Float[Tensor, "point 3"]
    ) -> tuple[Int[Tensor, " point"], Float[Tensor, "point 3"]]:
        from pytorch3d.ops import knn_points

        neighbours = min(NEIGHBOURS, len(self.vertices))
        vertex = knn_points(points[None], self.vertices[None], K=neighbours).idx[0]
        candidates = self.faces_around[vertex].flatten(start_dim=1)
        barycentric, squared = closest_on_triangles(points[:, None], self.mesh.corners[candidates])
        best = squared.argmin(dim=1)
        row = torch.arange(len(points), device=points.device)
        return candidates[row, best], barycentric[row, best]


def _faces_around(num_vertices: int, faces: Int[Tensor, "face 3"]) -> Int[Tensor, "vertex valence"]:
    """Return the faces at each vertex; short rows repeat their first face, vertices without a face get face 0."""
    vertex, order = faces.reshape(-1).sort(stable=True)
    face = order // 3
    count = torch.bincount(vertex, minlength=num_vertices)
    first = count.cumsum(dim=0) - count
    slot = torch.arange(int(count.max()), device=faces.device).expand(num_vertices, -1)
    taken = first[:, None] + torch.where(slot < count[:, None], slot, 0)
    return torch.where(count[:, None] > 0, face[taken.clamp(max=len(face) - 1)], 0)
