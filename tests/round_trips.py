"""Inverses, and maps of single points, that laws about cameras, skinning and warps are stated with."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.lbs import blend_transforms, inverse_affine, transform_points
from sherf.scene import Camera


def unproject(
    camera: Camera, pixels: Float[Tensor, "*any point 2"], depth: Float[Tensor, "*any point"]
) -> Float[Tensor, "*view point 3"]:
    """Return the world-space point at a depth (along the camera's z axis, metres) behind each pixel."""
    K = camera.K[..., None, :, :]
    y = (pixels[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    x = (pixels[..., 0] - K[..., 0, 2] - K[..., 0, 1] * y) / K[..., 0, 0]
    points = torch.stack([x * depth, y * depth, depth], dim=-1)
    return torch.einsum("...ji,...pj->...pi", camera.R, points - camera.T[..., None, :])


def unskin(
    points_posed: Float[Tensor, "*#frame vertex 3"],
    weights: Float[Tensor, "*#frame vertex joint"],
    transforms: Float[Tensor, "*#frame joint 4 4"],
) -> Float[Tensor, "*frame vertex 3"]:
    """Return the rest pose's points from posed ones whose weights are known."""
    return transform_points(inverse_affine(blend_transforms(weights, transforms)), points_posed)


def warp_points(
    points: Float[Tensor, "*frame point 3"],
    vertex: Int[Tensor, "*frame point"],
    warp: Float[Tensor, "*around vertex 4 4"],
) -> Float[Tensor, "*frame point 3"]:
    """Apply to each world-space point the transform of its vertex; a warp without frame axes serves all frames."""
    return transform_points(_of_vertex(warp, vertex), points)


def warp_directions(
    directions: Float[Tensor, "*frame point 3"],
    vertex: Int[Tensor, "*frame point"],
    warp: Float[Tensor, "*around vertex 4 4"],
) -> Float[Tensor, "*frame point 3"]:
    """Apply to each world-space direction the linear part of its vertex's transform, without normalising."""
    return torch.einsum("...ij,...j->...i", _of_vertex(warp, vertex)[..., :3, :3], directions)


def _of_vertex(
    warp: Float[Tensor, "*around vertex 4 4"], vertex: Int[Tensor, "*frame point"]
) -> Float[Tensor, "*frame point 4 4"]:
    if warp.ndim == 3:
        return warp[vertex]
    return torch.take_along_dim(warp, vertex[..., None, None], dim=-3)
