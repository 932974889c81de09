"""What a fit makes small: how far a body is from what pictures say of it. Over free leading frame axes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import axis_angle_to_matrix
from sherf.camera.image import in_frame
from sherf.photo import landmarks as marks
from sherf.photo.bone_directions import along_bones, bone_directions
from sherf.photo.detect import Sighting
from sherf.photo.outline import robust
from sherf.photo.pose_prior import pose_energy
from sherf.scene import BodyPose

PITCH_SPREAD = 0.15  # radians: photographers hold the camera nearly level
UNSEEN, SEEN = 0.2, 0.7  # visibility below which a landmark is not believed, and above which it is wholly
FIRM = 16.0  # a landmark that the user placed counts so much more, and is never taken for a mistake
NEAREST_M = 0.1  # to the camera

# Weights of the energy's terms, in three phases: the directions of the bones lead, the landmarks take over, and
# where there is an outline it is trusted more than landmarks, which are off by 1 to 2 % of the height.
DIRECTIONS = (1.0, 0.25, 0.25)
LANDMARKS = (1500.0, 1500.0, 300.0)
LANDMARK_SCALE = (0.3, 0.08, 0.08)  # an error beyond this is believed to be a mistake
POSE, SHAPE, BALANCE = 0.012, 0.03, 60.0


@dataclass(frozen=True)
class Evidence:
    """What pictures say, and how far to believe it."""

    target: Float[Tensor, "*frame landmark 2"]
    """Landmarks, px."""
    weight: Float[Tensor, "*frame landmark"]
    firm: Bool[Tensor, " landmark"]
    """Placed by the user."""
    directions: Float[Tensor, "*frame bone 3"]
    """Of the bones, camera axes, unit length."""
    direction_weight: Float[Tensor, "*frame bone"]
    """1 / (2 variance), radians."""
    focal: float
    """px."""
    centre: Float[Tensor, " 2"]
    """Principal point, px."""
    height: Float[Tensor, "*frame"]
    """Of the person, px."""
    balance: Float[Tensor, "*frame"]
    """How far balance over the feet is believed: less where they are not seen and the person may lean or sit."""


@dataclass(frozen=True)
class Unknowns:
    """What the optimiser changes."""

    joints: Float[Tensor, "*frame 24 3"]
    betas: Float[Tensor, " 10"]
    translation: Float[Tensor, "*frame 3"]
    """Of the camera, metres."""
    pitch: Float[Tensor, ""]
    """By which the camera looks down, radians."""

    @property
    def pose(self) -> BodyPose:
        """Of the body, at its own origin."""
        frame = self.joints.shape[:-2]
        return BodyPose(
            self.betas.expand(*frame, -1), self.joints, torch.eye(3).expand(*frame, 3, 3), torch.zeros(*frame, 3)
        )


def gather(
    body: BodyModel, person: Sighting, size: tuple[int, int], focal: float, placed: tuple[str, ...] = ()
) -> Evidence:
    """What the detector says of one person.

    Args:
        size: height and width of the picture, px.
        focal: of the camera, px.
        placed: names of the landmarks that the user placed.
    """
    target = marks.observed(person.landmarks)
    firm = torch.zeros(len(target), dtype=torch.bool)
    firm[[marks.INDEX[name] for name in placed]] = True
    # Hidden landmarks are guesses of the detector, and those outside the photo more so: there the prior speaks.
    certainty = ((marks.observed(person.visibility) - UNSEEN) / (SEEN - UNSEEN)).clamp(0.0, 1.0)
    inside = torch.where(in_frame(target, size) | firm, 1.0, 0.05) * marks.known_on(body)
    trust = certainty * inside
    directions, spread = bone_directions(person, size, focal)
    starts, ends = marks.BONE_STARTS, marks.BONE_ENDS
    # where the detector was wrong about a landmark it is about its bones
    believed = torch.minimum(inside[starts], inside[ends]) * ~(firm[starts] | firm[ends])
    ankles = [marks.INDEX["left_ankle"], marks.INDEX["right_ankle"]]
    return Evidence(
        target=target,
        weight=marks.WEIGHTS * trust.clamp_min(1e-4) * torch.where(firm, FIRM, 1.0),
        firm=firm,
        directions=directions,
        direction_weight=believed / (2 * spread.square()),
        focal=focal,
        centre=torch.tensor([size[1] / 2, size[0] / 2]),
        height=person_height(target),
        balance=trust[ankles].mean().clamp_min(0.3),
    )


def person_height(target: Float[Tensor, "landmark 2"]) -> Float[Tensor, ""]:
    """From the eyes to the heels, and of lying or stretched people by their width, px."""
    extent = target.amax(0) - target.amin(0)
    return torch.maximum(1.08 * extent[1], 0.7 * extent[0])


def body_energy(
    unknowns: Unknowns, points: Float[Tensor, "*frame landmark 3"], evidence: Evidence, phase: int
) -> Tensor:
    """Landmarks, directions of bones, the priors of pose and shape, and balance, of each frame.

    Args:
        points: the body's landmarks (`landmarks.on_body`), world space.
    """
    R = camera_rotation(unknowns.pitch)
    error = (on_picture(points, R, unknowns, evidence) - evidence.target) / evidence.height[..., None, None]
    squared = error.square().sum(dim=-1)
    misses = torch.where(evidence.firm, squared, robust(squared, LANDMARK_SCALE[phase]))
    total = LANDMARKS[phase] * (evidence.weight * misses).sum(dim=-1)
    bones = along_bones(points) @ R.T
    turns = (bones - evidence.directions).square().sum(dim=-1)
    total = total + DIRECTIONS[phase] * (evidence.direction_weight * turns).sum(dim=-1)
    total = total + POSE * pose_energy(unknowns.joints) + SHAPE * unknowns.betas.square().sum()
    total = total + 0.5 * (unknowns.pitch / PITCH_SPREAD).square()
    unbalanced = marks.imbalance(points).square().sum(dim=-1)
    return total + BALANCE * evidence.balance * robust(unbalanced, 0.2)


def on_picture(
    points: Float[Tensor, "*frame point 3"], R: Float[Tensor, "3 3"], unknowns: Unknowns, evidence: Evidence
) -> Float[Tensor, "*frame point 2"]:
    """Pixels of world points; what comes too near to the camera is held before it, with gradients."""
    in_camera = points @ R.T + unknowns.translation[..., None, :]
    return evidence.focal * in_camera[..., :2] / in_camera[..., 2:].clamp_min(NEAREST_M) + evidence.centre


Y_UP = torch.tensor([1.0, -1.0, -1.0])  # the axes of a level camera in a y-up world: it looks along -z


def camera_rotation(pitch: Float[Tensor, ""]) -> Float[Tensor, "3 3"]:
    """Return the world-to-camera rotation of a camera that looks down by `pitch` radians, in a y-up world."""
    return axis_angle_to_matrix(F.pad(pitch[None], (0, 2))) * Y_UP


def camera_pitch(R: Float[Tensor, "3 3"]) -> Float[Tensor, ""]:
    """Return by how much a camera of `camera_rotation` looks down, radians."""
    return torch.atan2(-R[2, 1], -R[1, 1])
