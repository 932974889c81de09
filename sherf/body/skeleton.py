"""SMPL's skeleton: joint names, their tree, and the big pose.

Joint order and tree: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015, as in the published files.
"""

import math

JOINT_NAMES = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
"""Left and right are the person's; in the rest pose the left side is at +x."""

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Index of each joint's parent, -1 for the root; a parent always comes before its children."""

HEAD = 15
FEET = (7, 8, 10, 11)
"""Ankles and feet: joint indices."""
HANDS = (20, 21, 22, 23)
"""Wrists and hands: joint indices."""
ARMS = (16, 17, 18, 19, *HANDS)
"""Shoulders, elbows and hands: joint indices."""

NUM_JOINTS = len(JOINT_NAMES)
NUM_BETAS = 10
NUM_POSE_FEATURES = 9 * (NUM_JOINTS - 1)
"""Pose blend shapes are driven by the 23 rotation matrices below the root, minus the identity."""

BIG_POSE = {
    "left_hip": (0.0, 0.0, math.pi / 4),
    "right_hip": (0.0, 0.0, -math.pi / 4),
    "left_ankle": (0.0, 0.0, -math.pi / 6),
    "right_ankle": (0.0, 0.0, math.pi / 6),
}
"""Axis-angle, radians: legs apart, so that the nearest vertex is never on the other leg. All other joints are zero."""


def joint_index(name: str) -> int:
    """Return the index of a joint.

    Raises:
        ValueError: there is no joint of that name.
    """
    return JOINT_NAMES.index(name)


def mirrored_name(name: str) -> str:
    """Return the name of a joint or landmark with left and right swapped."""
    side, separator, rest = name.partition("_")
    return {"left": "right", "right": "left"}.get(side, side) + separator + rest


def mirrored_joints() -> tuple[int, ...]:
    """Return the index of each joint's counterpart when left and right are swapped."""
    return tuple(joint_index(mirrored_name(name)) for name in JOINT_NAMES)
