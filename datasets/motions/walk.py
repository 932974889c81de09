"""Walking: two gait cycles in a straight line.

Timing and angles follow the textbook description of level walking (Perry, Gait Analysis, 1992): stance takes 62 % of
a leg's cycle, heel contact with raised toes, heel off at 40 %, toe off at 62 %; the pelvis is lowest with both feet on
the ground, sways over the supporting leg, and rotates and drops with the swinging one.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sherf.datasets.motions.curves import bump, euler, keyframes, phases, smooth_below, step, swing
from sherf.datasets.motions.rig import Foot, Plan, Rig, highest_pelvis, pose_arm, pose_head, pose_spine

FRAMES_PER_CYCLE = 33
CYCLES = 2
STRIDE_M = 1.16
"""Between two contacts of the same heel."""
TRACK_M = 0.075
"""Lateral distance of each foot from the line of walking."""
CLEARANCE_M = 0.03
"""Height of the swinging foot above the ground."""
TOE_OFF = 0.62
"""Phase at which the toes leave the ground."""


def walk(rig: Rig) -> Plan:
    """Plan a walk at 1.07 m/s and 109 steps per minute; starts and ends when the left heel touches the ground."""
    cycle = phases(FRAMES_PER_CYCLE * CYCLES) * CYCLES
    feet = {"left": _foot(rig, cycle, 1.0, 0.0), "right": _foot(rig, cycle, -1.0, 0.5)}

    pelvis = np.zeros((len(cycle), 3))
    # Over the left foot in the middle of its stance, and slightly ahead of the feet.
    pelvis[:, 0] = 0.018 * swing(cycle, 0.31)
    pelvis[:, 2] = STRIDE_M * cycle + 0.03 + 0.008 * swing(cycle, 0.42, 2)
    orientation = euler(x=3.0 + 1.0 * swing(cycle, 0.05, 2), y=-5.0 * swing(cycle), z=3.0 * swing(cycle, 0.2))
    pelvis[:, 1] = smooth_below(highest_pelvis(rig, pelvis, orientation, feet), radius=3)

    yaw = 9.0 * swing(cycle, 0.02)
    joints = pose_spine(pitch=1.0 + 1.0 * swing(cycle, 0.1, 2), yaw=yaw, roll=-3.0 * swing(cycle, 0.2))
    joints |= pose_head(pitch=-3.0, yaw=5.0 * swing(cycle) - yaw, roll=0.5 * swing(cycle, 0.2))
    joints |= _arm("left", cycle, 0.5) | _arm("right", cycle, 0.0)
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
    # Ahead of the pelvis by a quarter stride at contact, stationary until the toes leave the ground.
    forward = STRIDE_M * (steps_taken + offset + step(phase, TOE_OFF - 0.05, 0.98) + 0.25)
    roll = keyframes(phase, {0: -20, 0.09: 0, 0.38: 0, 0.49: 12, 0.6: 42, 0.67: 50, 0.78: 22, 0.88: -8, 0.95: -19})
    toes = roll.clip(min=0) * (1 - step(phase, 0.56, 0.74)) * 0.95
    # Pointing toes lift the foot by their length while it leaves the ground.
    pointing = np.sin(np.radians((roll - toes).clip(min=0)))
    return Foot(
        position=np.stack([np.full_like(phase, side * TRACK_M), forward], -1),
        yaw=np.full_like(phase, side * 6.0),
        roll=roll,
        lift=rig.toes * pointing + CLEARANCE_M * bump(phase, TOE_OFF - 0.03, 0.99),
        toes=toes,
    )


def _arm(side: str, cycle: NDArray, peak: float) -> dict[str, Rotation]:
    """Return the rotations of an arm that swings with the opposite leg; the elbow bends most in front."""
    forward = swing(cycle, peak + 0.03)
    return pose_arm(
        side, down=72 - 2 * forward, forward=2 + 20 * forward, bend=22 + 11 * swing(cycle, peak + 0.08), twist=28
    )
