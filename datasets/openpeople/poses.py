"""Random poses: as people hold them in photos, frames of the built-in motions, and random within joint limits."""

from collections.abc import Callable
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import joint_index
from sherf.motion.motion import Motion
from sherf.motion.read import builtin_motions, read_motion
from sherf.photo.joint_limits import LOWER, STANCE, STIFFNESS, UPPER

Joints = Float[np.ndarray, "24 3"]
"""Parent-relative joint rotations in SMPL's order, axis-angle, radians."""
NATURAL_SHARE, MOTION_SHARE = 0.6, 0.2
"""Shares of drawn poses; the remaining ones are random."""
ARM_STEP_RADIANS = 0.07
"""How far `raise_arms` moves each arm, radians."""
LOOSENESS = 0.42
"""Standard deviation of random poses, as a share of the pose prior's."""


class _Pose:
    """A pose under construction. Left and right limbs take the same, mirrored arguments; angles in radians."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.joints = np.zeros((24, 3))
        self.joints += rng.normal(0, 0.03, (24, 3))
        self.joints[0] = 0

    def normal(self, mean: float, deviation: float) -> float:
        """Draw a normally distributed number."""
        return float(self.rng.normal(mean, deviation))

    def set_rotation(self, name: str, rotation: Rotation) -> None:
        """Set a joint's rotation, mirrored if the name begins with "right_"."""
        mirror = np.array([1.0, -1.0, -1.0]) if name.startswith("right_") else 1.0
        self.joints[joint_index(name)] = rotation.as_rotvec() * mirror

    def set_arm(self, side: str, out: float, forward: float, twist: float, bend: float, wrist: float = 0.0) -> None:
        """Set one arm: lowered from level by `out`, swung forward, twisted inwards, bent at the elbow and wrist."""
        shoulder = Rotation.from_euler("x", -forward) * Rotation.from_euler("z", -out) * Rotation.from_euler("x", twist)
        self.set_rotation(f"{side}_shoulder", shoulder)
        self.set_rotation(f"{side}_elbow", Rotation.from_euler("y", -bend))
        self.set_rotation(f"{side}_wrist", Rotation.from_euler("z", wrist))

    def set_leg(self, side: str, forward: float, out: float, bend: float, turned: float = 0.0) -> None:
        """Set one leg: lifted forward and outwards at the hip, bent at the knee; the foot stays level."""
        hip = Rotation.from_euler("z", out) * Rotation.from_euler("x", -forward) * Rotation.from_euler("y", turned)
        self.set_rotation(f"{side}_hip", hip)
        self.set_rotation(f"{side}_knee", Rotation.from_euler("x", bend))
        level = Rotation.from_euler("x", forward - bend) * Rotation.from_euler("z", -out)
        self.set_rotation(f"{side}_ankle", level)

    def hang_arm(self, side: str) -> None:
        """Let an arm hang down."""
        self.set_arm(
            side, self.normal(1.22, 0.07), self.normal(0.02, 0.08), self.normal(0.1, 0.2), abs(self.normal(0.25, 0.12))
        )

    def stand(self) -> None:
        """Stand with legs slightly apart, sometimes with the weight on one leg."""
        apart = self.normal(-0.01, 0.04)
        for side in ("left", "right"):
            self.set_leg(side, self.normal(0.0, 0.03), apart, abs(self.normal(0.04, 0.03)), abs(self.normal(0.12, 0.1)))
        if self.rng.random() < 0.4:
            self.contrapposto()

    def contrapposto(self) -> None:
        """Shift the weight to one leg: the hips tilt, the spine compensates, the free knee bends."""
        side, tilt = str(self.rng.choice(["left", "right"])), self.rng.uniform(0.03, 0.1)
        sign = 1.0 if side == "left" else -1.0
        self.joints[0] = [0.0, 0.0, sign * tilt]
        self.joints[3] = [0.0, 0.0, -0.7 * sign * tilt]
        self.joints[6] = [0.0, 0.0, -0.6 * sign * tilt]
        other = "right" if side == "left" else "left"
        bend = self.rng.uniform(0.2, 0.45)
        self.set_leg(side, 0.0, -tilt, 0.03)
        self.set_leg(other, 0.5 * bend, 0.03 + tilt, bend, 0.25)

    def turn_head(self) -> None:
        """Turn and nod the head slightly."""
        self.joints[15] = [self.normal(0.0, 0.1), self.normal(0.0, 0.22), self.normal(0.0, 0.07)]
        self.joints[12] = 0.5 * self.joints[15]


def _by_the_side(p: _Pose) -> None:
    p.hang_arm("left")
    p.hang_arm("right")


def _on_hips(p: _Pose) -> None:
    for side in ("left", "right"):
        _hand_on_hip(p, side)


def _one_on_hip(p: _Pose) -> None:
    sides = ["left", "right"] if p.rng.random() < 0.5 else ["right", "left"]
    _hand_on_hip(p, sides[0])
    p.hang_arm(sides[1])


def _hand_on_hip(p: _Pose, side: str) -> None:
    p.set_arm(side, p.normal(0.55, 0.05), p.normal(-0.25, 0.06), p.normal(1.4, 0.08), p.normal(1.8, 0.06), -0.3)


def _in_pockets(p: _Pose) -> None:
    for side in ("left", "right"):
        p.set_arm(side, p.normal(1.2, 0.04), p.normal(-0.2, 0.05), p.normal(0.6, 0.08), p.normal(0.9, 0.06))


def _crossed(p: _Pose) -> None:
    upper = str(p.rng.choice(["left", "right"]))
    for side in ("left", "right"):
        lift = 0.12 if side == upper else 0.0
        p.set_arm(
            side, p.normal(1.12, 0.03), p.normal(0.5 + lift, 0.04), p.normal(1.15, 0.06), p.normal(1.62 + lift, 0.05)
        )


def _carrying(p: _Pose) -> None:
    for side in ("left", "right"):
        p.set_arm(side, p.normal(1.25, 0.05), p.normal(0.15, 0.08), p.normal(0.15, 0.1), p.normal(1.35, 0.12))


def _on_the_phone(p: _Pose) -> None:
    sides = ["left", "right"] if p.rng.random() < 0.5 else ["right", "left"]
    p.set_arm(sides[0], p.normal(1.15, 0.06), p.normal(0.25, 0.1), p.normal(0.45, 0.1), p.normal(2.05, 0.1))
    p.hang_arm(sides[1])


def _greeting(p: _Pose) -> None:
    sides = ["left", "right"] if p.rng.random() < 0.5 else ["right", "left"]
    p.set_arm(sides[0], p.normal(0.35, 0.2), p.normal(0.1, 0.1), p.normal(-1.4, 0.1), p.normal(1.5, 0.25))
    p.hang_arm(sides[1])


def _behind_back(p: _Pose) -> None:
    for side in ("left", "right"):
        p.set_arm(side, p.normal(1.12, 0.04), p.normal(-0.55, 0.05), p.normal(0.7, 0.08), p.normal(0.55, 0.08))


def _folded(p: _Pose) -> None:
    """Hold the hands together in front of the belly."""
    for side in ("left", "right"):
        p.set_arm(side, p.normal(1.2, 0.04), p.normal(0.15, 0.05), p.normal(0.75, 0.06), p.normal(0.95, 0.06))


def _apart(p: _Pose) -> None:
    """Hold the arms as in the A-pose of body scans."""
    for side in ("left", "right"):
        p.set_arm(side, p.normal(0.75, 0.15), p.normal(0.0, 0.08), p.normal(0.0, 0.1), abs(p.normal(0.15, 0.1)))


def _level(p: _Pose) -> None:
    for side in ("left", "right"):
        p.set_arm(side, p.normal(0.05, 0.12), p.normal(0.0, 0.1), p.normal(0.0, 0.1), abs(p.normal(0.1, 0.1)))


def _walking(p: _Pose) -> None:
    step, side = p.rng.uniform(0.2, 0.4), str(p.rng.choice(["left", "right"]))
    other = "right" if side == "left" else "left"
    p.set_leg(side, step, 0.02, p.normal(0.12, 0.04))
    p.set_leg(other, -0.8 * step, 0.02, p.normal(0.5, 0.12))
    p.set_arm(side, p.normal(1.25, 0.05), -0.9 * step, 0.1, p.normal(0.3, 0.1))
    p.set_arm(other, p.normal(1.25, 0.05), 0.9 * step, 0.2, p.normal(0.5, 0.15))
    p.joints[9] = [0.0, (-0.12 if side == "left" else 0.12), 0.0]


def _sitting(p: _Pose) -> None:
    apart = p.rng.uniform(0.05, 0.28)
    lift = p.normal(1.42, 0.06)
    for side in ("left", "right"):
        p.set_leg(side, lift, apart, p.normal(lift, 0.1))
        p.set_arm(side, p.normal(1.2, 0.04), p.normal(0.42, 0.06), p.normal(0.3, 0.1), p.normal(0.75, 0.1))
    p.joints[3] = [p.normal(0.08, 0.06), 0.0, 0.0]


NATURAL: dict[str, tuple[float, Callable[[_Pose], None]]] = {
    "by the side": (0.22, _by_the_side),
    "hands on hips": (0.08, _on_hips),
    "one hand on a hip": (0.08, _one_on_hip),
    "hands in pockets": (0.09, _in_pockets),
    "arms crossed": (0.06, _crossed),
    "carrying": (0.06, _carrying),
    "on the phone": (0.05, _on_the_phone),
    "greeting": (0.05, _greeting),
    "hands behind the back": (0.04, _behind_back),
    "hands folded": (0.05, _folded),
    "arms apart": (0.07, _apart),
    "arms level": (0.02, _level),
    "walking": (0.08, _walking),
    "sitting": (0.05, _sitting),
}
"""Relative frequency of each pose, and the function that sets the arms (and legs). Names are stored in records."""


def natural_pose(rng: np.random.Generator, name: str | None = None) -> tuple[str, Joints]:
    """Draw a natural pose.

    Args:
        rng: random numbers.
        name: a key of `NATURAL`; None draws one.

    Returns:
        The pose's name and joint rotations.

    Raises:
        KeyError: unknown name.
    """
    if name is None:
        shares = np.array([share for share, _ in NATURAL.values()])
        name = str(rng.choice(list(NATURAL), p=shares / shares.sum()))
    pose = _Pose(rng)
    pose.stand()
    pose.turn_head()
    NATURAL[name][1](pose)
    return name, pose.joints


def motion_pose(rng: np.random.Generator) -> tuple[str, Joints]:
    """Draw a frame of a built-in motion; the name is the motion's and the frame's number."""
    name = str(rng.choice(builtin_motions()))
    motion = _motion(name)
    frame = int(rng.integers(len(motion)))
    return f"{name} {frame}", motion.joints[frame].double().numpy()


def random_pose(rng: np.random.Generator) -> tuple[str, Joints]:
    """Draw any pose within the joint limits, normally distributed about standing with lowered arms."""
    stance, spread = STANCE.double().numpy(), LOOSENESS / STIFFNESS.double().numpy()
    joints = np.clip(stance + rng.normal(0, 1, (24, 3)) * spread, LOWER.double().numpy(), UPPER.double().numpy())
    joints[0] = rng.normal(0, 0.08, 3)
    return "random", joints


def draw_pose(rng: np.random.Generator) -> tuple[str, Joints]:
    """Draw a natural pose, a frame of a motion, or a random pose, facing approximately +z; return name and joints."""
    kind = rng.random()
    if kind < NATURAL_SHARE:
        return natural_pose(rng)
    if kind < NATURAL_SHARE + MOTION_SHARE:
        return motion_pose(rng)
    return random_pose(rng)


def raise_arms(joints: Joints) -> Joints:
    """Return the pose with both arms rotated away from the body by `ARM_STEP_RADIANS`."""
    opened = joints.copy()
    for name, sign in (("left_shoulder", 1.0), ("right_shoulder", -1.0)):
        joint = joint_index(name)
        away = Rotation.from_euler("z", sign * ARM_STEP_RADIANS)
        opened[joint] = (away * Rotation.from_rotvec(joints[joint])).as_rotvec()
    return opened


@cache
def _motion(name: str) -> Motion:
    return read_motion(name)
