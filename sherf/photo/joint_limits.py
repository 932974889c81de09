"""The natural stance of the joints, their stiffness about it and the limits of their rotations, by joint and axis."""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.skeleton import JOINT_NAMES


def _table(default: tuple[float, float, float], rows: dict[str, tuple[float, float, float]]) -> Float[Tensor, "24 3"]:
    """Return one row of three numbers per joint; a key without a side is the left joint's, mirrored to the right.

    Mirroring left to right keeps rotations about x and negates those about y and z.
    """
    known = {name.removeprefix("left_").removeprefix("right_") for name in JOINT_NAMES}
    assert rows.keys() <= known, f"unknown joints: {rows.keys() - known}"
    table = torch.tensor(default).repeat(len(JOINT_NAMES), 1)
    for i, name in enumerate(JOINT_NAMES):
        side, _, joint = name.partition("_")
        row = rows.get(joint if side in ("left", "right") else name)
        if row is not None:
            table[i] = torch.tensor(row) * torch.tensor([1.0, -1.0, -1.0] if side == "right" else [1.0, 1.0, 1.0])
    return table


STANCE = _table((0.0, 0.0, 0.0), {"shoulder": (0.0, 0.0, -1.15), "elbow": (0.0, -0.2, 0.0), "hip": (0.0, 0.0, 0.05)})
"""Joint rotations of a person standing with the arms lowered: the pose of unseen limbs. Axis-angle, radians."""

STIFFNESS = _table(
    (4.0, 4.0, 4.0),
    {
        "hip": (1.2, 1.5, 1.5),
        "knee": (2.0, 6.0, 6.0),
        "ankle": (2.0, 4.0, 4.0),
        "foot": (8.0, 8.0, 8.0),
        "spine1": (2.5, 4.0, 4.0),
        "spine2": (3.5, 4.0, 4.0),
        "spine3": (3.5, 4.0, 4.0),
        "neck": (2.5, 2.5, 3.0),
        "head": (2.0, 2.0, 2.5),
        "collar": (6.0, 5.0, 5.0),
        "shoulder": (1.2, 0.9, 0.8),
        "elbow": (1.5, 1.0, 2.5),
        "wrist": (3.0, 4.0, 3.0),
        "hand": (8.0, 8.0, 8.0),
    },
).abs()
"""1 / (standard deviation in radians) about the stance, by joint and axis."""

_FREE = 2.8
_LEFT_LOWER = {
    "hip": (-2.3, -0.9, -0.6),
    "knee": (-0.05, -0.3, -0.3),
    "ankle": (-0.7, -0.5, -0.5),
    "elbow": (-1.3, -2.6, -0.5),
    "wrist": (-1.0, -0.7, -1.2),
    "shoulder": (-1.8, -1.9, -1.75),
}
_LEFT_UPPER = {
    "hip": (0.8, 0.9, 1.1),
    "knee": (2.5, 0.3, 0.3),
    "ankle": (0.9, 0.5, 0.5),
    "elbow": (1.3, 0.05, 0.5),
    "wrist": (1.0, 0.7, 1.2),
    "shoulder": (1.8, 1.0, 1.6),
}
_A = _table((-_FREE, -_FREE, -_FREE), _LEFT_LOWER)
_B = _table((_FREE, _FREE, _FREE), _LEFT_UPPER)
# Mirroring swaps the ends of a negated axis, so order them again.
LOWER, UPPER = torch.minimum(_A, _B), torch.maximum(_A, _B)
"""Limits of the axis-angle components, radians, (24, 3) each."""
