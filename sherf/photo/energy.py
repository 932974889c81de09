"""The objective of the body fit: distance of a body from detections, and priors. For any leading frame axes.

The terms follow SMPLify (Bogo et al. 2016); the directions of the bones and the balance over the feet are added.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.camera.image import in_frame
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.photo import landmarks as marks
from sherf.photo.bone_directions import bone_unit_vectors, estimate_bone_directions
from sherf.photo.detect import PersonLandmarks
from sherf.photo.outline import robust
from sherf.photo.pose_prior import pose_energy
from sherf.scene import BodyPose

PITCH_STD = 0.15  # radians: photographers hold the camera nearly level
MIN_VISIBILITY, FULL_VISIBILITY = 0.2, 0.7  # a landmark's weight rises from 0 to 1 between these visibilities
PLACED_WEIGHT = 16.0  # of a landmark that the user placed, which is also never treated as an outlier
MIN_DEPTH_M = 0.1  # distance from the camera below which points are projected as if at this depth

# Weights of the terms in three phases: bone directions lead, then the landmarks take over. Where there is a mask, its
# outline is trusted more than the landmarks, whose error is 1 to 2 % of the person's height.
DIRECTIONS = (1.0, 0.25, 0.25)
LANDMARKS = (1500.0, 1500.0, 300.0)
LANDMARK_SCALE = (0.3, 0.08, 0.08)  # person heights: larger errors are treated as outliers
POSE, SHAPE, BALANCE = 0.012, 0.03, 60.0

Y_UP = torch.tensor([1.0, -1.0, -1.0])  # the axes of a level camera in a y-up world: it looks along -z


@dataclass(frozen=True)
class Observations:
    """What was detected, with weights: the data that a body is fitted to."""

    target: Float[Tensor, "*frame landmark 2"]
    """Observed `landmarks.LANDMARKS`, px."""
    weight: Float[Tensor, "*frame landmark"]
    """Weight of each landmark's reprojection error."""
    is_placed: Bool[Tensor, " landmark"]
    """Whether the user placed the landmark."""
    directions: Float[Tensor, "*frame bone 3"]
    """Unit vectors along `landmarks.BONES`, camera axes."""
    direction_weight: Float[Tensor, "*frame bone"]
    """1 / (2 variance) of the directions, radians^-2, lower where the landmarks are outside the image."""
    focal: float
    """Focal length, px."""
    centre: Float[Tensor, " 2"]
    """Principal point, px."""
    height: Float[Tensor, "*frame"]
    """Height of the person in the image, px."""
    balance: Float[Tensor, "*frame"]
    """Weight of the balance term: lower where the feet are not visible, since the person may then lean or sit."""


@dataclass(frozen=True)
class FitParameters:
    """The free parameters of a fit."""

    joints: Float[Tensor, "*frame 24 3"]
    """Joint rotations, axis-angle, radians."""
    betas: Float[Tensor, " 10"]
    """Shape coefficients, shared by all frames."""
    translation: Float[Tensor, "*frame 3"]
    """Translation from world to camera, metres."""
    pitch: Float[Tensor, ""]
    """Angle by which the camera looks down, radians."""

    @property
    def pose(self) -> BodyPose:
        """The body in world space, whose axes and origin are the body's own."""
        frame = self.joints.shape[:-2]
        return BodyPose(
            self.betas.expand(*frame, -1), self.joints, torch.eye(3).expand(*frame, 3, 3), torch.zeros(*frame, 3)
        )


def collect_observations(
    body: BodyModel, person: PersonLandmarks, size: tuple[int, int], focal: float, placed: tuple[str, ...] = ()
) -> Observations:
    """Return the detected landmarks of one person as weighted observations.

    Args:
        body: the body to be fitted; landmarks that it lacks get the lowest weight.
        person: detected landmarks.
        size: height and width of the image, px.
        focal: focal length of the camera, px.
        placed: names of the landmarks that the user placed.
    """
    target = marks.from_blazepose(person.landmarks)
    is_placed = torch.zeros(len(target), dtype=torch.bool)
    is_placed[[marks.INDEX[name] for name in placed]] = True
    # Hidden landmarks are guesses of the detector, and those outside the image more so: there the prior decides.
    visibility = marks.from_blazepose(person.visibility)
    certainty = ((visibility - MIN_VISIBILITY) / (FULL_VISIBILITY - MIN_VISIBILITY)).clamp(0.0, 1.0)
    inside = torch.where(in_frame(target, size) | is_placed, 1.0, 0.05) * marks.available_on(body)
    trust = certainty * inside
    directions, std = estimate_bone_directions(person, size, focal)
    starts, ends = marks.BONE_STARTS, marks.BONE_ENDS
    # Where the detector misplaced a landmark, the directions of its bones are wrong too.
    reliable = torch.minimum(inside[starts], inside[ends]) * ~(is_placed[starts] | is_placed[ends])
    ankles = [marks.INDEX["left_ankle"], marks.INDEX["right_ankle"]]
    return Observations(
        target=target,
        weight=marks.WEIGHTS * trust.clamp_min(1e-4) * torch.where(is_placed, PLACED_WEIGHT, 1.0),
        is_placed=is_placed,
        directions=directions,
        direction_weight=reliable / (2 * std.square()),
        focal=focal,
        centre=torch.tensor([size[1] / 2, size[0] / 2]),
        height=person_height(target),
        balance=trust[ankles].mean().clamp_min(0.3),
    )


def person_height(target: Float[Tensor, "landmark 2"]) -> Float[Tensor, ""]:
    """Return a person's height in the image, px, from eyes to heels; lying or stretched people go by their width."""
    extent = target.amax(0) - target.amin(0)
    return torch.maximum(1.08 * extent[1], 0.7 * extent[0])


def body_energy(
    parameters: FitParameters, points: Float[Tensor, "*frame landmark 3"], observations: Observations, phase: int
) -> Float[Tensor, "*frame"]:
    """Return the energy of each frame: reprojection, bone directions, the pose, shape and pitch priors, and balance.

    Args:
        parameters: the body and camera to judge.
        points: the body's landmarks (`landmarks.body_landmarks`), world space, metres.
        observations: what the body is compared with.
        phase: 0, 1 or 2: which weights apply.
    """
    R = camera_rotation(parameters.pitch)
    pixels = project_to_image(points, R, parameters, observations)
    error = (pixels - observations.target) / observations.height[..., None, None]
    squared = error.square().sum(dim=-1)
    misses = torch.where(observations.is_placed, squared, robust(squared, LANDMARK_SCALE[phase]))
    total = LANDMARKS[phase] * (observations.weight * misses).sum(dim=-1)
    bones = bone_unit_vectors(points) @ R.T
    deviations = (bones - observations.directions).square().sum(dim=-1)
    total = total + DIRECTIONS[phase] * (observations.direction_weight * deviations).sum(dim=-1)
    total = total + POSE * pose_energy(parameters.joints) + SHAPE * parameters.betas.square().sum()
    total = total + 0.5 * (parameters.pitch / PITCH_STD).square()
    unbalanced = marks.imbalance(points).square().sum(dim=-1)
    return total + BALANCE * observations.balance * robust(unbalanced, 0.2)


def project_to_image(
    points: Float[Tensor, "*frame point 3"],
    R: Float[Tensor, "3 3"],
    parameters: FitParameters,
    observations: Observations,
) -> Float[Tensor, "*frame point 2"]:
    """Return the pixel coordinates of world points; depths below `MIN_DEPTH_M` are clamped to it.

    Args:
        points: world space, metres.
        R: world-to-camera rotation.
        parameters: of which the translation is used.
        observations: of which focal length and principal point are used.
    """
    in_camera = points @ R.T + parameters.translation[..., None, :]
    return observations.focal * in_camera[..., :2] / in_camera[..., 2:].clamp_min(MIN_DEPTH_M) + observations.centre


def camera_rotation(pitch: Float[Tensor, ""]) -> Float[Tensor, "3 3"]:
    """Return the world-to-camera rotation of a camera that looks down by `pitch` radians, in a y-up world."""
    return axis_angle_to_matrix(F.pad(pitch[None], (0, 2))) * Y_UP


def camera_pitch(R: Float[Tensor, "3 3"]) -> Float[Tensor, ""]:
    """Return by how much a camera with rotation `R` from `camera_rotation` looks down, radians."""
    return torch.atan2(-R[2, 1], -R[1, 1])
