"""First hits of camera rays on a mesh: depth maps and silhouettes. Exact, on the CPU by Open3D (Embree)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.camera.pinhole import camera_rays
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.render.pytorch3d_depth import rasterize_depth
from sherf.scene import Camera


@dataclass(frozen=True)
class Hits:
    """Where the rays of a camera first meet a mesh."""

    hit: Bool[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    """Along the camera's z axis, metres; inf for rays that miss."""
    face: Int[Tensor, "h w"]
    """Index of the face; -1 for rays that miss."""
    normal: Float[Tensor, "h w 3"]
    """Of the face, unit length, world space."""


def cast(vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], camera: Camera) -> Hits:
    """Return where the rays through the centres of a camera's pixels first meet a mesh.

    Args:
        vertices: world space, metres.
        faces: the mesh's triangles.
        camera: without a view axis.
    """
    bundle = camera_rays(camera)
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


def occluder_depth(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], camera: Camera, rim: int, far: float
) -> Float[Tensor, "h w"]:
    """Return the depth of a mesh's first surface, the nearest within `rim` pixels.

    What lies beside a nearer surface counts as occluded by it: its pixels carry the other surface's colour.

    Args:
        vertices: world space, metres.
        faces: the mesh's triangles.
        camera: a single camera.
        rim: in pixels.
        far: depth where the camera does not see the mesh, metres.
    """
    depth = rasterize_depth(vertices, faces, camera) if vertices.is_cuda else cast(vertices, faces, camera).depth
    return spread_depth(depth, rim, far)


def spread_depth(depth: Float[Tensor, "h w"], rim: int, far: float) -> Float[Tensor, "h w"]:
    """Return the nearest depth within `rim` pixels of each pixel, at most `far` metres."""
    near = depth.nan_to_num(posinf=far).clamp(max=far)
    return -F.max_pool2d(-near[None, None], 2 * rim + 1, 1, rim)[0, 0]
