"""Turning in place: a full turn to the left in small steps."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from sherf.datasets.motions.curves import bump, euler, phases, smooth_below, step
from sherf.datasets.motions.rig import Foot, Plan, Rig, highest_pelvis, pose_arm, pose_head, pose_spine
from sherf.datasets.motions.standing import STANCE_M, TOES_OUT_DEGREES

STEPS = 7
"""Steps of each foot; each rotates it by a seventh of the circle."""
REST_FRACTION = 0.05
"""Fraction of the time before the first step and after the last one."""


def turn(rig: Rig) -> Plan:
    """Plan a turn of 4 seconds: the left foot leads, the right one follows, seven times."""
    phase = phases(120)
    feet = {side: _foot(phase, side) for side in ("left", "right")}
    headings = {side: np.radians(foot.yaw) for side, foot in feet.items()}
    yaw = np.degrees((headings["left"] + headings["right"]) / 2)
    yaw = gaussian_filter1d(yaw, 4.0, mode="nearest")

    # Over the supporting foot while the other one is in the air.
    lifted = {side: gaussian_filter1d(foot.lift, 2.5, mode="wrap") / foot.lift.max() for side, foot in feet.items()}
    pelvis = np.zeros((len(phase), 3))
    for side, other in (("left", "right"), ("right", "left")):
        pelvis[:, [0, 2]] += 0.45 * lifted[other][:, None] * feet[side].position
    pelvis += euler(y=yaw).apply([0, 0, 0.012])
    lean = lifted["right"] - lifted["left"]
    orientation = euler(y=yaw) * euler(x=2.0, z=2.0 * lean)
    pelvis[:, 1] = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=3)

    # The head looks into the turn while it lasts.
    turning = step(phase, 0.0, 0.15) - step(phase, 0.85, 1.0)
    joints = pose_spine(pitch=1.0, yaw=6.0 * turning, roll=-2.5 * lean) | pose_head(yaw=14.0 * turning)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints |= pose_arm(
            side,
            down=71 - 4 * turning,
            forward=1 + 5 * sign * lean - 2 * sign * turning,
            bend=16 + 8 * turning,
            twist=25,
        )
    return Plan(pelvis, orientation, feet, joints)


def _foot(phase: NDArray, side: str) -> Foot:
    """Plan one foot: steps of equal duration, left and right alternately."""
    sign = 1.0 if side == "left" else -1.0
    slot = (1 - 2 * REST_FRACTION) / (2 * STEPS)
    heading, lift, roll = np.zeros_like(phase), np.zeros_like(phase), np.zeros_like(phase)
    for number in range(STEPS):
        start = REST_FRACTION + slot * (2 * number + (side == "right"))
        # Each step begins slightly before the other foot has come to rest.
        begin, end = start - 0.1 * slot, start + 1.0 * slot
        heading += 360 / STEPS * step(phase, begin, end)
        lift += 0.035 * bump(phase, begin, end)
        roll += 14.0 * bump(phase, begin - 0.2 * slot, begin + 0.7 * slot)
    position = euler(y=heading).apply([sign * STANCE_M, 0, 0])
    return Foot(position[:, [0, 2]], heading + sign * TOES_OUT_DEGREES, roll, lift, np.zeros_like(phase))
