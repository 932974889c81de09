"""Infer what files of SMPL parameters leave unsaid: the up axis, and the unit of the root trajectory."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

AMASS_KEYS = frozenset({"poses", "trans", "betas", "gender"})
AMASS_RATE_KEYS = frozenset({"mocap_framerate", "mocap_frame_rate"})
AIST_KEY = "smpl_poses"
MAX_PELVIS_HEIGHT_M, MAX_SPEED_M_S = 10.0, 50.0
"""Of a person; a trajectory beyond either is not in metres."""
MAX_PELVIS_HEIGHT_CM, MAX_SPEED_CM_S = 500.0, 1000.0
"""A trajectory beyond 5 m of pelvis height, or 10 m/s, is not in centimetres either."""
SPEED_QUANTILE = 0.9
"""Of the speeds of all frames: single frames may jump, and people stand still at times."""
CENTIMETRE, MILLIMETRE = 0.01, 0.001


def up_axis(keys: Collection[str], global_orientations: Float[np.ndarray, "frame 3"]) -> tuple[str, str]:
    """Determine a file's up axis.

    AMASS (Mahmood et al. 2019) is z up and AIST++ (Li et al. 2021) y up by definition; for other files it is the axis
    along which the body mostly stands.

    Args:
        keys: names of all arrays in the file.
        global_orientations: axis-angle, radians, in the file's world.

    Returns:
        "y" or "z", and how it was determined, in words.
    """
    if set(keys) >= AMASS_KEYS and AMASS_RATE_KEYS & set(keys):
        return "z", "AMASS convention"
    if AIST_KEY in keys:
        return "y", "AIST++ convention"
    up = Rotation.from_rotvec(global_orientations).apply([0.0, 1.0, 0.0]).mean(axis=0)
    return ("z" if up[2] > up[1] else "y"), "from the body's orientation"


def length_unit(trajectory: Float[np.ndarray, "frame 3"], up: str, fps: float) -> tuple[float, str]:
    """Determine the unit of a root trajectory: metres, unless its height or speed would be implausible.

    Args:
        trajectory: positions of the root in the file's world and unit.
        up: the file's up axis, "y" or "z".
        fps: frames per second.

    Returns:
        The unit in metres, and its name with the reason.
    """
    height = float(np.median(trajectory[:, "xyz".index(up)]))
    speeds = np.linalg.norm(np.diff(trajectory, axis=0), axis=1) * fps
    speed = float(np.quantile(speeds, SPEED_QUANTILE)) if len(speeds) else 0.0
    if height > MAX_PELVIS_HEIGHT_M:
        unit = MILLIMETRE if height > MAX_PELVIS_HEIGHT_CM else CENTIMETRE
        reason = f"the pelvis is at height {height:.4g}"
    elif speed > MAX_SPEED_M_S:
        unit = MILLIMETRE if speed > MAX_SPEED_CM_S else CENTIMETRE
        reason = f"the speed is {speed:.4g} per second"
    else:
        return 1.0, "metres"
    return unit, f"{'centimetres' if unit == CENTIMETRE else 'millimetres'}, since {reason}"
