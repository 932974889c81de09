"""What arrays of SMPL's parameters leave unsaid: which axis points up, and in what their way is counted."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

AMASS = frozenset({"poses", "trans", "betas", "gender"})
AMASS_RATES = frozenset({"mocap_framerate", "mocap_frame_rate"})
AIST = "smpl_poses"
HIGHEST_PELVIS_M, FASTEST_M_S = 10.0, 50.0
"""Of a person in the middle of a motion; beyond, its way is not in metres."""
MILLIMETRES_HIGH, MILLIMETRES_FAST = 500.0, 1000.0
"""Beyond these it is not in centimetres either: pelvises 5 m high, runners of 10 m/s."""
MOVING_SHARE = 0.9
"""Quantile of a motion's speed that is looked at: single frames may jump, and people stand about."""
CENTIMETRE, MILLIMETRE = 0.01, 0.001


def up_axis(keys: Collection[str], roots: Float[np.ndarray, "frame 3"]) -> tuple[str, str]:
    """ "y" or "z", and how that is known, in words.

    AMASS is z up and AIST++ y up, by definition; of other files the axis the body mostly stands along is taken.

    Args:
        keys: names of all arrays of the file.
        roots: global orientations, axis-angle.
    """
    if set(keys) >= AMASS and AMASS_RATES & set(keys):
        return "z", "as AMASS has it"
    if AIST in keys:
        return "y", "as AIST++ has it"
    up = Rotation.from_rotvec(roots).apply([0.0, 1.0, 0.0]).mean(axis=0)
    return ("z" if up[2] > up[1] else "y"), "by how the body stands"


def length_unit(way: Float[np.ndarray, "frame 3"], up: str, fps: float) -> tuple[float, str]:
    """Metres in the unit that a way is counted in, and the unit's name: metres, unless they would be absurd."""
    height = float(np.median(way[:, "xyz".index(up)]))
    steps = np.linalg.norm(np.diff(way, axis=0), axis=1) * fps
    speed = float(np.quantile(steps, MOVING_SHARE)) if len(steps) else 0.0
    if height > HIGHEST_PELVIS_M:
        unit = MILLIMETRE if height > MILLIMETRES_HIGH else CENTIMETRE
        why = f"the pelvis is {height:.4g} high"
    elif speed > FASTEST_M_S:
        unit = MILLIMETRE if speed > MILLIMETRES_FAST else CENTIMETRE
        why = f"it moves {speed:.4g} a second"
    else:
        return 1.0, "metres"
    return unit, f"{'centimetres' if unit == CENTIMETRE else 'millimetres'}, since {why}"
