"""Walking: two cycles of human gait on a straight line.

Timing and angles follow the textbook description of level walking (Perry, Gait Analysis, 1992): stance takes 62 % of
a leg's cycle, heel contact with raised toes, heel off at 40 %, toe off at 62 %; the pelvis is lowest with both feet on
the ground, sways over the standing leg, and turns and drops with the swinging one.
"""

import numpy as np
from numpy.typing import NDArray

from sherf.datasets.motions.curves import below, bump, keyed, phases, step, swing
from sherf.datasets.motions.rig import Foot, Plan, Rig, arm, head, highest_pelvis, spine, turned

FRAMES_PER_CYCLE = 33
CYCLES = 2
STRIDE_M = 1.16
"""From one contact of a heel to its next."""
TRACK_M = 0.075
"""Distance of each foot from the line of walking."""
CLEARANCE_M = 0.03
TOE_OFF = 0.62


def walk(rig: Rig) -> Plan:
    """1.07 m/s at 109 steps a minute; starts and ends when the left heel touches the ground."""
    cycle = phases(FRAMES_PER_CYCLE * CYCLES) * CYCLES
    feet = {"left": _foot(rig, cycle, 1.0, 0.0), "right": _foot(rig, cycle, -1.0, 0.5)}

    pelvis = np.zeros((len(cycle), 3))
    # Over the left foot in the middle of its stance; the body runs a little ahead between its feet.
    pelvis[:, 0] = 0.018 * swing(cycle, 0.31)
    pelvis[:, 2] = STRIDE_M * cycle + 0.03 + 0.008 * swing(cycle, 0.42, 2)
    orientation = turned(x=3.0 + 1.0 * swing(cycle, 0.05, 2), y=-5.0 * swing(cycle), z=3.0 * swing(cycle, 0.2))
    pelvis[:, 1] = below(highest_pelvis(rig, pelvis, orientation, feet), radius=3)

    yaw = 9.0 * swing(cycle, 0.02)
    joints = spine(pitch=1.0 + 1.0 * swing(cycle, 0.1, 2), yaw=yaw, roll=-3.0 * swing(cycle, 0.2))
    joints |= head(pitch=-3.0, yaw=5.0 * swing(cycle) - yaw, roll=0.5 * swing(cycle, 0.2))
    joints |= _arm("left", cycle, 0.5) | _arm("right", cycle, 0.0)
    return Plan(pelvis, orientation, feet, joints)


def _foot(rig: Rig, cycle: NDArray, side: float, offset: float) -> Foot:
    """`side` is +1 left, -1 right; `offset` is the part of a cycle by which this foot is later."""
    own = cycle - offset
    taken, phase = np.floor(own), own % 1
    # Ahead of the pelvis by a quarter stride at contact, standing still until the toes leave the ground.
    forward = STRIDE_M * (taken + offset + step(phase, TOE_OFF - 0.05, 0.98) + 0.25)
    roll = keyed(phase, {0: -20, 0.09: 0, 0.38: 0, 0.49: 12, 0.6: 42, 0.67: 50, 0.78: 22, 0.88: -8, 0.95: -19})
    toes = roll.clip(min=0) * (1 - step(phase, 0.56, 0.74)) * 0.95
    # Toes that point down while the foot leaves the ground lift it by their own length.
    pointing = np.sin(np.radians((roll - toes).clip(min=0)))
    return Foot(
        place=np.stack([np.full_like(phase, side * TRACK_M), forward], -1),
        yaw=np.full_like(phase, side * 6.0),
        roll=roll,
        lift=rig.toes * pointing + CLEARANCE_M * bump(phase, TOE_OFF - 0.03, 0.99),
        toes=toes,
    )


def _arm(side: str, cycle: NDArray, peak: float) -> dict:
    """Swings with the opposite leg; the elbow bends most in front."""
    forward = swing(cycle, peak + 0.03)
    return arm(
        side, down=72 - 2 * forward, forward=2 + 20 * forward, bend=22 + 11 * swing(cycle, peak + 0.08), twist=28
    )
