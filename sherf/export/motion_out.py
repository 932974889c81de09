"""Motions out: BVH, and an .npz in SMPL's layout, on an avatar's own skeleton."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import JOINT_NAMES
from sherf.motion import Motion, write_motion
from sherf.output import atomic_output, write_text

CENTIMETRES = 100.0
ORDER = "ZXY"


def bvh_text(motion: Motion, rest: Float[np.ndarray, "24 3"], parents: tuple[int, ...]) -> str:
    """A BVH in centimetres, y up, T-pose at rest.

    Args:
        motion: its translation scaled to the skeleton (`sherf.motion.scaled`).
        rest: joints in the rest pose, metres, the ground at y = 0.
    """
    lines, order = ["HIERARCHY"], []

    def write(joint: int, depth: int) -> None:
        pad, parent = "\t" * depth, parents[joint]
        offset = CENTIMETRES * (np.zeros(3) if parent < 0 else rest[joint] - rest[parent])
        places = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        turns = " ".join(f"{axis}rotation" for axis in ORDER)
        order.append(joint)
        lines.append(f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {JOINT_NAMES[joint]}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}\tOFFSET {_words(offset)}")
        lines.append(f"{pad}\tCHANNELS {places} {turns}")
        children = [child for child, above in enumerate(parents) if above == joint]
        for child in children:
            write(child, depth + 1)
        if not children:
            tip = CENTIMETRES * (rest[joint] - rest[parent]) * 0.5
            lines.extend([f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {_words(tip)}", f"{pad}\t}}"])
        lines.append(f"{pad}}}")

    write(0, 0)
    turns = Rotation.from_rotvec(motion.joints[:, order].double().numpy().reshape(-1, 3)).as_euler(ORDER, degrees=True)
    way = CENTIMETRES * (rest[0] + motion.translation.double().numpy())
    rows = np.concatenate([way, turns.reshape(len(motion), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.8f}"]
    return "\n".join(lines + [_words(row) for row in rows]) + "\n"


def write_bvh(path: Path, motion: Motion, rest: Float[np.ndarray, "24 3"], parents: tuple[int, ...]) -> None:
    """Write `bvh_text`."""
    write_text(path, bvh_text(motion, rest, parents))


def write_poses(path: Path, motion: Motion, betas: Float[np.ndarray, " 10"], body_model: str) -> None:
    """Write the motion with the avatar's shape, as `sherf.motion.write_motion` does."""
    with atomic_output(path) as partial:
        write_motion(partial, motion, betas=betas, body_model=body_model)


def _words(numbers: Float[np.ndarray, " number"]) -> str:
    return " ".join(f"{x:.5f}" for x in numbers)
