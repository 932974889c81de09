"""Where a person's bones point in space, from the detector's landmarks: a small network that knows its mistakes.

BlazePose's world landmarks tell directions to some 20 degrees. Lifting of 2D poses by a plain network (Martinez et al.
2017), which here also sees the world landmarks and answers with a variance, halves that on rendered people.
`python benchmarks/learn_bone_directions.py` makes bone_directions.npz.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.skeleton import mirrored_name
from sherf.photo import landmarks as marks
from sherf.photo.detect import Sighting

Weights = Mapping[str, Tensor]
LAYERS = 4
LEAST_SPREAD = 0.1
"""Radians: no answer is believed to be nearer than that."""
MIRROR = torch.tensor([-1.0, 1.0, 1.0])
POINTS_OF_OTHER_SIDE = [marks.INDEX[mirrored_name(mark.name)] for mark in marks.LANDMARKS]
_OTHERS = [(mirrored_name(start), mirrored_name(end)) for start, end in marks.BONES]
# a bone across the body is its own mirror image, from its end to its start
BONES_OF_OTHER_SIDE = [marks.BONES.index(bone if bone in marks.BONES else bone[::-1]) for bone in _OTHERS]
BONE_SIGNS = torch.tensor([1.0 if bone in marks.BONES else -1.0 for bone in _OTHERS])


def bone_directions(
    sighting: Sighting, size: tuple[int, int], focal: float
) -> tuple[Float[Tensor, "bone 3"], Float[Tensor, " bone"]]:
    """Directions of `landmarks.BONES`, unit length, camera axes, and the spread of each, radians.

    Args:
        size: height and width of the picture, px.
        focal: of its camera, px.
    """
    points = marks.observed(sighting.landmarks)
    seen, world = marks.observed(sighting.visibility), marks.observed(sighting.world)
    with torch.no_grad():
        directions, variance = predict(learned(), points[None], world[None], seen[None])
    towards = torch.cat([points.mean(dim=0) - torch.tensor([size[1] / 2, size[0] / 2]), torch.tensor([focal])])
    return directions[0] @ ray_frame(towards).T, variance[0].sqrt().clamp_min(LEAST_SPREAD)


def predict(
    weights: Weights,
    points: Float[Tensor, "person landmark 2"],
    world: Float[Tensor, "person landmark 3"],
    seen: Float[Tensor, "person landmark"],
) -> tuple[Float[Tensor, "person bone 3"], Float[Tensor, "person bone"]]:
    """Directions relative to the ray towards the person, and their variance in a coordinate, radians squared.

    Several networks answer, to the picture and to its mirror image; where they disagree the variance is larger.

    Args:
        points: `landmarks.LANDMARKS`, px.
        world: likewise, metres, as BlazePose gives them.
        seen: visibility, in [0, 1].
    """
    straight = of_each(weights, points, world, seen)
    directions, log_variance = of_each(weights, *landmarks_in_mirror(points, world, seen))
    answers = torch.cat([straight[0], bones_in_mirror(directions)])
    variances = torch.cat([straight[1], log_variance[..., BONES_OF_OTHER_SIDE]]).exp()
    mean = answers.mean(dim=0)
    apart = (answers - mean).square().sum(dim=-1).mean(dim=0) / 2  # two coordinates across a direction
    return F.normalize(mean, dim=-1), variances.mean(dim=0) + apart


def of_each(
    weights: Weights,
    points: Float[Tensor, "*member person landmark 2"],
    world: Float[Tensor, "*member person landmark 3"],
    seen: Float[Tensor, "*member person landmark"],
) -> tuple[Float[Tensor, "member person bone 3"], Float[Tensor, "member person bone"]]:
    """What each network says: directions, unit length, and the logarithms of their variances."""
    x = (features(points, world, seen) - weights["mean"]) / weights["spread"]
    for layer in range(LAYERS):
        x = x @ weights[f"weight{layer}"] + weights[f"bias{layer}"]
        if layer < LAYERS - 1:
            x = F.gelu(x)
    out = x.unflatten(-1, (len(marks.BONES), 4))
    return F.normalize(along_bones(world) + out[..., :3], dim=-1), out[..., 3]


def features(
    points: Float[Tensor, "*person landmark 2"],
    world: Float[Tensor, "*person landmark 3"],
    seen: Float[Tensor, "*person landmark"],
) -> Float[Tensor, "*person feature"]:
    """What the networks see: landmarks about their middle, in their own spread, as it were a weak perspective."""
    centred = points - points.mean(dim=-2, keepdim=True)
    return torch.cat([(centred / extent(points)).flatten(-2), world.flatten(-2), seen], dim=-1)


def extent(points: Float[Tensor, "*person landmark 2"]) -> Float[Tensor, "*person 1 1"]:
    """Root of the mean squared distance from their middle, px."""
    centred = points - points.mean(dim=-2, keepdim=True)
    return centred.square().sum(dim=-1).mean(dim=-1).sqrt().clamp_min(1e-6)[..., None, None]


def along_bones(points: Float[Tensor, "*person landmark 3"]) -> Float[Tensor, "*person bone 3"]:
    """Directions of the BONES, unit length."""
    return F.normalize(points[..., marks.BONE_ENDS, :] - points[..., marks.BONE_STARTS, :], dim=-1, eps=1e-6)


def landmarks_in_mirror(
    points: Float[Tensor, "*person landmark 2"],
    world: Float[Tensor, "*person landmark 3"],
    seen: Float[Tensor, "*person landmark"],
) -> tuple[Float[Tensor, "*person landmark 2"], Float[Tensor, "*person landmark 3"], Float[Tensor, "*person landmark"]]:
    """What is found in the mirrored picture; px from its middle."""
    points, world = points[..., POINTS_OF_OTHER_SIDE, :] * MIRROR[:2], world[..., POINTS_OF_OTHER_SIDE, :] * MIRROR
    return points, world, seen[..., POINTS_OF_OTHER_SIDE]


def bones_in_mirror(directions: Float[Tensor, "*person bone 3"]) -> Float[Tensor, "*person bone 3"]:
    """Where the bones point in the mirrored picture."""
    return directions[..., BONES_OF_OTHER_SIDE, :] * BONE_SIGNS[:, None] * MIRROR


def ray_frame(towards: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """The smallest rotation that turns a camera's axis towards a point: from axes about the ray to camera axes."""
    z = F.normalize(towards, dim=0)
    axis = torch.tensor([-z[1], z[0], 0.0])  # axis x z
    cross = torch.tensor([[0.0, 0.0, axis[1]], [0.0, 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return torch.eye(3) + cross + cross @ cross / (1 + z[2])


@cache
def learned() -> Weights:
    """The weights that ship."""
    read = np.load(files("sherf.photo") / "bone_directions.npz", allow_pickle=False)
    return {name: torch.from_numpy(read[name]).float() for name in read.files}
