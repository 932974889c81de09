"""Carry points from one posed body to another by the nearest vertex: posed -> canonical -> observation.

Every point follows its nearest vertex rigidly through inverse LBS, out of that vertex's shape and pose offsets, into
the other body's offsets, and through LBS again. With the canonical body `model.pose(model.big_pose())`:

    to_canonical = vertex_warp(posed, canonical)        # vertex: nearest in posed.vertices
    to_observation = vertex_warp(canonical, observed)   # vertex: nearest in canonical.vertices

The search for the nearest vertex is elsewhere.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.lbs import affine, blend_transforms, inverse_affine, transform_directions, transform_points
from sherf.scene import PosedBody


def vertex_warp(source: PosedBody, destination: PosedBody) -> Float[Tensor, "*frame vertex 4 4"]:
    """What happens to the space around each vertex between two bodies of one model, world -> world.

    Leading frame axes broadcast: one canonical body serves many posed ones. The 3x3 part is a blend of rotations, not
    a rotation: directions that pass through it are not of unit length any more.
    """
    shift = destination.offsets - source.offsets
    identity = torch.eye(3, dtype=shift.dtype, device=shift.device).expand(*shift.shape, 3)
    rest_from_source = inverse_affine(blend_transforms(source.weights, source.T_world_rest))
    destination_from_rest = blend_transforms(destination.weights, destination.T_world_rest)
    return destination_from_rest @ affine(identity, shift) @ rest_from_source


def warp_points(
    points: Float[Tensor, "*frame point 3"],
    vertex: Int[Tensor, "*frame point"],
    warp: Float[Tensor, "*around vertex 4 4"],
) -> Float[Tensor, "*frame point 3"]:
    """Carry world-space points, each by the map of its vertex. A warp without frame axes serves all frames."""
    return transform_points(_of_vertex(warp, vertex), points)


def warp_directions(
    directions: Float[Tensor, "*frame point 3"],
    vertex: Int[Tensor, "*frame point"],
    warp: Float[Tensor, "*around vertex 4 4"],
) -> Float[Tensor, "*frame point 3"]:
    """Carry world-space directions likewise, without normalising."""
    return transform_directions(_of_vertex(warp, vertex), directions)


def _of_vertex(
    warp: Float[Tensor, "*around vertex 4 4"], vertex: Int[Tensor, "*frame point"]
) -> Float[Tensor, "*frame point 4 4"]:
    """The rows of `warp` that each point asks for."""
    if warp.ndim == 3:
        return warp[vertex]
    return torch.take_along_dim(warp, vertex[..., None, None], dim=-3)
