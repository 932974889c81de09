"""The skeleton that motions are authored on, and how a plan for pelvis, feet and upper body becomes joint angles.

Axes: y up, facing +z, left is +x. `left` functions are written for the left side; the right side is the mirror image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import JOINT_NAMES, joint_index
from sherf.datasets.motions.curves import Curve, turned

SIDES = ("left", "right")
STRAIGHTEST = 0.996
"""Share of its full length that a leg is stretched to: straighter knees snap."""
EAST = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True)
class Foot:
    """One foot over time. It stands flat, rolls over heel or ball, or is in the air."""

    place: NDArray
    """(frame, 2) x and z of the point below the ankle, as if the foot stood flat there, metres."""
    yaw: NDArray
    """(frame,) degrees, positive towards +x."""
    roll: NDArray
    """(frame,) degrees: positive lifts the heel, the ball stays; negative lifts the toes, the heel stays."""
    lift: NDArray
    """(frame,) metres off the ground."""
    toes: NDArray
    """(frame,) degrees by which the toes bend up against the foot."""


@dataclass(frozen=True)
class Plan:
    """What an author decides; the legs follow."""

    pelvis: NDArray
    """(frame, 3) metres above the ground, which is y = 0."""
    orientation: Rotation
    """(frame,) of the pelvis."""
    feet: dict[str, Foot]
    """By side, left and right."""
    joints: dict[str, Rotation]
    """Spine, head and arms by name, parent-relative; what is missing rests."""


@dataclass(frozen=True)
class Rig:
    """Joint centres and soles in the rest pose, metres, with the ground at y = 0."""

    joints: NDArray
    heel: NDArray
    """(side, 3) where the heel touches the ground."""
    ball: NDArray
    """(side, 3) where the foot rolls over its ball, below the toe joint."""
    toes: float
    """How far the toes reach before the ball."""

    def joint(self, name: str) -> NDArray:
        return self.joints[joint_index(name)]

    @property
    def leg(self) -> float:
        """The farthest that an ankle gets from its hip by turning the knee, metres."""
        thigh, shin = self.bones("left")
        return float(np.sqrt(thigh @ thigh + shin @ shin + 2 * (thigh[0] * shin[0] + np.hypot(*_hinge(thigh, shin)))))

    def bones(self, side: str) -> tuple[NDArray, NDArray]:
        """Hip to knee and knee to ankle in the rest pose."""
        hip, knee, ankle = (self.joint(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        return knee - hip, ankle - knee


def rig_of(body: BodyModel) -> Rig:
    """Measure a body of mean shape."""
    vertices = body.v_template.double().numpy()
    ground = np.array([0.0, vertices[:, 1].min(), 0.0])
    joints = body.J_template.double().numpy() - ground
    vertices = vertices - ground
    weights = body.weights.numpy()
    heel, ball = [], []
    for side in SIDES:
        sole = vertices[weights[:, [joint_index(f"{side}_ankle"), joint_index(f"{side}_foot")]].sum(1) > 0.5]
        ankle, toe = joints[joint_index(f"{side}_ankle")], joints[joint_index(f"{side}_foot")]
        # The heel's edge on the ground lies a little before the heel's rearmost point.
        heel.append([ankle[0], 0.0, sole[:, 2].min() + 0.02])
        ball.append([toe[0], 0.0, toe[2]])
    return Rig(joints, np.array(heel), np.array(ball), float(sole[:, 2].max() - ball[-1][2]))


def ankles_of(rig: Rig, side: str, foot: Foot) -> tuple[NDArray, Rotation]:
    """Ankle positions (frame, 3) and foot orientations of a planned foot."""
    ankle = rig.joint(f"{side}_ankle")
    heading, tilt = turned(y=foot.yaw), turned(x=foot.roll)
    index = SIDES.index(side)
    pivot = np.where(foot.roll[:, None] > 0, rig.ball[index], rig.heel[index]) - ankle * [1, 0, 1]
    local = pivot + tilt.apply(ankle * [0, 1, 0] - pivot)
    position = heading.apply(local) + np.stack([foot.place[:, 0], foot.lift, foot.place[:, 1]], -1)
    return position, heading * tilt


def highest_pelvis(rig: Rig, pelvis: NDArray, orientation: Rotation, feet: dict[str, Foot]) -> NDArray:
    """(frame,) the height of the pelvis at which the first leg is stretched; only x and z of `pelvis` are used."""
    limits = []
    for side in SIDES:
        ankle, _ = ankles_of(rig, side, feet[side])
        to_hip = orientation.apply(rig.joint(f"{side}_hip") - rig.joint("pelvis"))
        flat = (pelvis + to_hip - ankle)[:, [0, 2]]
        room = (STRAIGHTEST * rig.leg) ** 2 - (flat**2).sum(1)
        if (room <= 0).any():
            raise ValueError(f"the {side} foot is out of reach at frame {np.flatnonzero(room <= 0)[0]}")
        limits.append(ankle[:, 1] + np.sqrt(room) - to_hip[:, 1])
    return np.min(limits, 0)


def perform(rig: Rig, plan: Plan) -> tuple[NDArray, NDArray]:
    """Joint rotations (frame, 24, 3) and pelvis translation (frame, 3) from the first frame on."""
    frames = len(plan.pelvis)
    rotations = {name: Rotation.identity(frames) for name in JOINT_NAMES} | plan.joints | {"pelvis": plan.orientation}
    for side in SIDES:
        rotations |= _leg(rig, plan, side)
    joints = np.stack([(Rotation.identity(frames) * rotations[name]).as_rotvec() for name in JOINT_NAMES], 1)
    return joints, plan.pelvis - plan.pelvis[0]


def _leg(rig: Rig, plan: Plan, side: str) -> dict[str, Rotation]:
    """Hip, knee and ankle that bring the foot where it is planned; the knee is a hinge that bends forward only."""
    foot = plan.feet[side]
    ankle, foot_orientation = ankles_of(rig, side, foot)
    hip = plan.pelvis + plan.orientation.apply(rig.joint(f"{side}_hip") - rig.joint("pelvis"))
    to_ankle = plan.orientation.inv().apply(ankle - hip)
    thigh, shin = rig.bones(side)
    bend = _hinge_angle(thigh, shin, np.linalg.norm(to_ankle, axis=1))
    knee = Rotation.from_rotvec(bend[:, None] * EAST)
    # The hinge points halfway between where the pelvis and where the foot points.
    foot_in_pelvis = plan.orientation.inv() * turned(y=foot.yaw)
    hinge = EAST + foot_in_pelvis.apply(EAST)
    hip_rotation = _frame(to_ankle, hinge) * _frame(thigh + knee.apply(shin), np.broadcast_to(EAST, hinge.shape)).inv()
    ankle_rotation = (plan.orientation * hip_rotation * knee).inv() * foot_orientation
    return {
        f"{side}_hip": hip_rotation,
        f"{side}_knee": knee,
        f"{side}_ankle": ankle_rotation,
        f"{side}_foot": turned(x=-foot.toes),
    }


def _hinge_angle(thigh: NDArray, shin: NDArray, distance: NDArray) -> NDArray:
    """Radians about +x by which the shin turns so that |thigh + R_x shin| is `distance` (frame,)."""
    # |t|^2 + |s|^2 + 2 (t_x s_x + cosine cos(a) + sine sin(a)) = d^2
    cosine, sine = _hinge(thigh, shin)
    needed = (distance**2 - thigh @ thigh - shin @ shin) / 2 - thigh[0] * shin[0]
    reach = np.hypot(cosine, sine)
    if (needed > reach).any():
        raise ValueError(f"a foot is out of reach at frame {np.flatnonzero(needed > reach)[0]}")
    return np.arctan2(sine, cosine) + np.arccos(needed / reach)


def _hinge(thigh: NDArray, shin: NDArray) -> tuple[float, float]:
    """Coefficients of cos and sin in thigh . (R_x shin)."""
    return thigh[1] * shin[1] + thigh[2] * shin[2], thigh[2] * shin[1] - thigh[1] * shin[2]


def _frame(down: NDArray, east: NDArray) -> Rotation:
    """Orientation whose -y is along `down` and whose x is as near to `east` as it can be."""
    y = -down / np.linalg.norm(down, axis=-1, keepdims=True)
    x = east - (east * y).sum(-1, keepdims=True) * y
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], -1))


def mirrored(rotation: Rotation) -> Rotation:
    """The same rotation seen in the mirror that swaps left and right."""
    return Rotation.from_rotvec(rotation.as_rotvec() * [1.0, -1.0, -1.0])


def arm(
    side: str, down: Curve, forward: Curve, bend: Curve, twist: Curve = 20.0, wrist: Curve = 0.0
) -> dict[str, Rotation]:
    """One arm from angles in degrees, each a number or a curve.

    Args:
        side: left or right.
        down: how far the upper arm is lowered from the T-pose; negative raises it.
        forward: how far it is then swung forward about the shoulders' axis; negative is back.
        bend: of the elbow; 0 is straight.
        twist: of the upper arm about itself; positive brings a bent forearm inward, negative up and outward.
        wrist: of the hand, in the elbow's plane.
    """
    upper = turned(x=-forward) * turned(z=-down) * turned(x=twist)
    left = {"shoulder": upper, "elbow": turned(y=-bend), "wrist": turned(y=-wrist)}
    return {f"{side}_{name}": rotation if side == "left" else mirrored(rotation) for name, rotation in left.items()}


def spine(pitch: Curve = 0.0, yaw: Curve = 0.0, roll: Curve = 0.0) -> dict[str, Rotation]:
    """A bend of the trunk in degrees, shared by the three spine joints."""
    part = turned(pitch / 3, yaw / 3, roll / 3)
    return {"spine1": part, "spine2": part, "spine3": part}


def head(pitch: Curve = 0.0, yaw: Curve = 0.0, roll: Curve = 0.0) -> dict[str, Rotation]:
    """A turn of the head in degrees, shared by neck and head."""
    part = turned(pitch / 2, yaw / 2, roll / 2)
    return {"neck": part, "head": part}
