"""Retarget a clip of any skeleton to SMPL's: bone directions are kept, whatever the skeleton's rest pose."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import JOINT_NAMES, NUM_JOINTS, PARENTS, joint_index
from sherf.errors import BadInput
from sherf.motion.playback import MOTION_LEG_M
from sherf.motion.readers.joint_names import match_joints

REQUIRED_JOINTS = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee")
BONE_ENDS = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
"""Limb joint -> the joint at the end of its bone, of each side: there rest poses differ (T, A, arms down)."""
MAX_JOINT_FRAMES = 3_000_000
"""Joints times frames of a clip; their rotation matrices take 216 MB."""
SNAP_DEGREES = 25.0
"""A rest pose this close to one of the file's axes is taken to stand along that axis."""
LISTED_JOINTS = 12
"""Joint names shown in a message."""
LEG_LENGTHS = {"metres": (0.3, 2.0), "decimetres": (3.0, 15.0), "inches": (15.0, 50.0)}
"""Unit -> shortest and longest leg in it; centimetres lie between 50 and 200."""


@dataclass(frozen=True)
class SkeletonClip:
    """An animated skeleton, in its file's axes and units. World positions and rotations, not parent-relative ones."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """-1 for roots; parents come first."""
    rest_positions: Float[np.ndarray, "joint 3"]
    rest_rotations: Float[np.ndarray, "joint 3 3"]
    """World rotations in the rest pose."""
    positions: Float[np.ndarray, "frame joint 3"]
    rotations: Float[np.ndarray, "frame joint 3 3"]
    """World rotations."""
    fps: float
    clips: tuple[str, ...] = ()
    """Names of all clips in the file, if its format allows several."""
    clip: str = ""
    """Name of this one."""


@dataclass(frozen=True)
class RetargetedMotion:
    """A clip on SMPL's skeleton, in motion space's axes and scale, but not yet moved to the origin."""

    joints: Float[np.ndarray, "frame 24 3"]
    """Parent-relative rotations, axis-angle in radians."""
    root_trajectory: Float[np.ndarray, "frame 3"]
    """Positions of the pelvis, metres at the mean open body's leg length."""
    up: str
    """The file's up axis, such as y or z."""
    unit: str
    """The file's probable unit of length."""
    unmapped: tuple[str, ...]
    """SMPL joints that the skeleton lacks; they keep their rest rotation."""


def retarget(source: str, clip: SkeletonClip, rest: Float[np.ndarray, "24 3"]) -> RetargetedMotion:
    """Retarget a clip to SMPL's skeleton.

    Args:
        source: the file, for messages.
        clip: the animated skeleton.
        rest: SMPL joint positions in the rest pose (T-pose), y up, metres.

    Returns:
        The motion, scaled by leg length.

    Raises:
        BadInput: no pelvis, hips or knees were found by any known name, or the skeleton has no extent.
    """
    indices = match_joints(clip.names, clip.parents)
    missing = [joint for joint in REQUIRED_JOINTS if joint not in indices]
    if missing:
        raise BadInput(
            f"{source}: no joint is recognised as {', '.join(missing)}; the skeleton's joints are "
            f"{', '.join(clip.names[:LISTED_JOINTS])}{' ...' if len(clip.names) > LISTED_JOINTS else ''}.\n"
            "Rename them as Mixamo does (Hips, LeftUpLeg, LeftLeg, ...)."
        )
    axes = _motion_axes(source, clip, indices)
    local = _local_rotations(clip, indices, axes, rest)
    joints = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(local), NUM_JOINTS, 3)
    leg = _leg_length(source, clip, indices)
    trajectory = clip.positions[:, indices["pelvis"]] @ axes.T * (MOTION_LEG_M / leg)
    up = "xyz"[int(np.abs(axes[1]).argmax())]
    unmapped = tuple(name for name in JOINT_NAMES if name not in indices)
    return RetargetedMotion(joints, trajectory, up, _unit_name(leg), unmapped)


def _local_rotations(
    clip: SkeletonClip, indices: dict[str, int], axes: Float[np.ndarray, "3 3"], rest: Float[np.ndarray, "24 3"]
) -> Float[np.ndarray, "frame 24 3 3"]:
    """Return parent-relative rotations of SMPL's joints; joints that the skeleton lacks follow their parents."""
    # from the clip's rest pose, in motion space's axes
    from_rest = axes @ clip.rotations @ clip.rest_rotations.transpose(0, 2, 1) @ axes.T
    world = np.zeros((len(clip.rotations), NUM_JOINTS, 3, 3))
    alignments: dict[str, np.ndarray] = {}
    for joint, name in enumerate(JOINT_NAMES):
        alignments[name] = _rest_alignment(name, clip, indices, axes, rest, alignments)
        if name in indices:
            world[:, joint] = from_rest[:, indices[name]] @ alignments[name]
        else:
            world[:, joint] = world[:, PARENTS[joint]]
    local = world.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[:, joint] = world[:, parent].transpose(0, 2, 1) @ world[:, joint]
    return local


def _motion_axes(source: str, clip: SkeletonClip, indices: dict[str, int]) -> Float[np.ndarray, "3 3"]:
    """Return the rotation from the file's axes to motion space (x left, y up, z forward), from the rest pose.

    Raises:
        BadInput: hips, knees and head of the rest pose coincide.
    """
    rest = clip.rest_positions
    left = rest[indices["left_hip"]] - rest[indices["right_hip"]]
    top = next((indices[joint] for joint in ("head", "neck", "spine3", "spine2") if joint in indices), None)
    hips = (rest[indices["left_hip"]] + rest[indices["right_hip"]]) / 2
    knees = (rest[indices["left_knee"]] + rest[indices["right_knee"]]) / 2
    up = hips - knees if top is None else rest[top] - knees
    up = up - (up @ left) / max(left @ left, 1e-12) * left
    if min(np.linalg.norm(left), np.linalg.norm(up)) < 1e-9:
        raise BadInput(
            f"{source}: the skeleton has no extent: hips, knees and head have the same rest position.\n"
            "Export it again with its rest pose."
        )
    left, up = left / np.linalg.norm(left), up / np.linalg.norm(up)
    return _snap_to_axes(np.stack([left, up, np.cross(left, up)]))


def _snap_to_axes(axes: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Snap a rotation to the file's axes if it is close: a rest pose may be slightly bent, the file's axes are not."""
    snapped = np.zeros((3, 3))
    for row in (1, 0):
        column = int(np.abs(axes[row]).argmax())
        snapped[row, column] = np.sign(axes[row, column])
    snapped[2] = np.cross(snapped[0], snapped[1])
    is_rotation = np.isclose(np.linalg.det(snapped), 1)
    if is_rotation and Rotation.from_matrix(snapped @ axes.T).magnitude() < np.radians(SNAP_DEGREES):
        return snapped
    return axes


def _rest_alignment(
    name: str,
    clip: SkeletonClip,
    indices: dict[str, int],
    axes: Float[np.ndarray, "3 3"],
    rest: Float[np.ndarray, "24 3"],
    alignments: dict[str, np.ndarray],
) -> Float[np.ndarray, "3 3"]:
    """Return the least rotation from the bone in SMPL's rest pose to that in the clip's; hands follow the forearm."""
    side, _, joint = name.partition("_")
    if joint in ("wrist", "hand"):
        return alignments[f"{side}_elbow"]
    end = f"{side}_{BONE_ENDS.get(joint, '')}"
    if name not in indices or end not in indices:
        return np.eye(3)
    clip_bone = axes @ (clip.rest_positions[indices[end]] - clip.rest_positions[indices[name]])
    smpl_bone = rest[joint_index(end)] - rest[joint_index(name)]
    if np.linalg.norm(clip_bone) < 1e-9:
        return np.eye(3)
    return least_rotation(smpl_bone / np.linalg.norm(smpl_bone), clip_bone / np.linalg.norm(clip_bone))


def least_rotation(a: Float[np.ndarray, "3"], b: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Return the rotation with the smallest angle that takes the unit vector a to the unit vector b."""
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        if cosine > 0:
            return np.eye(3)
        axis = np.cross(a, np.eye(3)[int(np.abs(a).argmin())])
        return Rotation.from_rotvec(np.pi * axis / np.linalg.norm(axis)).as_matrix()
    return Rotation.from_rotvec(np.arctan2(sine, cosine) * axis / sine).as_matrix()


def _leg_length(source: str, clip: SkeletonClip, indices: dict[str, int]) -> float:
    """Return the length of thigh and shin in the file's unit; without an ankle, twice the thigh.

    Raises:
        BadInput: the length is zero.
    """
    rest = clip.rest_positions
    thigh = float(np.linalg.norm(rest[indices["left_knee"]] - rest[indices["left_hip"]]))
    shin = thigh
    if "left_ankle" in indices:
        shin = float(np.linalg.norm(rest[indices["left_ankle"]] - rest[indices["left_knee"]]))
    if thigh + shin < 1e-9:
        raise BadInput(f"{source}: the skeleton's legs have zero length. Export it again with its rest pose.")
    return thigh + shin


def _unit_name(leg: float) -> str:
    for unit, (shortest, longest) in LEG_LENGTHS.items():
        if shortest <= leg <= longest:
            return unit
    return "centimetres" if 50 < leg < 200 else "an unknown unit"
