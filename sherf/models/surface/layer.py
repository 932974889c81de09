"""A layer of matter that stands off the body: hair, brims, skirts, bags. A closed mesh, attached to the skeleton."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.lbs import blend_transforms, inverse_affine, skin, transform_points
from sherf.body.skeleton import NUM_JOINTS
from sherf.errors import BadInput
from sherf.models.packed_tensors import REMEDY, read_tensor
from sherf.scene import OnDevice, PosedBody

LARGEST_M = 100.0
"""Bound of the layer's coordinates in a file, metres."""


@dataclass(frozen=True)
class Layer(OnDevice):
    """A closed mesh in the rest pose of the person's own shape, skinned to the body's joints."""

    rest: Float[Tensor, "point 3"]
    """Rest pose, metres."""
    weights: Float[Tensor, "point 24"]
    """Skinning weights, rows sum to 1."""
    faces: Int[Tensor, "face 3"]
    """Counter-clockwise seen from outside."""

    def posed(self, body: PosedBody) -> Float[Tensor, "point 3"]:
        """Return the mesh's points in a pose, world space, metres."""
        return skin(self.rest, self.weights, body.T_world_rest)

    def rotations(self, source: PosedBody, destination: PosedBody) -> Float[Tensor, "point 3 3"]:
        """Return the linear part of the map around each point from one pose to another, world to world."""
        from_source = inverse_affine(blend_transforms(self.weights, source.T_world_rest))
        return (blend_transforms(self.weights, destination.T_world_rest) @ from_source)[:, :3, :3]


def to_rest(
    points: Float[Tensor, "point 3"], weights: Float[Tensor, "point 24"], body: PosedBody
) -> Float[Tensor, "point 3"]:
    """Return posed points in the rest pose: the inverse of linear blend skinning with the same weights.

    Args:
        points: world space, metres.
        weights: skinning weights, rows sum to 1.
        body: gives the pose.
    """
    return transform_points(inverse_affine(blend_transforms(weights, body.T_world_rest)), points)


def unpack_layer(source: Path, tensors: dict[str, Tensor]) -> Layer | None:
    """Return the layer in the tensors of an avatar file; None if there is none.

    Args:
        source: the file, for error messages.
        tensors: all tensors of the file.

    Raises:
        BadInput: a tensor is missing or does not fit the others.
    """
    if "layer.rest" not in tensors:
        return None
    rest = read_tensor(source, tensors, "layer.rest", (None, 3), largest=LARGEST_M)
    weights = read_tensor(source, tensors, "layer.weights", (len(rest), NUM_JOINTS), torch.float16, largest=1.01)
    faces = read_tensor(source, tensors, "layer.faces", (None, 3), torch.int32, largest=float(len(rest)))
    if bool((faces < 0).any()):
        raise BadInput(f"{source}: 'layer.faces' holds negative numbers. {REMEDY}")
    return Layer(rest, weights / weights.sum(dim=1, keepdim=True).clamp_min(0.5), faces.long())
