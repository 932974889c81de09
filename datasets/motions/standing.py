"""Motions with both feet planted: idle, wave, squat."""

import numpy as np
from numpy.typing import NDArray

from sherf.datasets.motions.curves import (
    euler,
    keyframes,
    phases,
    smooth_below,
    smoothstep,
    spline_keyframes,
    step,
    swing,
)
from sherf.datasets.motions.rig import Foot, Plan, Rig, highest_pelvis, pose_arm, pose_head, pose_spine

STANCE_M = 0.10
"""Lateral distance of each foot from the midline when standing at ease."""
TOES_OUT_DEGREES = 8.0


def planted(frames: int, half_width: float = STANCE_M, toes_out: float = TOES_OUT_DEGREES) -> dict[str, Foot]:
    """Plan both feet flat on the ground for so many frames, the ankles on the x axis."""
    zero = np.zeros(frames)
    return {
        side: Foot(np.stack([zero + sign * half_width, zero], -1), zero + sign * toes_out, zero, zero, zero)
        for side, sign in (("left", 1.0), ("right", -1.0))
    }


def idle(rig: Rig) -> Plan:
    """Plan 4 seconds of standing: one shift of weight to the left leg and back, two breaths, a look around."""
    phase = phases(120)
    feet = planted(len(phase))
    weight = swing(phase, 0.3)
    pelvis = np.stack([0.022 * weight, np.zeros_like(phase), 0.012 + 0.004 * swing(phase, 0.1, 2)], -1)
    orientation = euler(x=1.0, y=1.5 * swing(phase, 0.4), z=1.6 * weight)
    pelvis[:, 1] = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=5)

    breath = swing(phase, 0.2, 2)
    joints = pose_spine(pitch=1.0 - 1.2 * breath, yaw=-1.5 * swing(phase, 0.45), roll=-2.2 * weight)
    joints |= pose_head(
        pitch=1.0 + 0.8 * breath,
        yaw=spline_keyframes(phase, {0: 0, 0.2: 7, 0.45: 4, 0.7: -8, 0.9: -3}),
        roll=0.6 * weight,
    )
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints |= pose_arm(
            side,
            down=72 - 1.2 * breath + sign * weight,
            forward=1 + 1.5 * swing(phase, 0.5 + 0.1 * sign),
            bend=16 + 2 * swing(phase, 0.6),
            twist=25,
        )
        joints[f"{side}_collar"] = euler(z=sign * (0.5 + 1.2 * breath))
    return Plan(pelvis, orientation, feet, joints)


def wave(rig: Rig) -> Plan:
    """Plan a wave of 3 seconds: the right arm goes up, the hand swings four times, the arm comes down."""
    phase = phases(90)
    feet = planted(len(phase))
    raised = step(phase, 0.02, 0.24) - step(phase, 0.76, 0.98)
    pelvis = np.stack([0.012 * raised, np.zeros_like(phase), np.full_like(phase, 0.012)], -1)
    orientation = euler(x=1.0, y=-2.0 * raised, z=1.2 * raised)
    pelvis[:, 1] = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=5)

    # The hand swings from the elbow; the wrist lags by an eighth of a swing.
    waving = step(phase, 0.18, 0.3) - step(phase, 0.72, 0.82)
    forearm, wrist = (waving * np.sin(2 * np.pi * (phase - 0.2) * 8 - lag) for lag in (0.0, np.pi / 4))
    joints = pose_spine(pitch=1.0, yaw=-3.0 * raised, roll=-2.5 * raised - 1.0 * forearm)
    joints |= pose_head(pitch=-1.0 * raised, yaw=1.0 * raised, roll=4.0 * raised)
    joints |= pose_arm("left", down=72 + raised, forward=1 - 2 * raised, bend=16 + 4 * raised, twist=25)
    joints |= pose_arm(
        "right",
        down=72 - 60 * raised + 3 * forearm,
        forward=1 + 17 * raised,
        bend=16 + 74 * raised + 50 * _parabola(raised) + 22 * forearm,
        twist=25 - 92 * raised,
        wrist=12 * wrist,
    )
    joints["right_collar"] = euler(z=-7.0 * raised)
    return Plan(pelvis, orientation, feet, joints)


def squat(rig: Rig) -> Plan:
    """Plan a squat of 3 seconds: down until the thighs are level, a pause, up again; the arms balance in front."""
    phase = phases(90)
    feet = planted(len(phase), half_width=0.16, toes_out=20.0)
    depth = keyframes(phase, {0.04: 0, 0.44: 1, 0.54: 1, 0.94: 0})
    depth = smoothstep(depth)
    # Hips back and trunk forward, so that the weight stays over the feet.
    pelvis = np.stack([np.zeros_like(phase), np.zeros_like(phase), 0.012 - 0.19 * depth], -1)
    orientation = euler(x=1.0 + 27.0 * depth)
    standing = highest_pelvis(rig, pelvis * [1, 1, 0], euler(x=np.ones_like(phase)), feet)
    pelvis[:, 1] = standing - 0.46 * rig.leg * depth

    joints = pose_spine(pitch=1.0 + 14.0 * depth) | pose_head(pitch=-24.0 * depth)
    for side in ("left", "right"):
        joints |= pose_arm(
            side, down=72 - 4 * depth, forward=1 + 119 * depth, bend=16 - 6 * depth, twist=25 - 10 * depth
        )
    return Plan(pelvis, orientation, feet, joints)


def _parabola(share: NDArray) -> NDArray:
    """Return 4 x (1 - x): 0 at 0 and 1, 1 halfway."""
    return 4 * share * (1 - share)
