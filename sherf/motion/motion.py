"""Motions: reading them, cutting and resampling them, and letting a subject play them.

Motion space is y up, metres; a motion starts at the origin, facing +z. Readers bring other conventions there.
"""

import difflib
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from sherf.body.skeleton import joint_index
from sherf.errors import BadInput
from sherf.motion.npz import MAX_FRAMES, frame_rate
from sherf.scene import BodyPose

BUILTIN_FOLDER = Path(__file__).parent / "builtin"
FORMAT_VERSION = 1
"""Of our own layout. Files of before it was written are of version 1."""
MOTION_LEG_M = 0.791
"""Height of the hip over the ankle of the mean open body, on which the built-in motions were authored."""
WANDER_M = 0.3
"""Who strays no farther from a steady straight way stands, or walks along it: even sitting down shifts less."""
SWAY_S = 0.5
"""Standard deviation of the window that tells a way from the sway of steps, which take about a second."""


@dataclass(frozen=True)
class Motion:
    """A body's movement with SMPL's 24 joints, without a shape. Motion space: y up, starts at 0, facing +z."""

    name: str
    joints: Float[Tensor, "frame 24 3"]
    """Parent-relative rotations, axis-angle in radians; joint 0 is the global orientation about the pelvis."""
    translation: Float[Tensor, "frame 3"]
    """Where the pelvis is, relative to where it starts, metres."""
    fps: float
    licence: str = ""
    source: str = ""
    """What a file was recognised as, in words."""
    pace: float = 1.0
    """How many times as fast it plays as somebody moved: what is slow and quick about it is told by that."""

    def __len__(self) -> int:
        """Number of frames."""
        return self.joints.shape[0]

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self) / self.fps


@cache
def builtin_motions() -> tuple[str, ...]:
    """Names of the motions that ship."""
    return tuple(sorted(path.stem for path in BUILTIN_FOLDER.glob("*.npz")))


def read_motion(source: str | Path) -> Motion:
    """Read a built-in motion by its name, or a motion file.

    Files are recognised by their content: our own layout (what `write_motion` writes), SMPL's parameters as AMASS,
    AIST++ and others keep them (.npz, .npy, .json, .pkl), BVH, rigged glTF animations, of which FILE#NAME or FILE#2
    chooses a clip.

    Raises:
        BadInput: no such motion or file, or the file does not hold a usable motion.
    """
    path, clip = file_and_clip(source)
    if str(source) in builtin_motions():
        path, clip = BUILTIN_FOLDER / f"{source}.npz", ""
    elif not os.path.isfile(path):  # a name too long for a file is no motion either
        raise _unknown(str(source), path)
    from sherf.motion.readers.recognise import read_motion_file  # it makes motions: it knows this file

    return read_motion_file(path, clip)


def file_and_clip(source: str | Path) -> tuple[Path, str]:
    """A motion's file, and the clip that FILE#CLIP asks for: where FILE exists, and no file of the whole name does."""
    path, mark, clip = str(source).rpartition("#")
    if mark and os.path.isfile(path) and not os.path.isfile(source):
        return Path(path), clip
    return Path(source), ""


def write_motion(
    path: Path,
    motion: Motion,
    source: str = "",
    betas: Float[np.ndarray, " 10"] | None = None,
    body_model: str = "",
) -> None:
    """Write a motion in our own layout, and once more in the layout that AMASS introduced, y up, for other programs.

    Give `path` to `sherf.files.output.atomic_output` if a reader may be watching.

    Args:
        source: what it was made of.
        betas: of whoever moves, the mean shape if not given; they belong to `body_model`.
    """
    joints, translation = (x.numpy().astype(np.float32) for x in (motion.joints, motion.translation))
    np.savez_compressed(
        path,
        version=np.int64(FORMAT_VERSION),
        joints=joints,
        translation=translation,
        fps=np.float64(motion.fps),
        poses=joints.reshape(len(joints), -1),
        trans=translation,
        mocap_framerate=np.float64(motion.fps),
        gender=np.array("neutral"),
        betas=np.zeros(10, np.float32) if betas is None else betas.astype(np.float32),
        body_model=np.array(body_model),
        source=np.array(source),
        name=np.array(motion.name),
        licence=np.array(motion.licence),
    )


def trim(motion: Motion, start: int = 0, stop: int | None = None) -> Motion:
    """Keep frames [start, stop) as a motion of its own: it starts at the origin, facing +z, again.

    Raises:
        BadInput: nothing would be left.
    """
    first, last, _ = slice(start, stop).indices(len(motion))
    if first >= last:
        raise BadInput(
            f"motion {motion.name} has {len(motion)} frames; from {start} to {stop} there is none.\n"
            f"Choose 0 <= start < stop <= {len(motion)}."
        )
    if (first, last) == (0, len(motion)):
        return motion
    joints, translation = motion.joints[first:last].numpy(), motion.translation[first:last].numpy()
    return replace(motion, **started_at_origin(joints, translation))


def resample(motion: Motion, fps: float) -> Motion:
    """The same movement at another frame rate: joints along the shortest arc, translation along the line.

    New frames lie at multiples of 1 / fps, from the first frame to no later than the last.

    Raises:
        BadInput: there is no such rate, or the frames would be more than anything plays.
    """
    fps = frame_rate("the wanted motion", fps)
    if fps == motion.fps or len(motion) == 1:
        return replace(motion, fps=fps)
    times = np.arange(len(motion)) / motion.fps
    # A hair of slack, so that the last frame is not lost to rounding.
    count = int(times[-1] * fps + 1e-6) + 1
    if count > MAX_FRAMES:
        raise BadInput(
            f"the motion {motion.name} takes {motion.seconds:.0f} s: {count} frames at {fps:g} a second; at most "
            f"{MAX_FRAMES} can be played.\nCut it with --begin and --end, play it faster, or take a lower rate."
        )
    new_times = np.arange(count) / fps
    new_times = new_times.clip(max=times[-1])
    joints = [Slerp(times, Rotation.from_rotvec(joint))(new_times).as_rotvec() for joint in _per_joint(motion)]
    translation = [np.interp(new_times, times, axis) for axis in motion.translation.numpy().T]
    return replace(
        motion, joints=as_tensor(np.stack(joints, 1)), translation=as_tensor(np.stack(translation, 1)), fps=fps
    )


def repeated(motion: Motion, frames: int) -> Motion:
    """Play the motion again and again for so many frames; each round sets out where the last one got to.

    A walk walks on. Between rounds the body keeps the horizontal step it made last; its height starts afresh.
    """
    index = torch.arange(frames)
    last_step = motion.translation[-1] - motion.translation[max(len(motion) - 2, 0)]
    advance = (motion.translation[-1] + last_step) * motion.translation.new_tensor([1.0, 0.0, 1.0])
    rounds = (index // len(motion))[:, None]
    again = index % len(motion)
    return replace(motion, joints=motion.joints[again], translation=motion.translation[again] + rounds * advance)


def on_the_spot(motion: Motion) -> Motion:
    """Take out the travel, as on a treadmill: the horizontal way, whatever its shape. Sway within a step is kept.

    Of who stays within `WANDER_M` of a steady straight way, only that is taken out, so that feet which stand go on
    standing.
    """
    level = motion.translation.new_tensor([1.0, 0.0, 1.0])
    share = torch.linspace(0, 1, len(motion), dtype=level.dtype)
    spot = motion.translation - share[:, None] * motion.translation[-1] * level
    strays = ((spot - spot.mean(dim=0)) * level).norm(dim=-1).max()
    if strays <= WANDER_M:
        return replace(motion, translation=spot)
    sway = spot.double().numpy()
    for _ in range(2):  # once alone would leave a twentieth of a wide curve
        sway = sway - _way(sway, SWAY_S * motion.fps)
    return replace(motion, translation=torch.where(level > 0, as_tensor(sway), motion.translation))


def _way(path: Float[np.ndarray, "frame 3"], sigma: float) -> Float[np.ndarray, "frame 3"]:
    """A path averaged over a Gaussian window, in frames; beyond its ends it goes on as it came, so that they stay."""
    beyond = int(4 * sigma) + 1
    longer = np.pad(path, ((beyond, beyond), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(longer, sigma, axis=0, mode="nearest")[beyond:-beyond]


def quaternions(motion: Motion) -> Float[np.ndarray, "frame 24 4"]:
    """Of all joints (x, y, z, w), each on the side of the one before: neighbours may be blended."""
    turns = Rotation.from_rotvec(motion.joints.double().numpy().reshape(-1, 3)).as_quat().reshape(len(motion), -1, 4)
    flips = np.sign((turns[1:] * turns[:-1]).sum(axis=-1, keepdims=True))
    signs = np.cumprod(np.concatenate([np.ones_like(flips[:1]), np.where(flips == 0, 1.0, flips)]), axis=0)
    return turns * signs if len(motion) > 1 else turns


def scaled(motion: Motion, leg_height_m: float) -> Motion:
    """Steps as long as a subject's legs make them.

    Args:
        leg_height_m: from `leg_height`.
    """
    return replace(motion, translation=motion.translation * (leg_height_m / MOTION_LEG_M))


def leg_height(rest_joints: Float[Tensor, "24 3"]) -> float:
    """Height of the hips over the ankles at rest, metres: what steps are scaled by.

    Raises:
        BadInput: the body has no legs to step with.
    """
    hips, ankles = ([joint_index(f"{side}_{name}") for side in ("left", "right")] for name in ("hip", "ankle"))
    height = float((rest_joints[hips, 1] - rest_joints[ankles, 1]).mean())
    if not height > 0:
        raise BadInput(f"the body model's hips lie {height:.2f} m over its ankles: no motion fits it.")
    return height


def apply(motion: Motion, pose: BodyPose, frames: slice = slice(None), leg_height_m: float = MOTION_LEG_M) -> BodyPose:
    """Let a subject play a motion: its shape and place, the motion's joints.

    World space is y up. The motion starts where the subject's pelvis is and sets out in the direction the subject
    faces; of the subject's own orientation only that direction (the yaw) is kept, so a body that was fitted
    leaning, or under a tilted camera, plays the motion upright. R_world_body stays as it is, and since joint 0
    turns the body about its pelvis, the pelvis stays in place too, whatever the shape.

    Args:
        motion: what to play.
        pose: the subject, without a frame axis.
        frames: which frames of the motion; the place of each does not depend on this choice.
        leg_height_m: the subject's, from `leg_height(body.rest_joints(pose.betas))`: the translation is scaled with
            it, so that longer legs take longer steps and feet stay on the ground. Without it nothing is scaled.
    """
    dtype, device = pose.joints.dtype, pose.joints.device
    R_world_body = pose.R_world_body.detach().cpu().double().numpy()
    placement = Rotation.from_matrix(R_world_body)
    R_world_motion = _yaw(placement * Rotation.from_rotvec(pose.joints[0].detach().cpu().double().numpy()))

    joints = motion.joints[frames].clone()
    body_from_motion = placement.inv() * R_world_motion
    joints[:, 0] = as_tensor((body_from_motion * Rotation.from_rotvec(joints[:, 0].numpy())).as_rotvec())
    travel = as_tensor(R_world_motion.apply(scaled(motion, leg_height_m).translation[frames].numpy()))
    count = joints.shape[0]
    return BodyPose(
        betas=pose.betas.expand(count, -1),
        joints=joints.to(device, dtype),
        R_world_body=pose.R_world_body.expand(count, -1, -1),
        T_world_body=pose.T_world_body + travel.to(device, dtype),
    )


def _yaw(orientation: Rotation) -> Rotation:
    """The turn about +y that faces where the body faces; a body on its back or belly faces where its head points."""
    forward, up = orientation.apply([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    lying = abs(forward[1]) > np.cos(np.radians(20))
    towards = -np.sign(forward[1]) * up if lying else forward
    return Rotation.from_rotvec([0.0, np.arctan2(towards[0], towards[2]), 0.0])


def started_at_origin(joints: NDArray, translation: NDArray) -> dict[str, Tensor]:
    """Joints and translation of a `Motion`: move and turn a y-up motion so that it starts at the origin, facing +z."""
    R_motion_file = _yaw(Rotation.from_rotvec(joints[0, 0])).inv()
    joints = joints.copy()
    joints[:, 0] = (R_motion_file * Rotation.from_rotvec(joints[:, 0])).as_rotvec()
    return {"joints": as_tensor(joints), "translation": as_tensor(R_motion_file.apply(translation - translation[0]))}


def _unknown(name: str, path: Path) -> BadInput:
    known = ", ".join(builtin_motions())
    close = difflib.get_close_matches(name.lower(), builtin_motions(), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    what = f"there is no motion file {path}" if path.suffix else f"there is no motion called {name!r}"
    return BadInput(f"{what}.{hint}\nBuilt-in motions: {known}; or give the path of a motion file or a video.")


def _per_joint(motion: Motion) -> NDArray:
    return motion.joints.double().numpy().transpose(1, 0, 2)


def as_tensor(array: NDArray) -> Float[Tensor, "..."]:
    """In single precision."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
