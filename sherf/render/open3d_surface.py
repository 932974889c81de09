"""Nearest surface points on the CPU through Open3D's RaycastingScene (Embree): exact, about 1.3 us per point."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.quick_open3d import quick_open3d
from sherf.render.signed_mesh import SignedMesh
from sherf.scene import SurfacePoints

if TYPE_CHECKING:
    import open3d


def as_open3d(x: Tensor) -> "open3d.core.Tensor":
    """Return a tensor as Open3D's, on the CPU."""
    return quick_open3d().core.Tensor.from_numpy(x.detach().cpu().contiguous().numpy())


def mesh_scene(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]
) -> "open3d.t.geometry.RaycastingScene":
    """Return a mesh that answers ray casts and closest-point queries; vertices in metres."""
    scene = quick_open3d().t.geometry.RaycastingScene(nthreads=torch.get_num_threads())
    scene.add_triangles(as_open3d(vertices.float()), as_open3d(faces.to(torch.uint32)))
    return scene


class Open3dSurface:
    """Same answers as `torch_backend.BruteForceSurface`."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> None:
        """Keep a mesh: vertices in metres, faces counter-clockwise seen from outside."""
        self._scene = mesh_scene(vertices, faces)
        self.mesh = SignedMesh.of(vertices, faces)

    def nearest(self, points: Float[Tensor, "point 3"]) -> SurfacePoints:
        """Return the nearest surface points: `Surface.nearest`."""
        with torch.no_grad():
            if len(points) == 0:
                return self.mesh.signed(points, points.new_zeros(0, dtype=torch.long), points)
            found = self._scene.compute_closest_points(as_open3d(points.float()))
            # Embree does not find faces for points that are not finite: any will do, as their distance is not finite
            face = torch.from_numpy(found["primitive_ids"].numpy()).long().clamp_(max=len(self.mesh.corners) - 1)
            v, w = torch.from_numpy(found["primitive_uvs"].numpy()).to(points.dtype).clamp_(min=0).unbind(dim=-1)
            u = (1 - v - w).clamp_(min=0)
            barycentric = torch.stack([u, v, w], dim=-1)
            return self.mesh.signed(points, face, barycentric / barycentric.sum(dim=-1, keepdim=True))
