"""Motions out: BVH, and an .npz in SMPL's layout, on an avatar's own skeleton."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import JOINT_NAMES
from sherf.files.output import atomic_output, write_text
from sherf.motion.motion import Motion, write_motion
from sherf.scene import BodyPose, Camera

CENTIMETRES = 100.0
ORDER = "ZXY"


def bvh_text(motion: Motion, rest: Float[np.ndarray, "24 3"], parents: tuple[int, ...]) -> str:
    """A BVH in centimetres, y up, T-pose at rest.

    Args:
        motion: its translation scaled to the skeleton (`sherf.motion.motion.scaled`).
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


def write_poses(
    path: Path, motion: Motion, betas: Float[np.ndarray, " 10"], body_model: str, camera: Camera, pose: BodyPose
) -> None:
    """Write the motion with the avatar's shape, as `sherf.motion.motion.write_motion` does, and the photo with it.

    Added are, OpenCV's axes (+x right, +y down, +z forward), world space in metres, y up:

    camera_K (3, 3): intrinsics in pixels of the photo as the avatar keeps it, cut to the person; the top left pixel's
        centre is (0.5, 0.5).
    camera_R (3, 3), camera_T (3,): x_camera = R x_world + T.
    camera_size (2,): height and width of that picture, pixels.
    photo_poses (72,): the joints' rotations in the photo, as in `poses`.
    photo_R (3, 3), photo_T (3,): the body's place in the photo, x_world = R x_body + T.

    Args:
        camera: the photo's, without a view axis.
        pose: the person's in the photo, without a frame axis.
    """
    seen = {
        "camera_K": camera.K,
        "camera_R": camera.R,
        "camera_T": camera.T,
        "camera_size": torch.tensor(camera.size),
        "photo_poses": pose.joints.reshape(-1),
        "photo_R": pose.R_world_body,
        "photo_T": pose.T_world_body,
    }
    with atomic_output(path) as partial:
        write_motion(partial, motion, betas=betas, body_model=body_model)
        # an .npz is a ZIP of .npy
        with ZipFile(partial, "a", ZIP_DEFLATED) as file:
            for name, values in seen.items():
                with file.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, values.detach().cpu().numpy())


def _words(numbers: Float[np.ndarray, " number"]) -> str:
    return " ".join(f"{x:.5f}" for x in numbers)
