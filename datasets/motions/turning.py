"""Turning on the spot: a whole turn to the left in small steps."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from sherf.datasets.motions.curves import below, bump, phases, step, turned
from sherf.datasets.motions.rig import Foot, Plan, Rig, arm, head, highest_pelvis, spine
from sherf.datasets.motions.standing import STANCE_M, TOES_OUT_DEGREES

STEPS = 7
"""Steps of each foot; each turns it by a seventh of the circle."""
SHARE_OF_REST = 0.05
"""Share of the time before the first step and after the last one."""


def turn(rig: Rig) -> Plan:
    """Four seconds: the left foot leads, the right one follows, seven times."""
    phase = phases(120)
    feet = {side: _foot(phase, side) for side in ("left", "right")}
    headings = {side: np.radians(foot.yaw) for side, foot in feet.items()}
    yaw = np.degrees((headings["left"] + headings["right"]) / 2)
    yaw = gaussian_filter1d(yaw, 4.0, mode="nearest")

    # Over the standing foot while the other one is in the air.
    lifted = {side: gaussian_filter1d(foot.lift, 2.5, mode="wrap") / foot.lift.max() for side, foot in feet.items()}
    pelvis = np.zeros((len(phase), 3))
    for side, other in (("left", "right"), ("right", "left")):
        pelvis[:, [0, 2]] += 0.45 * lifted[other][:, None] * feet[side].place
    pelvis += turned(y=yaw).apply([0, 0, 0.012])
    lean = lifted["right"] - lifted["left"]
    orientation = turned(y=yaw) * turned(x=2.0, z=2.0 * lean)
    pelvis[:, 1] = below(highest_pelvis(rig, pelvis, orientation, feet), radius=3)

    # The head looks ahead into the turn while it lasts.
    turning = step(phase, 0.0, 0.15) - step(phase, 0.85, 1.0)
    joints = spine(pitch=1.0, yaw=6.0 * turning, roll=-2.5 * lean) | head(yaw=14.0 * turning)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints |= arm(
            side,
            down=71 - 4 * turning,
            forward=1 + 5 * sign * lean - 2 * sign * turning,
            bend=16 + 8 * turning,
            twist=25,
        )
    return Plan(pelvis, orientation, feet, joints)


def _foot(phase: NDArray, side: str) -> Foot:
    """Steps of equal length in time; left and right take turns."""
    sign = 1.0 if side == "left" else -1.0
    slot = (1 - 2 * SHARE_OF_REST) / (2 * STEPS)
    heading, lift, roll = np.zeros_like(phase), np.zeros_like(phase), np.zeros_like(phase)
    for number in range(STEPS):
        start = SHARE_OF_REST + slot * (2 * number + (side == "right"))
        # Each step begins a little before the other foot has come to rest.
        begin, end = start - 0.1 * slot, start + 1.0 * slot
        heading += 360 / STEPS * step(phase, begin, end)
        lift += 0.035 * bump(phase, begin, end)
        roll += 14.0 * bump(phase, begin - 0.2 * slot, begin + 0.7 * slot)
    place = turned(y=heading).apply([sign * STANCE_M, 0, 0])
    return Foot(place[:, [0, 2]], heading + sign * TOES_OUT_DEGREES, roll, lift, np.zeros_like(phase))
