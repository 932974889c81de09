"""Transforms of the space around each vertex between two posed bodies: posed -> canonical -> observation.

Every point follows its nearest vertex rigidly through inverse LBS, removes that vertex's shape and pose offsets, adds
the other body's, and passes through LBS again. With the canonical body `model.pose(model.big_pose())`:

    to_canonical = vertex_warp(posed, canonical)        # vertex: nearest in posed.vertices
    to_observation = vertex_warp(canonical, observed)   # vertex: nearest in canonical.vertices

The render backends find the nearest vertex.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.lbs import affine, blend_transforms, inverse_affine
from sherf.scene import PosedBody


def vertex_warp(source: PosedBody, destination: PosedBody) -> Float[Tensor, "*frame vertex 4 4"]:
    """Return the affine transform around each vertex from one posed body to another, world space to world space.

    The 3x3 part is a blend of rotations, not a rotation: directions do not keep their length.

    Args:
        source: the body that the points surround.
        destination: another pose or shape of the same body model; frame axes broadcast with the source's, so one
            canonical body serves many posed ones.
    """
    shift = destination.offsets - source.offsets
    identity = torch.eye(3, dtype=shift.dtype, device=shift.device).expand(*shift.shape, 3)
    rest_from_source = inverse_affine(blend_transforms(source.weights, source.T_world_rest))
    destination_from_rest = blend_transforms(destination.weights, destination.T_world_rest)
    return destination_from_rest @ affine(identity, shift) @ rest_from_source
