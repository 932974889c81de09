"""Motions with a flight phase: jump and run."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from sherf.datasets.motions.curves import bump, euler, keyframes, phases, smooth_below, step, swing
from sherf.datasets.motions.rig import Foot, Plan, Rig, highest_pelvis, pose_arm, pose_head, pose_spine

GRAVITY = 9.81
"""m/s^2."""

TAKE_OFF_S, LANDING_S = 0.90, 1.30
JUMP_SECONDS = 2.5
"""Of the whole jump; its 0.4 s of flight reach a height of 20 cm."""

FRAMES_PER_CYCLE, CYCLES = 22, 3
STRIDE_M = 1.9
"""Between two contacts of the same foot: 2.6 m/s, an easy run."""
STANCE = 0.36
"""Fraction of a cycle during which a foot is on the ground."""
AHEAD_M = 0.26
"""How far in front of the pelvis a foot lands."""
TRACK_M = 0.05
"""Lateral distance of each foot from the line of running."""


def jump(rig: Rig) -> Plan:
    """Plan a jump of 2.5 seconds: a crouch with the arms back, take-off, a soft landing."""
    time = phases(75) * JUMP_SECONDS
    flying = ((time - TAKE_OFF_S) / (LANDING_S - TAKE_OFF_S)).clip(0, 1)
    height = GRAVITY * (LANDING_S - TAKE_OFF_S) ** 2 / 8 * 4 * flying * (1 - flying)
    # The heels leave the ground first and land last.
    roll = keyframes(time / JUMP_SECONDS, {0.0: 0, 0.27: 0, 0.36: 48, 0.44: 42, 0.52: 26, 0.58: 0, 0.9: 0})
    toes = roll * (
        1 - step(time, TAKE_OFF_S - 0.06, TAKE_OFF_S + 0.06) + step(time, LANDING_S - 0.06, LANDING_S + 0.02)
    )
    pointing = np.sin(np.radians((roll - toes).clip(min=0)))
    zero = np.zeros_like(time)
    feet = {
        side: Foot(
            np.stack([zero + sign * 0.11, zero], -1), zero + sign * 10.0, roll, height + rig.toes * pointing, toes
        )
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    crouch = keyframes(time / JUMP_SECONDS, {0.02: 0, 0.25: 1, 0.37: 0, 0.5: 0.05, 0.62: 0.8, 0.92: 0})
    pelvis = np.stack([zero, zero, 0.012 - 0.12 * crouch], -1)
    orientation = euler(x=1.0 + 24.0 * crouch)
    pelvis[:, 1] = highest_pelvis(rig, pelvis, orientation, feet) - 0.02 - 0.26 * rig.leg * crouch
    pelvis[:, 1] = gaussian_filter1d(pelvis[:, 1], 0.7, mode="wrap")
    pelvis[:, 1] = np.minimum(pelvis[:, 1], highest_pelvis(rig, pelvis, orientation, feet))
    swinging = keyframes(time / JUMP_SECONDS, {0.02: 0, 0.23: -42, 0.38: 128, 0.5: 96, 0.66: 10, 0.95: 0})
    joints = pose_spine(pitch=1.0 + 12.0 * crouch) | pose_head(pitch=-20.0 * crouch - 4.0 * flying * (1 - flying))
    for side in ("left", "right"):
        joints |= pose_arm(side, down=70, forward=1 + swinging, bend=20 + 10 * crouch, twist=22)
    return Plan(pelvis, orientation, feet, joints)


def run(rig: Rig) -> Plan:
    """Plan three cycles of running in a straight line; starts and ends at a contact of the left foot."""
    cycle = phases(FRAMES_PER_CYCLE * CYCLES) * CYCLES
    feet = {"left": _foot(rig, cycle, 1.0, 0.0), "right": _foot(rig, cycle, -1.0, 0.5)}
    pelvis = np.zeros((len(cycle), 3))
    pelvis[:, 0] = 0.012 * swing(cycle, 0.2)
    pelvis[:, 2] = STRIDE_M * cycle + 0.006 * swing(cycle, 0.45, 2)
    orientation = euler(x=9.0 + 1.5 * swing(cycle, 0.1, 2), y=-7.0 * swing(cycle, 0.05), z=3.0 * swing(cycle, 0.2))
    room = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=2)
    # Lowest in the middle of each stance, highest in flight.
    bounce = rig.joint("pelvis")[1] - 0.055 - 0.035 * swing(cycle, STANCE / 2, 2)
    pelvis[:, 1] = np.minimum(room, bounce)
    pelvis[:, 1] = smooth_below(pelvis[:, 1], radius=2)
    yaw = 14.0 * swing(cycle, 0.02)
    joints = pose_spine(pitch=5.0, yaw=yaw, roll=-3.0 * swing(cycle, 0.2)) | pose_head(
        pitch=-9.0, yaw=7.0 * swing(cycle) - yaw
    )
    for side, peak in (("left", 0.5), ("right", 0.0)):
        forward = swing(cycle, peak + 0.03)
        joints |= pose_arm(side, down=66, forward=-4 + 36 * forward, bend=88 + 16 * swing(cycle, peak + 0.06), twist=34)
    return Plan(pelvis, orientation, feet, joints)


def _foot(rig: Rig, cycle: NDArray, side: float, offset: float) -> Foot:
    """Plan one foot.

    Args:
        rig: the rig.
        cycle: time in cycles, per frame.
        side: +1 left, -1 right.
        offset: fraction of a cycle by which this foot is later.

    Returns:
        The foot's trajectory.
    """
    foot_cycle = cycle - offset
    steps_taken, phase = np.floor(foot_cycle), foot_cycle % 1
    forward = STRIDE_M * (steps_taken + offset + step(phase, STANCE - 0.03, 0.97)) + AHEAD_M
    roll = keyframes(phase, {0: -6, 0.08: 0, 0.2: 4, 0.32: 42, 0.4: 66, 0.56: 92, 0.76: 36, 0.9: 0, 0.96: -6})
    toes = roll.clip(0, 45) * (1 - step(phase, STANCE - 0.04, STANCE + 0.16)) * 0.95
    pointing = np.sin(np.radians((roll.clip(0, 90) - toes).clip(min=0)))
    kick = 0.24 * bump(phase, STANCE - 0.02, 0.92) + 0.05 * bump(phase, 0.6, 0.99)
    return Foot(
        position=np.stack([np.full_like(phase, side * TRACK_M), forward], -1),
        yaw=np.full_like(phase, side * 4.0),
        roll=roll,
        lift=rig.toes * pointing * (1 - bump(phase, STANCE, 0.9)) + kick,
        toes=toes,
    )
