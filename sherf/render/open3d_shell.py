"""Rays cast at triangle meshes on the CPU by Open3D (Embree): first hits, and the intervals inside."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import Rays

BACK = 1.0
"""Length of the interval behind an entry that does not have an exit, metres: the mesh is open there."""


class Open3dShell:
    """A closed triangle mesh at which rays are cast: `Shell`."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> None:
        """Keep a mesh: vertices in metres, faces counter-clockwise seen from outside."""
        self._scene = mesh_scene(vertices, faces)
        corners = vertices[faces]
        self._normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    def first(self, rays: Rays) -> tuple[Float[Tensor, " ray"], Float[Tensor, " ray"]]:
        """Return where rays first meet the mesh, and the cosine of incidence: `Shell.first`."""
        found = self._scene.cast_rays(_packed(rays))
        normals = torch.from_numpy(found["primitive_normals"].numpy())
        return torch.from_numpy(found["t_hit"].numpy()), -(normals * rays.directions).sum(dim=1)

    def intervals(
        self, rays: Rays
    ) -> tuple[Int[Tensor, " interval"], Float[Tensor, " interval"], Float[Tensor, " interval"]]:
        """Return the parts of rays inside the mesh: `Shell.intervals`."""
        if len(rays.origins) == 0:  # Open3D crashes
            return torch.zeros(0, dtype=torch.long), rays.near, rays.near
        found = self._scene.list_intersections(_packed(rays))
        ray, distance, face = (torch.from_numpy(found[name].numpy()) for name in ("ray_ids", "t_hit", "primitive_ids"))
        ray, face = ray.long(), face.long()
        # by ray, then by distance
        order = distance.argsort(stable=True)
        order = order[ray[order].argsort(stable=True)]
        ray, distance, face = ray[order], distance[order], face[order]
        enters = (self._normals[face] * rays.directions[ray]).sum(dim=1) < 0
        change = torch.where(enters, 1, -1)
        count = torch.bincount(ray, minlength=len(rays.origins))
        before = torch.cat([change.new_zeros(1), change.cumsum(dim=0)])
        # in how many layers of the mesh the ray is behind each intersection
        depth = before[1:] - before[count.cumsum(dim=0) - count][ray]
        is_last = torch.cat([ray[1:] != ray[:-1], ray.new_ones(min(1, len(ray)), dtype=torch.bool)])
        end = torch.where(is_last, distance + BACK, distance.roll(-1))
        inside = (depth > 0).nonzero()[:, 0]
        return ray[inside], distance[inside], end[inside]


def _packed(rays: Rays):  # type: ignore[no-untyped-def]
    return as_open3d(torch.cat([rays.origins, rays.directions], dim=1))
