"""A four-second dance at 120 beats per minute: step-touch from side to side, arms pumping low, then swaying high."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sherf.datasets.motions.curves import bump, euler, keyframes, phases, smooth_below, step, swing
from sherf.datasets.motions.rig import Foot, Plan, Rig, highest_pelvis, pose_arm, pose_head, pose_spine

BEATS = 8
SIDE_STEP_M = 0.22
"""How far each step-touch goes to the side."""
HALF_WIDTH_M = 0.10


def dance(rig: Rig) -> Plan:
    """Plan eight beats: step left, touch, step right, touch; twice."""
    beat = phases(120) * BEATS
    feet = {"left": _foot(beat, 1.0, leads=0, follows=3), "right": _foot(beat, -1.0, leads=2, follows=1)}

    # Side to side once in four beats, lowest on every beat.
    side = swing(beat / 4, 0.35)
    down = swing(beat, 0.12)
    pelvis = np.zeros((len(beat), 3))
    pelvis[:, 0] = SIDE_STEP_M / 2 + 0.115 * side
    pelvis[:, 2] = 0.012 + 0.012 * swing(beat / 2, 0.2)
    hips = swing(beat / 2, 0.55)
    orientation = euler(x=3.0 + 2.0 * down, y=9.0 * swing(beat / 4, 0.22), z=5.0 * hips)
    room = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=4)
    pelvis[:, 1] = room - 0.020 - 0.016 * down

    joints = pose_spine(pitch=2.0 + 2.5 * down, yaw=-13.0 * swing(beat / 4, 0.26), roll=-7.0 * hips - 3.0 * side)
    joints |= pose_head(pitch=-1.0 + 4.0 * swing(beat, 0.2), yaw=6.0 * side, roll=4.0 * swing(beat / 2, 0.65))
    # Low in the first four beats, high in the other four.
    high = keyframes(beat / BEATS, {0.06: 0, 0.42: 0, 0.6: 1, 0.86: 1})
    high = high * high * (3 - 2 * high)
    for name, sign in (("left", 1.0), ("right", -1.0)):
        joints |= _arm(name, beat, sign, high)
        joints[f"{name}_collar"] = euler(z=sign * (2.0 * swing(beat / 2, 0.3 + 0.25 * sign) + 10.0 * high))
    return Plan(pelvis, orientation, feet, joints)


def _foot(beat: NDArray, sign: float, leads: int, follows: int) -> Foot:
    """Plan a foot that leads the step to its own side and follows the other foot back two beats later."""
    x, lift, heel = np.zeros_like(beat), np.zeros_like(beat), np.zeros_like(beat)
    for half in (-4, 0, 4):
        out = sign * (step(beat, leads + half - 0.1, leads + half + 0.62))
        back = sign * (step(beat, follows + half - 0.1, follows + half + 0.62))
        # The leading foot moves to its own side; following, it returns to the other foot.
        x += SIDE_STEP_M * (out - back)
        lift += 0.05 * (
            bump(beat, leads + half - 0.1, leads + half + 0.62)
            + bump(beat, follows + half - 0.1, follows + half + 0.62)
        )
        # The following foot touches with its ball only, until it leads again.
        heel += 24.0 * (
            step(beat, follows + half + 0.1, follows + half + 0.6)
            - step(beat, follows + half + 1.0, follows + half + 1.5)
        )
    position = np.stack([x - x.min() * (sign < 0) + sign * HALF_WIDTH_M, np.zeros_like(beat)], -1)
    return Foot(position, np.full_like(beat, sign * 12.0), heel, lift, heel * 0.9)


def _arm(name: str, beat: NDArray, sign: float, high: NDArray) -> dict[str, Rotation]:
    """Return one arm's rotations. Low: elbows bent, fists pumping alternately. High: hands overhead, swaying."""
    pump = sign * swing(beat / 2, 0.1)
    sway = swing(beat / 2, 0.55)
    low = {"down": 62 + 4 * pump, "forward": 8 + 24 * pump, "bend": 82 + 12 * pump, "twist": 18}
    up = {"down": -38 + sign * 9 * sway, "forward": 6, "bend": 52 + sign * 14 * sway, "twist": -78}
    return pose_arm(
        name, **{key: (1 - high) * low[key] + high * up[key] for key in low}, wrist=8 * swing(beat / 2, 0.7)
    )
