"""Legs of a moving body: measuring hips, knees, ankles and soles, and solving for given ankle positions."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import joint_index
from sherf.motion.motion import Motion, as_tensor
from sherf.scene import BodyPose

LEGS = [[joint_index(f"{side}_{name}") for name in ("hip", "knee", "ankle")] for side in ("left", "right")]
FEET = [[joint_index(f"{side}_{name}") for name in ("ankle", "foot")] for side in ("left", "right")]
SOLE_TILTS = (0.0, 0.1, 0.4, 0.8, 1.4, 2.0, 2.6)
"""Radians between foot and ground, towards eight sides each, for which the lowest vertices of hind foot and toes are
sole vertices: from flat to the foot pointing up."""
CONTACT_DEPTH_M = 0.004
"""Height above the lowest sole vertex at which a vertex's contact weight has dropped to 1/e."""
MAX_EXTENSION = 0.992
"""Share of its length to which a leg is stretched, a knee angle of 15 degrees, unless the motion has it straighter:
close to 1 the knee angle changes fast."""
KNEE_AXIS_WEIGHT = 0.1
"""Weight of the thigh's own x axis in the knee's rotation axis. The normal of the leg's plane dominates while the sine
of the knee angle exceeds this; in a straight leg the plane is undefined."""
NEGLIGIBLE_M = 1e-5
"""Frames whose pelvis and ankles move by less are left unchanged."""
MAX_POSED_FRAMES = 2048
"""Frames posed at once, which bounds memory."""


@dataclass(frozen=True)
class Legs:
    """Both legs, left then right, throughout a motion. World space, y up, metres; the ground is at y = 0."""

    joints: Float[np.ndarray, "frame 2 3 3"]
    """Positions of hip, knee and ankle."""
    rotations: Float[np.ndarray, "frame 2 3 3 3"]
    """World rotations of thigh, shin and foot, from the rest pose."""
    pelvis_rotations: Float[np.ndarray, "frame 3 3"]
    """World rotations of the pelvis."""
    sole_heights: Float[np.ndarray, "frame 2"]
    """Heights of the soles' lowest points."""
    sole_slides: Float[np.ndarray, "frame 2 2"]
    """Accumulated horizontal displacement (x, z) of the sole's points in contact; a rolling foot does not slide."""
    hip_height: float
    """At rest."""

    @property
    def lengths(
        self,
    ) -> tuple[Float[np.ndarray, "frame 2"], Float[np.ndarray, "frame 2"], Float[np.ndarray, "frame 2"]]:
        """Lengths of thigh and shin, and the distance from hip to ankle."""
        hip, knee, ankle = np.moveaxis(self.joints, 2, 0)
        thigh, shin, hip_to_ankle = (np.linalg.norm(x, axis=-1) for x in (knee - hip, ankle - knee, ankle - hip))
        return thigh, shin, hip_to_ankle

    @property
    def reach(self) -> Float[np.ndarray, "frame 2"]:
        """Largest distance allowed from hip to ankle."""
        thigh, shin, hip_to_ankle = self.lengths
        return np.maximum(hip_to_ankle, MAX_EXTENSION * (thigh + shin))


def measure_legs(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Legs:
    """Measure the legs of a body that plays a motion.

    Args:
        motion: at the body's scale and on its ground.
        body: the body model that plays it.
        betas: the body's shape, on the body's device.

    Returns:
        Positions and rotations of both legs in every frame.
    """
    shape, count = body.rest_vertices(betas), len(motion)
    ground = float(shape[:, 1].amin())
    soles = [_sole_vertices(body, shape, feet) for feet in FEET]
    joints, rotations = np.empty((count, 2, 3, 3)), np.empty((count, 2, 3, 3, 3))
    pelvis = np.empty((count, 3, 3))
    heights, steps = np.empty((count, 2)), np.zeros((count, 2, 2))
    for start in range(0, count, MAX_POSED_FRAMES):
        # one frame more, for the slide of the last one
        chunk = slice(start, min(start + MAX_POSED_FRAMES + 1, count))
        points, positions, transforms = _pose_frames(motion, body, betas, chunk, torch.cat(soles))
        joints[chunk], rotations[chunk] = positions[:, LEGS], transforms[:, LEGS, :3, :3]
        pelvis[chunk] = transforms[:, 0, :3, :3]
        for foot, sole in enumerate(np.split(points, [len(soles[0])], axis=1)):
            heights[chunk, foot] = sole[..., 1].min(axis=-1)
            steps[start + 1 : chunk.stop, foot] = _contact_slides(sole)
    joints[..., 1] -= ground
    hip_height = float(body.rest_joints(betas)[[leg[0] for leg in LEGS], 1].mean()) - ground
    return Legs(joints, rotations, pelvis, heights - ground, steps.cumsum(axis=0), hip_height)


def _pose_frames(
    motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"], frames: slice, vertices: Int[Tensor, " point"]
) -> tuple[Float[np.ndarray, "frame point 3"], Float[np.ndarray, "frame 24 3"], Float[np.ndarray, "frame 24 4 4"]]:
    """Return posed vertices, joint positions and joint transforms, in double precision."""
    joints, trajectory = motion.joints[frames].to(body.device), motion.translation[frames].to(body.device)
    identity = torch.eye(3, device=body.device).expand(len(trajectory), 3, 3)
    pose = BodyPose(betas.expand(len(trajectory), -1), joints, identity, trajectory)
    points, positions, transforms = (x.cpu().double().numpy() for x in body.pose_vertices(pose, vertices))
    return points, positions, transforms


def _sole_vertices(body: BodyModel, shape: Float[Tensor, "vertex 3"], feet: list[int]) -> Int[Tensor, " point"]:
    """Return the vertices of a foot that touch the ground first, for any tilt of the foot, toes bent or straight."""
    sides = torch.arange(8, device=shape.device) * (torch.pi / 4)
    tilts = shape.new_tensor(SOLE_TILTS)[:, None]
    x, y, z = tilts.sin() * sides.cos(), -tilts.cos() + 0 * sides, tilts.sin() * sides.sin()
    depth = shape @ torch.stack([x, y, z]).flatten(start_dim=1)
    lowest = [depth.where(body.weights[:, joint, None] > 0.5, -torch.inf).argmax(dim=0) for joint in feet]
    return torch.cat(lowest).unique()


def _contact_slides(sole: Float[np.ndarray, "frame point 3"]) -> Float[np.ndarray, "step 2"]:
    """Return the horizontal displacement (x, z) between frames of the points in contact, averaged by contact weight."""
    height = sole[..., 1]
    weights = np.exp((height.min(axis=-1, keepdims=True) - height) / CONTACT_DEPTH_M)
    weights /= weights.sum(axis=-1, keepdims=True)
    return (np.diff(sole[..., [0, 2]], axis=0) * ((weights[1:] + weights[:-1]) / 2)[..., None]).sum(axis=1)


def solve_legs(
    motion: Motion, legs: Legs, pelvis_offset: Float[np.ndarray, " frame"], ankles: Float[np.ndarray, "frame 2 3"]
) -> Motion:
    """Raise the pelvis and bend the legs so that the ankles reach given positions, as far as the legs' reach allows.

    Args:
        motion: the motion to change.
        legs: measured in `motion`.
        pelvis_offset: vertical, metres.
        ankles: target positions in the frame of `legs`, metres.

    Returns:
        The motion with changed height of the pelvis and changed hip, knee and ankle rotations; feet keep their world
        rotations, all else is unchanged.
    """
    change = np.abs(ankles - legs.joints[:, :, 2]).max(axis=(1, 2)).clip(np.abs(pelvis_offset))
    is_moved = change > NEGLIGIBLE_M
    if not is_moved.any():
        return motion
    rotations = _solve_rotations(legs, legs.joints[:, :, 0] + pelvis_offset[:, None, None] * [0.0, 1.0, 0.0], ankles)
    pelvis = np.broadcast_to(legs.pelvis_rotations[:, None, None], (*rotations.shape[:2], 1, 3, 3))
    parents = np.concatenate([pelvis, rotations[:, :, :2]], axis=2)
    local = (np.swapaxes(parents, -1, -2) @ rotations)[is_moved].reshape(-1, 3, 3)
    rotation_vectors = Rotation.from_matrix(local, assume_valid=True).as_rotvec().reshape(-1, 2, 3, 3)
    joints, translation = motion.joints.clone(), motion.translation.clone()
    frames = torch.from_numpy(np.flatnonzero(is_moved))
    joints[frames[:, None, None], torch.tensor(LEGS)] = as_tensor(rotation_vectors)
    translation[frames, 1] += as_tensor(pelvis_offset[is_moved])
    return replace(motion, joints=joints, translation=translation)


def _solve_rotations(
    legs: Legs, hips: Float[np.ndarray, "frame 2 3"], ankles: Float[np.ndarray, "frame 2 3"]
) -> Float[np.ndarray, "frame 2 3 3 3"]:
    """Return world rotations of thighs, shins and feet for given hip and ankle positions.

    Analytic two-bone inverse kinematics (law of cosines): knees bend in their current planes, then each leg swings to
    the target by the least rotation. Feet keep their world rotations.
    """
    hip, knee, ankle = np.moveaxis(legs.joints, 2, 0)
    thigh, shin, distance = legs.lengths
    target_distance = np.linalg.norm(ankles - hips, axis=-1).clip(np.abs(thigh - shin) + 1e-3, legs.reach)
    direction, target_direction = _normalise(ankle - hip), _normalise(ankles - hips)
    sideways = legs.rotations[:, :, 0, :, 0]
    sideways = sideways - (sideways * direction).sum(axis=-1, keepdims=True) * direction
    knee_axis = _normalise(np.cross(_normalise(knee - hip), _normalise(ankle - knee)) + KNEE_AXIS_WEIGHT * sideways)
    # change of the angles at hip and ankle in the triangle hip, knee, ankle
    at_hip, at_ankle = (
        _triangle_angle(a, target_distance, b) - _triangle_angle(a, distance, b)
        for a, b in ((thigh, shin), (shin, thigh))
    )
    axis = np.cross(direction, target_direction)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    cosine = (direction * target_direction).sum(axis=-1, keepdims=True)
    swing = _rotation_matrices(axis * np.arctan2(sine, cosine) / sine.clip(1e-12))
    rotations = legs.rotations.copy()
    rotations[:, :, 0] = swing @ _rotation_matrices(-at_hip[..., None] * knee_axis) @ rotations[:, :, 0]
    rotations[:, :, 1] = swing @ _rotation_matrices(at_ankle[..., None] * knee_axis) @ rotations[:, :, 1]
    return rotations


def _triangle_angle(
    a: Float[np.ndarray, "frame 2"], b: Float[np.ndarray, "frame 2"], opposite: Float[np.ndarray, "frame 2"]
) -> Float[np.ndarray, "frame 2"]:
    """Return the angle between sides a and b of a triangle, by the law of cosines."""
    return np.arccos(((a**2 + b**2 - opposite**2) / (2 * a * b)).clip(-1, 1))


def _rotation_matrices(vectors: Float[np.ndarray, "frame 2 3"]) -> Float[np.ndarray, "frame 2 3 3"]:
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)


def _normalise(vectors: Float[np.ndarray, "frame 2 3"]) -> Float[np.ndarray, "frame 2 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-9)
