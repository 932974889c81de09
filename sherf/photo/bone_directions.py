"""Directions of a person's bones in 3D, with their uncertainty, from the detected landmarks.

BlazePose's world landmarks give directions to within some 20 degrees. An ensemble of small fully connected networks
that lift 2D poses (after Martinez et al. 2017), which here also receive the world landmarks and predict a variance,
halves that error on rendered people. `python benchmarks/learn_bone_directions.py` makes bone_directions.npz.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.skeleton import mirrored_name
from sherf.photo import landmarks as marks
from sherf.photo.detect import PersonLandmarks

Weights = Mapping[str, Tensor]
LAYERS = 4
MIN_STD = 0.1
"""Lower bound of the predicted standard deviations, radians."""
MIRROR = torch.tensor([-1.0, 1.0, 1.0])
POINTS_OF_OTHER_SIDE = [marks.INDEX[mirrored_name(mark.name)] for mark in marks.LANDMARKS]
_OTHERS = [(mirrored_name(start), mirrored_name(end)) for start, end in marks.BONES]
# A bone across the body is its own mirror image with start and end swapped.
BONES_OF_OTHER_SIDE = [marks.BONES.index(bone if bone in marks.BONES else bone[::-1]) for bone in _OTHERS]
BONE_SIGNS = torch.tensor([1.0 if bone in marks.BONES else -1.0 for bone in _OTHERS])


def estimate_bone_directions(
    person: PersonLandmarks, size: tuple[int, int], focal: float
) -> tuple[Float[Tensor, "bone 3"], Float[Tensor, " bone"]]:
    """Estimate the directions of `landmarks.BONES` with the shipped networks.

    Args:
        person: detected landmarks.
        size: height and width of the image, px.
        focal: focal length of its camera, px.

    Returns:
        Unit vectors in camera axes, and the standard deviation of each direction, radians.
    """
    points = marks.from_blazepose(person.landmarks)
    seen, world = marks.from_blazepose(person.visibility), marks.from_blazepose(person.world)
    with torch.no_grad():
        directions, variance = predict(load_weights(), points[None], world[None], seen[None])
    ray = torch.cat([points.mean(dim=0) - torch.tensor([size[1] / 2, size[0] / 2]), torch.tensor([focal])])
    return directions[0] @ ray_to_camera_rotation(ray).T, variance[0].sqrt().clamp_min(MIN_STD)


def predict(
    weights: Weights,
    points: Float[Tensor, "person landmark 2"],
    world: Float[Tensor, "person landmark 3"],
    seen: Float[Tensor, "person landmark"],
) -> tuple[Float[Tensor, "person bone 3"], Float[Tensor, "person bone"]]:
    """Predict bone directions with an ensemble, averaged over the landmarks and their mirror image.

    The variance is the mean of the predicted variances plus the disagreement of the predictions.

    Args:
        weights: of the networks, as `load_weights` returns them.
        points: `landmarks.LANDMARKS`, px.
        world: the same landmarks as BlazePose gives them, metres, camera axes.
        seen: their visibility, in [0, 1].

    Returns:
        Unit vectors in axes whose z is the ray towards the person (see `ray_to_camera_rotation`), and the variance
        along each of the two axes perpendicular to the bone, radians squared.
    """
    plain = predict_each_member(weights, points, world, seen)
    directions, log_variance = predict_each_member(weights, *mirror_landmarks(points, world, seen))
    predictions = torch.cat([plain[0], mirror_bones(directions)])
    variances = torch.cat([plain[1], log_variance[..., BONES_OF_OTHER_SIDE]]).exp()
    mean = predictions.mean(dim=0)
    disagreement = (predictions - mean).square().sum(dim=-1).mean(dim=0) / 2  # two axes perpendicular to a direction
    return F.normalize(mean, dim=-1), variances.mean(dim=0) + disagreement


def predict_each_member(
    weights: Weights,
    points: Float[Tensor, "*member person landmark 2"],
    world: Float[Tensor, "*member person landmark 3"],
    seen: Float[Tensor, "*member person landmark"],
) -> tuple[Float[Tensor, "member person bone 3"], Float[Tensor, "member person bone"]]:
    """Return each network's own prediction.

    Args:
        weights: of the networks, with a leading member axis.
        points: `landmarks.LANDMARKS`, px.
        world: the same landmarks, metres, camera axes.
        seen: their visibility, in [0, 1].

    Returns:
        Unit vectors in axes whose z is the ray towards the person, and the logarithms of their variances.
    """
    x = (network_input(points, world, seen) - weights["mean"]) / weights["spread"]
    for layer in range(LAYERS):
        x = x @ weights[f"weight{layer}"] + weights[f"bias{layer}"]
        if layer < LAYERS - 1:
            x = F.gelu(x)
    out = x.unflatten(-1, (len(marks.BONES), 4))
    return F.normalize(bone_unit_vectors(world) + out[..., :3], dim=-1), out[..., 3]


def network_input(
    points: Float[Tensor, "*person landmark 2"],
    world: Float[Tensor, "*person landmark 3"],
    seen: Float[Tensor, "*person landmark"],
) -> Float[Tensor, "*person feature"]:
    """Return the networks' input: landmarks in px centred and scaled to unit size, world landmarks, visibilities.

    Centring and scaling discard position and size in the image, as under weak perspective.

    Args:
        points: `landmarks.LANDMARKS`, px.
        world: the same landmarks, metres, camera axes.
        seen: their visibility, in [0, 1].
    """
    centred = points - points.mean(dim=-2, keepdim=True)
    return torch.cat([(centred / rms_radius(points)).flatten(-2), world.flatten(-2), seen], dim=-1)


def rms_radius(points: Float[Tensor, "*person landmark 2"]) -> Float[Tensor, "*person 1 1"]:
    """Return the root mean square distance of the points from their mean, px."""
    centred = points - points.mean(dim=-2, keepdim=True)
    return centred.square().sum(dim=-1).mean(dim=-1).sqrt().clamp_min(1e-6)[..., None, None]


def bone_unit_vectors(points: Float[Tensor, "*person landmark 3"]) -> Float[Tensor, "*person bone 3"]:
    """Return unit vectors from start to end of `landmarks.BONES`, in the axes of the points."""
    return F.normalize(points[..., marks.BONE_ENDS, :] - points[..., marks.BONE_STARTS, :], dim=-1, eps=1e-6)


def mirror_landmarks(
    points: Float[Tensor, "*person landmark 2"],
    world: Float[Tensor, "*person landmark 3"],
    seen: Float[Tensor, "*person landmark"],
) -> tuple[Float[Tensor, "*person landmark 2"], Float[Tensor, "*person landmark 3"], Float[Tensor, "*person landmark"]]:
    """Return the landmarks as they would be detected in the mirrored image.

    Args:
        points: `landmarks.LANDMARKS`, px from the image's centre line.
        world: the same landmarks, metres, camera axes.
        seen: their visibility, in [0, 1].

    Returns:
        Points, world landmarks and visibilities, left and right swapped.
    """
    points, world = points[..., POINTS_OF_OTHER_SIDE, :] * MIRROR[:2], world[..., POINTS_OF_OTHER_SIDE, :] * MIRROR
    return points, world, seen[..., POINTS_OF_OTHER_SIDE]


def mirror_bones(directions: Float[Tensor, "*person bone 3"]) -> Float[Tensor, "*person bone 3"]:
    """Return the directions of `landmarks.BONES` in the mirrored image, left and right swapped."""
    return directions[..., BONES_OF_OTHER_SIDE, :] * BONE_SIGNS[:, None] * MIRROR


def ray_to_camera_rotation(ray: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """Return R_camera_ray: the smallest rotation that takes the camera's z axis to the direction of a ray.

    Args:
        ray: camera axes, any length, z positive.
    """
    z = F.normalize(ray, dim=0)
    axis = torch.tensor([-z[1], z[0], 0.0])  # axis x z
    cross = torch.tensor([[0.0, 0.0, axis[1]], [0.0, 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return torch.eye(3) + cross + cross @ cross / (1 + z[2])


@cache
def load_weights() -> Weights:
    """Return the shipped networks' weights, read once per process."""
    with as_file(files("sherf.photo") / "bone_directions.npz") as path, np.load(path, allow_pickle=False) as read:
        return {name: torch.from_numpy(read[name]).float() for name in read.files}
