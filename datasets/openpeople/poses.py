"""Poses as people hold them in photos, of the built-in motions, and at random within the joints' limits."""

from collections.abc import Callable
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import joint_index
from sherf.motion.motion import Motion, builtin_motions, read_motion
from sherf.photo.joint_limits import LOWER, STANCE, STIFFNESS, UPPER

Joints = Float[np.ndarray, "24 3"]
NATURAL_SHARE, MOTION_SHARE = 0.6, 0.2
"""Of drawn poses; the others are random."""
EASING = 0.07
"""Radians by which arms give way at a time."""
LOOSENESS = 0.42
"""Standard deviation of random poses as a share of the fit's prior."""


class _Pose:
    """Joint rotations being set, left and right alike."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.joints = np.zeros((24, 3))
        self.joints += rng.normal(0, 0.03, (24, 3))
        self.joints[0] = 0

    def about(self, mean: float, deviation: float) -> float:
        return float(self.rng.normal(mean, deviation))

    def turn(self, name: str, rotation: Rotation) -> None:
        """Set a joint's rotation; a name with "right_" mirrors it."""
        mirror = np.array([1.0, -1.0, -1.0]) if name.startswith("right_") else 1.0
        self.joints[joint_index(name)] = rotation.as_rotvec() * mirror

    def arm(self, side: str, out: float, forward: float, twist: float, bend: float, wrist: float = 0.0) -> None:
        """One arm: down from level by `out`, swung forward, turned inwards about itself, bent at the elbow. Radians."""
        shoulder = Rotation.from_euler("x", -forward) * Rotation.from_euler("z", -out) * Rotation.from_euler("x", twist)
        self.turn(f"{side}_shoulder", shoulder)
        self.turn(f"{side}_elbow", Rotation.from_euler("y", -bend))
        self.turn(f"{side}_wrist", Rotation.from_euler("z", wrist))

    def leg(self, side: str, forward: float, out: float, bend: float, turned: float = 0.0) -> None:
        """One leg: lifted forward and outwards from the hip, bent at the knee; the foot stays level. Radians."""
        hip = Rotation.from_euler("z", out) * Rotation.from_euler("x", -forward) * Rotation.from_euler("y", turned)
        self.turn(f"{side}_hip", hip)
        self.turn(f"{side}_knee", Rotation.from_euler("x", bend))
        level = Rotation.from_euler("x", forward - bend) * Rotation.from_euler("z", -out)
        self.turn(f"{side}_ankle", level)

    def hanging(self, side: str) -> None:
        self.arm(
            side, self.about(1.22, 0.07), self.about(0.02, 0.08), self.about(0.1, 0.2), abs(self.about(0.25, 0.12))
        )

    def standing(self) -> None:
        """Legs a little apart, sometimes the weight on one."""
        apart = self.about(-0.01, 0.04)
        for side in ("left", "right"):
            self.leg(side, self.about(0.0, 0.03), apart, abs(self.about(0.04, 0.03)), abs(self.about(0.12, 0.1)))
        if self.rng.random() < 0.4:
            self.contrapposto()

    def contrapposto(self) -> None:
        """Weight on one leg: the hips tilt, the spine bends back, the free knee gives way."""
        side, tilt = str(self.rng.choice(["left", "right"])), self.rng.uniform(0.03, 0.1)
        sign = 1.0 if side == "left" else -1.0
        self.joints[0] = [0.0, 0.0, sign * tilt]
        self.joints[3] = [0.0, 0.0, -0.7 * sign * tilt]
        self.joints[6] = [0.0, 0.0, -0.6 * sign * tilt]
        other = "right" if side == "left" else "left"
        bend = self.rng.uniform(0.2, 0.45)
        self.leg(side, 0.0, -tilt, 0.03)
        self.leg(other, 0.5 * bend, 0.03 + tilt, bend, 0.25)

    def looking(self) -> None:
        """The head turns and nods a little."""
        self.joints[15] = [self.about(0.0, 0.1), self.about(0.0, 0.22), self.about(0.0, 0.07)]
        self.joints[12] = 0.5 * self.joints[15]


def _by_the_side(p: _Pose) -> None:
    p.hanging("left")
    p.hanging("right")


def _on_hips(p: _Pose) -> None:
    for side in ("left", "right"):
        _hand_on_hip(p, side)


def _one_on_hip(p: _Pose) -> None:
    sides = ["left", "right"] if p.rng.random() < 0.5 else ["right", "left"]
    _hand_on_hip(p, sides[0])
    p.hanging(sides[1])


def _hand_on_hip(p: _Pose, side: str) -> None:
    p.arm(side, p.about(0.55, 0.05), p.about(-0.25, 0.06), p.about(1.4, 0.08), p.about(1.8, 0.06), -0.3)


def _in_pockets(p: _Pose) -> None:
    for side in ("left", "right"):
        p.arm(side, p.about(1.2, 0.04), p.about(-0.2, 0.05), p.about(0.6, 0.08), p.about(0.9, 0.06))


def _crossed(p: _Pose) -> None:
    upper = str(p.rng.choice(["left", "right"]))
    for side in ("left", "right"):
        lift = 0.12 if side == upper else 0.0
        p.arm(side, p.about(1.12, 0.03), p.about(0.5 + lift, 0.04), p.about(1.15, 0.06), p.about(1.62 + lift, 0.05))


def _carrying(p: _Pose) -> None:
    for side in ("left", "right"):
        p.arm(side, p.about(1.25, 0.05), p.about(0.15, 0.08), p.about(0.15, 0.1), p.about(1.35, 0.12))


def _on_the_phone(p: _Pose) -> None:
    sides = ["left", "right"] if p.rng.random() < 0.5 else ["right", "left"]
    p.arm(sides[0], p.about(1.15, 0.06), p.about(0.25, 0.1), p.about(0.45, 0.1), p.about(2.05, 0.1))
    p.hanging(sides[1])


def _greeting(p: _Pose) -> None:
    sides = ["left", "right"] if p.rng.random() < 0.5 else ["right", "left"]
    p.arm(sides[0], p.about(0.35, 0.2), p.about(0.1, 0.1), p.about(-1.4, 0.1), p.about(1.5, 0.25))
    p.hanging(sides[1])


def _behind_back(p: _Pose) -> None:
    for side in ("left", "right"):
        p.arm(side, p.about(1.12, 0.04), p.about(-0.55, 0.05), p.about(0.7, 0.08), p.about(0.55, 0.08))


def _folded(p: _Pose) -> None:
    """Hands together before the belly."""
    for side in ("left", "right"):
        p.arm(side, p.about(1.2, 0.04), p.about(0.15, 0.05), p.about(0.75, 0.06), p.about(0.95, 0.06))


def _apart(p: _Pose) -> None:
    """The A-pose of scans."""
    for side in ("left", "right"):
        p.arm(side, p.about(0.75, 0.15), p.about(0.0, 0.08), p.about(0.0, 0.1), abs(p.about(0.15, 0.1)))


def _level(p: _Pose) -> None:
    for side in ("left", "right"):
        p.arm(side, p.about(0.05, 0.12), p.about(0.0, 0.1), p.about(0.0, 0.1), abs(p.about(0.1, 0.1)))


def _walking(p: _Pose) -> None:
    step, side = p.rng.uniform(0.2, 0.4), str(p.rng.choice(["left", "right"]))
    other = "right" if side == "left" else "left"
    p.leg(side, step, 0.02, p.about(0.12, 0.04))
    p.leg(other, -0.8 * step, 0.02, p.about(0.5, 0.12))
    p.arm(side, p.about(1.25, 0.05), -0.9 * step, 0.1, p.about(0.3, 0.1))
    p.arm(other, p.about(1.25, 0.05), 0.9 * step, 0.2, p.about(0.5, 0.15))
    p.joints[9] = [0.0, (-0.12 if side == "left" else 0.12), 0.0]


def _sitting(p: _Pose) -> None:
    apart = p.rng.uniform(0.05, 0.28)
    lift = p.about(1.42, 0.06)
    for side in ("left", "right"):
        p.leg(side, lift, apart, p.about(lift, 0.1))
        p.arm(side, p.about(1.2, 0.04), p.about(0.42, 0.06), p.about(0.3, 0.1), p.about(0.75, 0.1))
    p.joints[3] = [p.about(0.08, 0.06), 0.0, 0.0]


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
"""How often each is drawn, and how the arms (and legs) are held."""


def natural_pose(rng: np.random.Generator, name: str | None = None) -> tuple[str, Joints]:
    """Draw one of the natural poses, or vary the one of this name."""
    if name is None:
        shares = np.array([share for share, _ in NATURAL.values()])
        name = str(rng.choice(list(NATURAL), p=shares / shares.sum()))
    pose = _Pose(rng)
    pose.standing()
    pose.looking()
    NATURAL[name][1](pose)
    return name, pose.joints


def motion_pose(rng: np.random.Generator) -> tuple[str, Joints]:
    """A frame of a built-in motion."""
    name = str(rng.choice(builtin_motions()))
    motion = _motion(name)
    frame = int(rng.integers(len(motion)))
    return f"{name} {frame}", motion.joints[frame].double().numpy()


def random_pose(rng: np.random.Generator) -> tuple[str, Joints]:
    """Any pose that joints allow, the likelier the nearer to standing with lowered arms."""
    stance, spread = STANCE.double().numpy(), LOOSENESS / STIFFNESS.double().numpy()
    joints = np.clip(stance + rng.normal(0, 1, (24, 3)) * spread, LOWER.double().numpy(), UPPER.double().numpy())
    joints[0] = rng.normal(0, 0.08, 3)
    return "random", joints


def draw_pose(rng: np.random.Generator) -> tuple[str, Joints]:
    """A natural pose, a frame of a motion, or a random pose; joint 0 faces +z or nearly so."""
    kind = rng.random()
    if kind < NATURAL_SHARE:
        return natural_pose(rng)
    if kind < NATURAL_SHARE + MOTION_SHARE:
        return motion_pose(rng)
    return random_pose(rng)


def eased(joints: Joints) -> Joints:
    """Both arms a little farther from the body."""
    opened = joints.copy()
    for name, sign in (("left_shoulder", 1.0), ("right_shoulder", -1.0)):
        joint = joint_index(name)
        away = Rotation.from_euler("z", sign * EASING)
        opened[joint] = (away * Rotation.from_rotvec(joints[joint])).as_rotvec()
    return opened


@cache
def _motion(name: str) -> Motion:
    return read_motion(name)
