"""From somebody's skeleton to ours: directions of bones are kept, whatever pose the skeleton rests in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import JOINT_NAMES, NUM_JOINTS, PARENTS, joint_index
from sherf.errors import BadInput
from sherf.motion.motion import MOTION_LEG_M
from sherf.motion.readers.joint_names import matched

NEEDED = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee")
BONES = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
"""Of each side: what a joint's bone ends in; there the rest poses of skeletons differ (T, A, arms down)."""
MOST_PLACES = 3_000_000
"""Joints times frames of a clip; a turn of each is kept: 216 MB."""
SNAP_DEGREES = 25.0
"""A skeleton that rests so near to upright along an axis stands along it."""


@dataclass(frozen=True)
class SkeletonClip:
    """A skeleton and its movement, in its own axes and units."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """-1 for roots; parents come first."""
    rest_places: Float[np.ndarray, "joint 3"]
    rest_turns: Float[np.ndarray, "joint 3 3"]
    """World rotations in the rest pose."""
    places: Float[np.ndarray, "frame joint 3"]
    turns: Float[np.ndarray, "frame joint 3 3"]
    """World rotations."""
    fps: float
    clips: tuple[str, ...] = ()
    """Names of all clips of its file, if that may hold several."""
    clip: str = ""
    """Which of them this is."""


@dataclass(frozen=True)
class Retargeted:
    """In motion space's axes and scale, before it is moved to the origin."""

    joints: Float[np.ndarray, "frame 24 3"]
    way: Float[np.ndarray, "frame 3"]
    """Of the pelvis, metres of our legs."""
    up: str
    """Axis of the file that points up, such as y or z."""
    unit: str
    """What its lengths seem to be counted in."""
    unmapped: tuple[str, ...]
    """Our joints that the skeleton does not have; they stay as they rest."""


def retarget(where: str, clip: SkeletonClip, rest: Float[np.ndarray, "24 3"]) -> Retargeted:
    """Bring a clip to our skeleton.

    Args:
        where: the file, for messages.
        rest: our joints in the rest pose (T-pose), metres.

    Raises:
        BadInput: it has no pelvis, hips or knees by any known name, or no size.
    """
    ours = matched(clip.names, clip.parents)
    missing = [joint for joint in NEEDED if joint not in ours]
    if missing:
        raise BadInput(
            f"{where} has no {', '.join(missing)} by any name that is known; its joints are "
            f"{', '.join(clip.names[:12])}{' ...' if len(clip.names) > 12 else ''}.\n"
            "Rename them as Mixamo does (Hips, LeftUpLeg, LeftLeg, ...)."
        )
    axes = _axes(where, clip, ours)
    turned = axes @ clip.turns @ clip.rest_turns.transpose(0, 2, 1) @ axes.T  # from the rest pose, our axes
    world = np.zeros((len(clip.turns), NUM_JOINTS, 3, 3))
    rested: dict[str, np.ndarray] = {}
    for joint, name in enumerate(JOINT_NAMES):
        parent = PARENTS[joint]
        rested[name] = _rest(name, clip, ours, axes, rest, rested)
        if name in ours:
            world[:, joint] = turned[:, ours[name]] @ rested[name]
        else:
            world[:, joint] = world[:, parent]
    local = world.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[:, joint] = world[:, parent].transpose(0, 2, 1) @ world[:, joint]
    joints = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(local), NUM_JOINTS, 3)
    leg = _leg(where, clip, ours)
    way = clip.places[:, ours["pelvis"]] @ axes.T * (MOTION_LEG_M / leg)
    up = "xyz"[int(np.abs(axes[1]).argmax())]
    return Retargeted(joints, way, up, _unit(leg), tuple(name for name in JOINT_NAMES if name not in ours))


def _axes(where: str, clip: SkeletonClip, ours: dict[str, int]) -> Float[np.ndarray, "3 3"]:
    """The rotation from the file's axes to ours (x to the left, y up, z forward), by how the skeleton rests."""
    rest = clip.rest_places
    left = rest[ours["left_hip"]] - rest[ours["right_hip"]]
    top = next((ours[joint] for joint in ("head", "neck", "spine3", "spine2") if joint in ours), None)
    hips = (rest[ours["left_hip"]] + rest[ours["right_hip"]]) / 2
    knees = (rest[ours["left_knee"]] + rest[ours["right_knee"]]) / 2
    up = hips - knees if top is None else rest[top] - knees
    up = up - (up @ left) / max(left @ left, 1e-12) * left
    if min(np.linalg.norm(left), np.linalg.norm(up)) < 1e-9:
        raise BadInput(f"{where}: the skeleton has no size: its hips, knees and head rest in one place.")
    left, up = left / np.linalg.norm(left), up / np.linalg.norm(up)
    axes = np.stack([left, up, np.cross(left, up)])
    # the skeleton may rest a little bent: the file's own axis is upright
    snapped = np.zeros((3, 3))
    for row in (1, 0):
        column = int(np.abs(axes[row]).argmax())
        snapped[row, column] = np.sign(axes[row, column])
    snapped[2] = np.cross(snapped[0], snapped[1])
    is_rotation = np.isclose(np.linalg.det(snapped), 1)
    if is_rotation and Rotation.from_matrix(snapped @ axes.T).magnitude() < np.radians(SNAP_DEGREES):
        return snapped
    return axes


def _rest(
    name: str,
    clip: SkeletonClip,
    ours: dict[str, int],
    axes: Float[np.ndarray, "3 3"],
    rest: Float[np.ndarray, "24 3"],
    rested: dict[str, np.ndarray],
) -> Float[np.ndarray, "3 3"]:
    """The least rotation from our rest pose's bone to that of the skeleton's rest pose; ends of limbs follow them."""
    side, _, joint = name.partition("_")
    if joint in ("wrist", "hand"):
        return rested[f"{side}_elbow"]
    end = f"{side}_{BONES.get(joint, '')}"
    if name not in ours or end not in ours:
        return np.eye(3)
    there = axes @ (clip.rest_places[ours[end]] - clip.rest_places[ours[name]])
    here = rest[joint_index(end)] - rest[joint_index(name)]
    if np.linalg.norm(there) < 1e-9:
        return np.eye(3)
    return least_rotation(here / np.linalg.norm(here), there / np.linalg.norm(there))


def least_rotation(a: Float[np.ndarray, "3"], b: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation with the smallest angle that takes the unit vector a to b."""
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        if cosine > 0:
            return np.eye(3)
        axis = np.cross(a, np.eye(3)[int(np.abs(a).argmin())])
        return Rotation.from_rotvec(np.pi * axis / np.linalg.norm(axis)).as_matrix()
    return Rotation.from_rotvec(np.arctan2(sine, cosine) * axis / sine).as_matrix()


def _leg(where: str, clip: SkeletonClip, ours: dict[str, int]) -> float:
    """Length of a leg in the file's unit: thigh and shin, or twice the thigh."""
    rest = clip.rest_places
    thigh = float(np.linalg.norm(rest[ours["left_knee"]] - rest[ours["left_hip"]]))
    shin = thigh
    if "left_ankle" in ours:
        shin = float(np.linalg.norm(rest[ours["left_ankle"]] - rest[ours["left_knee"]]))
    if thigh + shin < 1e-9:
        raise BadInput(f"{where}: the skeleton's legs have no length.")
    return thigh + shin


def _unit(leg: float) -> str:
    for unit, (least, most) in {"metres": (0.3, 2.0), "decimetres": (3.0, 15.0), "inches": (15.0, 50.0)}.items():
        if least <= leg <= most:
            return unit
    return "centimetres" if 50 < leg < 200 else "an unknown unit"
