"""Writes motions on an avatar's own skeleton: BVH, and an .npz in SMPL's layout."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.body.skeleton import JOINT_NAMES
from sherf.files.output import atomic_output, write_text
from sherf.motion.motion import Motion
from sherf.motion.motion_file import write_motion
from sherf.scene import BodyPose, Camera

CENTIMETRES = 100.0
ORDER = "ZXY"


def format_bvh(motion: Motion, rest: Float[np.ndarray, "24 3"], parents: tuple[int, ...]) -> str:
    """Return a BVH file in centimetres, y up, T-pose at rest.

    Args:
        motion: its translation scaled to the skeleton (`sherf.motion.playback.scale_to_legs`).
        rest: joints in the rest pose, metres, the ground at y = 0.
        parents: of each joint; -1 for the root.
    """
    lines, order = ["HIERARCHY"], list[int]()

    def write(joint: int, depth: int) -> None:
        pad, parent = "\t" * depth, parents[joint]
        offset = CENTIMETRES * (np.zeros(3) if parent < 0 else rest[joint] - rest[parent])
        channels = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        rotations = " ".join(f"{axis}rotation" for axis in ORDER)
        order.append(joint)
        lines.append(f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {JOINT_NAMES[joint]}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}\tOFFSET {_format_row(offset)}")
        lines.append(f"{pad}\tCHANNELS {channels} {rotations}")
        children = [child for child, its_parent in enumerate(parents) if its_parent == joint]
        for child in children:
            write(child, depth + 1)
        if not children:
            tip = CENTIMETRES * (rest[joint] - rest[parent]) * 0.5
            lines.extend([f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {_format_row(tip)}", f"{pad}\t}}"])
        lines.append(f"{pad}}}")

    write(0, 0)
    rotations = Rotation.from_rotvec(motion.joints[:, order].double().numpy().reshape(-1, 3))
    angles = rotations.as_euler(ORDER, degrees=True)
    root = CENTIMETRES * (rest[0] + motion.translation.double().numpy())
    rows = np.concatenate([root, angles.reshape(len(motion), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.8f}"]
    return "\n".join(lines + [_format_row(row) for row in rows]) + "\n"


def write_bvh(path: Path, motion: Motion, rest: Float[np.ndarray, "24 3"], parents: tuple[int, ...]) -> None:
    """Write a motion as BVH: `format_bvh`.

    Args:
        path: the .bvh file.
        motion: its translation scaled to the skeleton.
        rest: joints in the rest pose, metres, the ground at y = 0.
        parents: of each joint; -1 for the root.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, format_bvh(motion, rest, parents))


def write_poses(
    path: Path, motion: Motion, betas: Float[np.ndarray, " 10"], body_model: str, camera: Camera, pose: BodyPose
) -> None:
    """Write a motion with the avatar's shape, and the photo's camera and pose, as .npz.

    Added to the arrays of `sherf.motion.motion_file.write_motion`, with OpenCV's camera axes (+x right, +y down, +z
    forward) and world space in metres, y up:

    camera_K (3, 3): intrinsics in pixels of the photo as the avatar stores it, cropped to the person; the top-left
        pixel's centre is (0.5, 0.5).
    camera_R (3, 3), camera_T (3,): x_camera = R x_world + T.
    camera_size (2,): height and width of that image, pixels.
    photo_poses (72,): joint rotations in the photo, as in `poses`.
    photo_R (3, 3), photo_T (3,): x_world = R x_body + T in the photo.

    Args:
        path: the .npz file.
        motion: already on the avatar's skeleton.
        betas: shape coefficients of the avatar.
        body_model: that the betas belong to.
        camera: of the photo, without a view axis.
        pose: in the photo, without a frame axis.

    Raises:
        OutputError: the file cannot be written.
    """
    photo = {
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
        # An .npz is a ZIP of .npy files.
        with ZipFile(partial, "a", ZIP_DEFLATED) as file:
            for name, values in photo.items():
                with file.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, values.detach().cpu().numpy())


def _format_row(numbers: Float[np.ndarray, " number"]) -> str:
    return " ".join(f"{x:.5f}" for x in numbers)
