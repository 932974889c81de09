"""Motions with both feet planted: bow, stretch, sit and disco."""

import numpy as np

from sherf.datasets.motions.curves import euler, keyframes, phases, smooth_below, smoothstep, spline_keyframes, swing
from sherf.datasets.motions.rig import Plan, Rig, highest_pelvis, pose_arm, pose_head, pose_spine
from sherf.datasets.motions.standing import planted

SEAT_BACK_M = 0.34
"""How far behind its standing position the pelvis sits."""
SEAT_DROP = 0.40
"""How far the pelvis descends, in leg lengths: a chair of 45 cm."""


def bow(rig: Rig) -> Plan:
    """Plan a bow of 3 seconds: down from the hips, a pause, up again; the hands slide down the thighs."""
    phase = phases(90)
    feet = planted(len(phase), half_width=0.07)
    depth = smoothstep(keyframes(phase, {0.04: 0, 0.36: 1, 0.56: 1, 0.94: 0}))
    pelvis = np.stack([np.zeros_like(phase), np.zeros_like(phase), 0.012 - 0.09 * depth], -1)
    orientation = euler(x=1.0 + 30.0 * depth)
    pelvis[:, 1] = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=4)
    joints = pose_spine(pitch=1.0 + 16.0 * depth) | pose_head(pitch=10.0 * depth)
    for side in ("left", "right"):
        joints |= pose_arm(side, down=73 + depth, forward=1 + 22 * depth, bend=14 - 4 * depth, twist=25)
    return Plan(pelvis, orientation, feet, joints)


def stretch(rig: Rig) -> Plan:
    """Plan a stretch of 4 seconds: arms up sideways, the trunk leans left and right, arms down."""
    phase = phases(120)
    feet = planted(len(phase), half_width=0.13)
    up = smoothstep(keyframes(phase, {0.02: 0, 0.22: 1, 0.78: 1, 0.98: 0}))
    lean = keyframes(phase, {0.2: 0, 0.38: 1, 0.44: 1, 0.6: -1, 0.66: -1, 0.82: 0})
    pelvis = np.stack([0.05 * lean, np.zeros_like(phase), np.full_like(phase, 0.012)], -1)
    orientation = euler(x=1.0 - 2.0 * up, z=-2.0 * lean)
    pelvis[:, 1] = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=4)
    joints = pose_spine(pitch=1.0 - 7.0 * up, roll=-20.0 * lean)
    joints |= pose_head(pitch=-8.0 * up, roll=-6.0 * lean)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints |= pose_arm(side, down=72 - 132 * up, forward=1 + 4 * up, bend=16 + 12 * up, twist=25 - 60 * up)
        joints[f"{side}_collar"] = euler(z=sign * 14.0 * up)
    return Plan(pelvis, orientation, feet, joints)


def sit(rig: Rig) -> Plan:
    """Plan 4 seconds of sitting: down onto an imaginary chair, a rest with the hands on the knees, up again."""
    phase = phases(120)
    feet = planted(len(phase), half_width=0.12, toes_out=10.0)
    depth = smoothstep(keyframes(phase, {0.03: 0, 0.33: 1, 0.66: 1, 0.95: 0}))
    # The trunk leans far forward on the way, for balance.
    lean = 4 * depth * (1 - depth)
    pelvis = np.stack([np.zeros_like(phase), np.zeros_like(phase), 0.012 - SEAT_BACK_M * depth], -1)
    orientation = euler(x=1.0 + 26.0 * lean - 4.0 * depth)
    standing = highest_pelvis(rig, pelvis * [1, 1, 0], euler(x=np.ones_like(phase)), feet)
    pelvis[:, 1] = standing - SEAT_DROP * rig.leg * depth
    joints = pose_spine(pitch=1.0 + 14.0 * lean + 3.0 * depth)
    joints |= pose_head(pitch=-22.0 * lean, yaw=8.0 * depth * np.sin(2 * np.pi * (phase - 0.33) * 3))
    for side in ("left", "right"):
        joints |= pose_arm(
            side, down=74, forward=1 + 16 * depth + 22 * lean, bend=16 + 40 * depth, twist=25 + 10 * depth
        )
    return Plan(pelvis, orientation, feet, joints)


def disco(rig: Rig) -> Plan:
    """Plan 4 seconds at 120 beats per minute: the right hand points up and across, hips and knees follow the beat."""
    phase = phases(120)
    beat = phase * 8
    feet = planted(len(phase), half_width=0.20, toes_out=16.0)
    side = swing(beat / 2, 0.3)
    down = swing(beat, 0.15)
    pelvis = np.stack([0.06 * side, np.zeros_like(phase), np.full_like(phase, 0.012)], -1)
    orientation = euler(x=2.0 + 2.0 * down, y=7.0 * swing(beat / 4, 0.3), z=4.0 * side)
    room = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=4)
    pelvis[:, 1] = room - 0.025 - 0.018 * down
    up = spline_keyframes(beat / 4 % 1, {0.0: 1, 0.14: 1, 0.46: 0, 0.62: 0, 0.96: 1}).clip(-0.1, 1.1)
    joints = pose_spine(pitch=1.0 + 2.0 * down, yaw=16.0 * (up - 0.5), roll=-4.0 * side)
    joints |= pose_head(pitch=-10.0 * up, yaw=-20.0 * (up - 0.4), roll=3.0 * side)
    joints |= pose_arm("right", down=58 - 104 * up, forward=42 - 22 * up, bend=58 - 46 * up, twist=52 - 70 * up)
    joints["right_collar"] = euler(z=-10.0 * up)
    joints |= pose_arm("left", down=58 + 4 * down, forward=-6 + 5 * side, bend=78 + 6 * down, twist=10)
    return Plan(pelvis, orientation, feet, joints)
