"""The skeleton that motions are authored on: plans for pelvis, feet and upper body become joint rotations.

Axes: y up, facing +z, left is +x; the ground is y = 0. Angles are defined for the left side; the right side mirrors it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import JOINT_NAMES, joint_index
from sherf.datasets.motions.curves import Curve, euler

SIDES = ("left", "right")
MAX_LEG_EXTENSION = 0.996
"""Fraction of its full length that a leg may be stretched to: straighter knees snap."""
X_AXIS = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True)
class Foot:
    """One foot over time: flat on the ground, rolling over heel or ball, or in the air."""

    position: NDArray
    """(frame, 2) x and z of the point below the ankle if the foot stood flat there, metres."""
    yaw: NDArray
    """(frame,) degrees, positive towards +x."""
    roll: NDArray
    """(frame,) degrees: positive lifts the heel about the ball; negative lifts the toes about the heel."""
    lift: NDArray
    """(frame,) metres above the ground."""
    toes: NDArray
    """(frame,) degrees by which the toes bend up relative to the foot."""


@dataclass(frozen=True)
class Plan:
    """An authored motion; leg joints follow from it by inverse kinematics."""

    pelvis: NDArray
    """(frame, 3) world position, metres."""
    orientation: Rotation
    """(frame,) world orientation of the pelvis."""
    feet: dict[str, Foot]
    """By side: left, right."""
    joints: dict[str, Rotation]
    """Spine, head and arms by joint name, parent-relative; missing joints keep their rest rotation."""


@dataclass(frozen=True)
class Rig:
    """Joint centres and soles in the rest pose, metres, with the ground at y = 0."""

    joints: NDArray
    heel: NDArray
    """(side, 3) contact point of the heel with the ground."""
    ball: NDArray
    """(side, 3) contact point of the ball with the ground, below the toe joint."""
    toes: float
    """Length of the toes in front of the ball, metres."""

    def joint(self, name: str) -> NDArray:
        """Return a joint's centre in the rest pose, metres."""
        return self.joints[joint_index(name)]

    @property
    def leg(self) -> float:
        """Largest distance of ankle and hip over all knee angles, metres."""
        thigh, shin = self.bones("left")
        return float(
            np.sqrt(
                thigh @ thigh + shin @ shin + 2 * (thigh[0] * shin[0] + np.hypot(*_hinge_coefficients(thigh, shin)))
            )
        )

    def bones(self, side: str) -> tuple[NDArray, NDArray]:
        """Return the vectors hip to knee and knee to ankle in the rest pose, metres."""
        hip, knee, ankle = (self.joint(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        return knee - hip, ankle - knee


def measure_rig(body: BodyModel) -> Rig:
    """Return the rig of a body model's mean shape."""
    vertices = body.v_template.double().numpy()
    ground = np.array([0.0, vertices[:, 1].min(), 0.0])
    joints = body.J_template.double().numpy() - ground
    vertices = vertices - ground
    weights = body.weights.numpy()
    heel, ball = [], []
    for side in SIDES:
        sole = vertices[weights[:, [joint_index(f"{side}_ankle"), joint_index(f"{side}_foot")]].sum(1) > 0.5]
        ankle, toe = joints[joint_index(f"{side}_ankle")], joints[joint_index(f"{side}_foot")]
        # The heel touches the ground slightly in front of its rearmost point.
        heel.append([ankle[0], 0.0, sole[:, 2].min() + 0.02])
        ball.append([toe[0], 0.0, toe[2]])
    return Rig(joints, np.array(heel), np.array(ball), float(sole[:, 2].max() - ball[-1][2]))


def pose_ankle(rig: Rig, side: str, foot: Foot) -> tuple[NDArray, Rotation]:
    """Return ankle positions (frame, 3) in world space, metres, and foot orientations of a planned foot."""
    ankle = rig.joint(f"{side}_ankle")
    heading, tilt = euler(y=foot.yaw), euler(x=foot.roll)
    index = SIDES.index(side)
    pivot = np.where(foot.roll[:, None] > 0, rig.ball[index], rig.heel[index]) - ankle * [1, 0, 1]
    local = pivot + tilt.apply(ankle * [0, 1, 0] - pivot)
    position = heading.apply(local) + np.stack([foot.position[:, 0], foot.lift, foot.position[:, 1]], -1)
    return position, heading * tilt


def highest_pelvis(rig: Rig, pelvis: NDArray, orientation: Rotation, feet: dict[str, Foot]) -> NDArray:
    """Return the height of the pelvis at which one leg is fully stretched, per frame, metres.

    Args:
        rig: the rig.
        pelvis: (frame, 3) world positions; y is ignored.
        orientation: (frame,) of the pelvis.
        feet: by side.

    Raises:
        ValueError: a foot is too far away horizontally.
    """
    limits = []
    for side in SIDES:
        ankle, _ = pose_ankle(rig, side, feet[side])
        to_hip = orientation.apply(rig.joint(f"{side}_hip") - rig.joint("pelvis"))
        flat = (pelvis + to_hip - ankle)[:, [0, 2]]
        room = (MAX_LEG_EXTENSION * rig.leg) ** 2 - (flat**2).sum(1)
        if (room <= 0).any():
            raise ValueError(f"the {side} foot is out of reach at frame {np.flatnonzero(room <= 0)[0]}")
        limits.append(ankle[:, 1] + np.sqrt(room) - to_hip[:, 1])
    return np.min(limits, 0)


def solve_joints(rig: Rig, plan: Plan) -> tuple[NDArray, NDArray]:
    """Return joint rotations (frame, 24, 3), axis-angle, and the pelvis translation (frame, 3) from its first frame.

    Raises:
        ValueError: a foot is out of reach.
    """
    frames = len(plan.pelvis)
    rotations = {name: Rotation.identity(frames) for name in JOINT_NAMES} | plan.joints | {"pelvis": plan.orientation}
    for side in SIDES:
        rotations |= _solve_leg(rig, plan, side)
    joints = np.stack([(Rotation.identity(frames) * rotations[name]).as_rotvec() for name in JOINT_NAMES], 1)
    return joints, plan.pelvis - plan.pelvis[0]


def _solve_leg(rig: Rig, plan: Plan, side: str) -> dict[str, Rotation]:
    """Return hip, knee and ankle rotations that reach the planned foot; the knee is a hinge that bends one way."""
    foot = plan.feet[side]
    ankle, foot_orientation = pose_ankle(rig, side, foot)
    hip = plan.pelvis + plan.orientation.apply(rig.joint(f"{side}_hip") - rig.joint("pelvis"))
    to_ankle = plan.orientation.inv().apply(ankle - hip)
    thigh, shin = rig.bones(side)
    bend = _hinge_angle(thigh, shin, np.linalg.norm(to_ankle, axis=1))
    knee = Rotation.from_rotvec(bend[:, None] * X_AXIS)
    # The hinge axis lies halfway between the x axes of pelvis and foot.
    foot_in_pelvis = plan.orientation.inv() * euler(y=foot.yaw)
    hinge = X_AXIS + foot_in_pelvis.apply(X_AXIS)
    hip_rotation = (
        _orientation(to_ankle, hinge)
        * _orientation(thigh + knee.apply(shin), np.broadcast_to(X_AXIS, hinge.shape)).inv()
    )
    ankle_rotation = (plan.orientation * hip_rotation * knee).inv() * foot_orientation
    return {
        f"{side}_hip": hip_rotation,
        f"{side}_knee": knee,
        f"{side}_ankle": ankle_rotation,
        f"{side}_foot": euler(x=-foot.toes),
    }


def _hinge_angle(thigh: NDArray, shin: NDArray, distance: NDArray) -> NDArray:
    """Return the rotation of the shin about +x, radians, for which |thigh + R_x shin| is `distance` (frame,).

    Raises:
        ValueError: a distance is longer than the leg.
    """
    # |t|^2 + |s|^2 + 2 (t_x s_x + cosine cos(a) + sine sin(a)) = d^2
    cosine, sine = _hinge_coefficients(thigh, shin)
    needed = (distance**2 - thigh @ thigh - shin @ shin) / 2 - thigh[0] * shin[0]
    reach = np.hypot(cosine, sine)
    if (needed > reach).any():
        raise ValueError(f"a foot is out of reach at frame {np.flatnonzero(needed > reach)[0]}")
    return np.arctan2(sine, cosine) + np.arccos(needed / reach)


def _hinge_coefficients(thigh: NDArray, shin: NDArray) -> tuple[float, float]:
    """Return the coefficients of cos and sin in thigh . (R_x shin)."""
    return thigh[1] * shin[1] + thigh[2] * shin[2], thigh[2] * shin[1] - thigh[1] * shin[2]


def _orientation(down: NDArray, right: NDArray) -> Rotation:
    """Return the orientation whose -y is along `down` and whose x is as close to `right` as possible."""
    y = -down / np.linalg.norm(down, axis=-1, keepdims=True)
    x = right - (right * y).sum(-1, keepdims=True) * y
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], -1))


def mirror(rotation: Rotation) -> Rotation:
    """Return the rotation mirrored at the plane x = 0, which swaps left and right."""
    return Rotation.from_rotvec(rotation.as_rotvec() * [1.0, -1.0, -1.0])


def pose_arm(
    side: str, down: Curve, forward: Curve, bend: Curve, twist: Curve = 20.0, wrist: Curve = 0.0
) -> dict[str, Rotation]:
    """Return one arm's joint rotations from angles in degrees, each a number or a curve.

    Args:
        side: left or right.
        down: how far the upper arm is lowered from the T-pose; negative raises it.
        forward: how far it then swings forward about the shoulders' axis; negative is back.
        bend: elbow flexion; 0 is straight.
        twist: rotation of the upper arm about its axis; positive moves a bent forearm inward, negative up and outward.
        wrist: flexion of the hand, in the plane of the elbow.

    Returns:
        Parent-relative rotations by joint name.
    """
    upper = euler(x=-forward) * euler(z=-down) * euler(x=twist)
    left = {"shoulder": upper, "elbow": euler(y=-bend), "wrist": euler(y=-wrist)}
    return {f"{side}_{name}": rotation if side == "left" else mirror(rotation) for name, rotation in left.items()}


def pose_spine(pitch: Curve = 0.0, yaw: Curve = 0.0, roll: Curve = 0.0) -> dict[str, Rotation]:
    """Return a bend of the trunk in degrees, shared by the three spine joints."""
    part = euler(pitch / 3, yaw / 3, roll / 3)
    return {"spine1": part, "spine2": part, "spine3": part}


def pose_head(pitch: Curve = 0.0, yaw: Curve = 0.0, roll: Curve = 0.0) -> dict[str, Rotation]:
    """Return a rotation of the head in degrees, shared by neck and head."""
    part = euler(pitch / 2, yaw / 2, roll / 2)
    return {"neck": part, "head": part}
