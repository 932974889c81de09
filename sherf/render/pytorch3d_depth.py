"""Depth maps of meshes by PyTorch3D's rasteriser: exact at the pixels' centres, and fast on CUDA."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.camera.pinhole import project
from sherf.scene import Camera


def rasterize_depth(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], camera: Camera
) -> Float[Tensor, "h w"]:
    """Return the depth of a mesh's first surface at the centres of a camera's pixels, metres; inf beside it.

    No gradients. All vertices have to lie in front of the camera.

    Args:
        vertices: world space, metres.
        faces: the mesh's triangles.
        camera: without a view axis.
    """
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    with torch.no_grad():
        pixels, depth = project(camera, vertices)
        height, width = camera.size
        # PyTorch3D's image plane: x to the left, y up, the shorter side from -1 to 1
        plane = (pixels.new_tensor([width / 2, height / 2]) - pixels) * (2 / min(height, width))
        mesh = Meshes([torch.cat([plane, depth[:, None]], dim=1)], [faces])
        # bin_size 0: no bins, which could overflow
        _, depths, _, _ = rasterize_meshes(mesh, camera.size, faces_per_pixel=1, bin_size=0, perspective_correct=True)
        first = depths[0, :, :, 0]
        return torch.where(first > 0, first, torch.inf)
