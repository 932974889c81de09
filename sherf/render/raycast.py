"""First hits of rays on a mesh: depth maps and silhouettes. Exact, on the CPU, by Open3D (Embree)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.camera.pinhole import rays
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import Camera


@dataclass(frozen=True)
class Hits:
    """Where the rays of a camera first meet a mesh."""

    hit: Bool[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    """Along the camera's z axis, metres; inf where nothing is met."""
    face: Int[Tensor, "h w"]
    """Index of the face, -1 where nothing is met."""
    normal: Float[Tensor, "h w 3"]
    """Of the face, unit length, world space."""


def cast(vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], camera: Camera) -> Hits:
    """Cast one ray through each pixel's centre of a single camera."""
    bundle = rays(camera)
    directions = bundle.directions.cpu().reshape(*camera.size, 3)
    packed = torch.cat([bundle.origins.cpu().reshape(*camera.size, 3), directions], dim=-1)
    answer = mesh_scene(vertices, faces).cast_rays(as_open3d(packed.float()))
    distance = torch.from_numpy(answer["t_hit"].numpy())
    hit = distance.isfinite()
    face = torch.from_numpy(answer["primitive_ids"].numpy().astype("int64"))
    return Hits(
        hit=hit,
        depth=distance * (directions @ camera.R[2].cpu()),
        face=torch.where(hit, face, -1),
        normal=torch.from_numpy(answer["primitive_normals"].numpy()),
    )
