"""The legs of a body that moves: where they and their soles are, and bent so that the ankles come to other places."""

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
TILTS = (0.0, 0.1, 0.4, 0.8, 1.4, 2.0, 2.6)
"""Angles to the ground, to eight sides each, under which the lowest points of hind foot and toes are looked for."""
TOUCH_M = 0.004
"""What lies so much over the lowest point of a sole bears a third of what that bears."""
STRAIGHT = 0.992
"""Share of its length to which a leg is stretched at most, 15 degrees in the knee, unless it was straighter."""
HINGE = 0.1
"""Sine of the angle below which the knee's own axis says more about how it bends than thigh and shin do."""
NOTHING_M = 1e-5
CHUNK = 2048
"""Frames that are posed at once."""


@dataclass(frozen=True)
class Legs:
    """Both legs in a motion, left and right. Metres, the ground at y = 0."""

    joints: Float[np.ndarray, "frame 2 3 3"]
    """Hip, knee, ankle."""
    turns: Float[np.ndarray, "frame 2 3 3 3"]
    """World rotations of thigh, shin, foot."""
    pelvis: Float[np.ndarray, "frame 3 3"]
    """World rotations."""
    heights: Float[np.ndarray, "frame 2"]
    """Of the soles' lowest points."""
    slid: Float[np.ndarray, "frame 2 2"]
    """How far what touches the ground has slid since the motion began, x and z: nothing for a foot that rolls."""
    stature: float
    """The hips' height at rest."""

    @property
    def lengths(self) -> tuple[Float[np.ndarray, "frame 2"], ...]:
        """Of thigh, of shin, and from hip to ankle."""
        hip, knee, ankle = np.moveaxis(self.joints, 2, 0)
        return tuple(np.linalg.norm(x, axis=-1) for x in (knee - hip, ankle - knee, ankle - hip))

    @property
    def reach(self) -> Float[np.ndarray, "frame 2"]:
        """How far from its hip an ankle may be."""
        thigh, shin, whole = self.lengths
        return np.maximum(whole, STRAIGHT * (thigh + shin))


def legs_of(motion: Motion, body: BodyModel, betas: Float[Tensor, " 10"]) -> Legs:
    """The legs of a body of this shape that plays a motion, which is scaled to it and on its ground.

    Args:
        betas: on the body's device.
    """
    shape, count = body.shaped(betas), len(motion)
    ground = float(shape[:, 1].amin())
    soles = [_sole(body, shape, feet) for feet in FEET]
    joints, turns, pelvis = np.empty((count, 2, 3, 3)), np.empty((count, 2, 3, 3, 3)), np.empty((count, 3, 3))
    heights, steps = np.empty((count, 2)), np.zeros((count, 2, 2))
    for start in range(0, count, CHUNK):
        # one more, to tell how far the last one slides
        now = slice(start, min(start + CHUNK + 1, count))
        rotations, way = motion.joints[now].to(body.device), motion.translation[now].to(body.device)
        level = torch.eye(3, device=body.device).expand(len(way), 3, 3)
        posed = body.pose_vertices(BodyPose(betas.expand(len(way), -1), rotations, level, way), torch.cat(soles))
        points, places, transforms = (x.cpu().double().numpy() for x in posed)
        joints[now], turns[now], pelvis[now] = places[:, LEGS], transforms[:, LEGS, :3, :3], transforms[:, 0, :3, :3]
        for foot, sole in enumerate(np.split(points, [len(soles[0])], axis=1)):
            heights[now, foot] = sole[..., 1].min(axis=-1)
            steps[start + 1 : now.stop, foot] = _slides(sole)
    joints[..., 1] -= ground
    stature = float(body.rest_joints(betas)[[leg[0] for leg in LEGS], 1].mean()) - ground
    return Legs(joints, turns, pelvis, heights - ground, steps.cumsum(axis=0), stature)


def _sole(body: BodyModel, shape: Float[Tensor, "vertex 3"], feet: list[int]) -> Int[Tensor, " point"]:
    """Vertices with which a foot of this shape touches the ground first, however it is turned, its toes bent or not."""
    sides = torch.arange(8, device=shape.device) * (torch.pi / 4)
    tilts = shape.new_tensor(TILTS)[:, None]
    x, y, z = tilts.sin() * sides.cos(), -tilts.cos() + 0 * sides, tilts.sin() * sides.sin()
    depth = shape @ torch.stack([x, y, z]).flatten(start_dim=1)
    parts = [depth.where(body.weights[:, joint, None] > 0.5, -torch.inf).argmax(dim=0) for joint in feet]
    return torch.cat(parts).unique()


def _slides(sole: Float[np.ndarray, "frame point 3"]) -> Float[np.ndarray, "step 2"]:
    """How far the points that touch the ground slide from frame to frame, x and z."""
    height = sole[..., 1]
    bears = np.exp((height.min(axis=-1, keepdims=True) - height) / TOUCH_M)
    bears /= bears.sum(axis=-1, keepdims=True)
    return (np.diff(sole[..., [0, 2]], axis=0) * ((bears[1:] + bears[:-1]) / 2)[..., None]).sum(axis=1)


def reaching(
    motion: Motion, legs: Legs, raised: Float[np.ndarray, " frame"], ankles: Float[np.ndarray, "frame 2 3"]
) -> Motion:
    """The motion with its pelvis raised and its ankles in these places, as far as the legs reach; all else as it was.

    Args:
        legs: in the motion.
        raised: by how much, metres.
        ankles: over the ground, metres.
    """
    moved = np.abs(ankles - legs.joints[:, :, 2]).max(axis=(1, 2)).clip(np.abs(raised)) > NOTHING_M
    if not moved.any():
        return motion
    turns = _bent(legs, legs.joints[:, :, 0] + raised[:, None, None] * [0.0, 1.0, 0.0], ankles)
    pelvis = np.broadcast_to(legs.pelvis[:, None, None], (*turns.shape[:2], 1, 3, 3))
    above = np.concatenate([pelvis, turns[:, :, :2]], axis=2)
    local = Rotation.from_matrix((np.swapaxes(above, -1, -2) @ turns)[moved].reshape(-1, 3, 3), assume_valid=True)
    joints, translation = motion.joints.clone(), motion.translation.clone()
    frames = torch.from_numpy(np.flatnonzero(moved))
    joints[frames[:, None, None], torch.tensor(LEGS)] = as_tensor(local.as_rotvec().reshape(-1, 2, 3, 3))
    translation[frames, 1] += as_tensor(raised[moved])
    return replace(motion, joints=joints, translation=translation)


def _bent(
    legs: Legs, hips: Float[np.ndarray, "frame 2 3"], ankles: Float[np.ndarray, "frame 2 3"]
) -> Float[np.ndarray, "frame 2 3 3 3"]:
    """World rotations of thighs, shins and feet where legs reach from these hips to these ankles.

    Inverse kinematics of two bones in closed form (law of cosines): knees bend in the planes they are bent in, then
    the legs swing the shortest way there. Feet are turned as they were.
    """
    hip, knee, ankle = np.moveaxis(legs.joints, 2, 0)
    thigh, shin, whole = legs.lengths
    wanted = np.linalg.norm(ankles - hips, axis=-1).clip(np.abs(thigh - shin) + 1e-3, legs.reach)
    before, after = _unit(ankle - hip), _unit(ankles - hips)
    sideways = legs.turns[:, :, 0, :, 0]
    sideways = sideways - (sideways * before).sum(axis=-1, keepdims=True) * before
    hinge = _unit(np.cross(_unit(knee - hip), _unit(ankle - knee)) + HINGE * sideways)
    # the corners of the triangle hip, knee, ankle: as they should be, less as they are
    at_hip, at_ankle = (_corner(a, wanted, b) - _corner(a, whole, b) for a, b in ((thigh, shin), (shin, thigh)))
    axis = np.cross(before, after)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    swing = _turn(axis * np.arctan2(sine, (before * after).sum(axis=-1, keepdims=True)) / sine.clip(1e-12))
    turns = legs.turns.copy()
    turns[:, :, 0] = swing @ _turn(-at_hip[..., None] * hinge) @ turns[:, :, 0]
    turns[:, :, 1] = swing @ _turn(at_ankle[..., None] * hinge) @ turns[:, :, 1]
    return turns


def _corner(
    a: Float[np.ndarray, "frame 2"], b: Float[np.ndarray, "frame 2"], opposite: Float[np.ndarray, "frame 2"]
) -> Float[np.ndarray, "frame 2"]:
    """Angle between two sides of a triangle, from its three lengths."""
    return np.arccos(((a**2 + b**2 - opposite**2) / (2 * a * b)).clip(-1, 1))


def _turn(vectors: Float[np.ndarray, "frame 2 3"]) -> Float[np.ndarray, "frame 2 3 3"]:
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)


def _unit(vectors: Float[np.ndarray, "frame 2 3"]) -> Float[np.ndarray, "frame 2 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-9)
