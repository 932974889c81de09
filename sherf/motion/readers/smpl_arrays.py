"""Read motions stored as SMPL, SMPL-H or SMPL-X parameters, under the names that data sets use for them.

Names and shapes: AMASS (Mahmood et al. 2019), AIST++ (Li et al., "AI Choreographer", 2021), and SMPL-X's own
(Pavlakos et al. 2019).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from sherf.body.pickles import read_pickle, resolve_array
from sherf.body.skeleton import NUM_JOINTS
from sherf.errors import BadInput
from sherf.motion.checked_arrays import (
    MAX_UNPACKED_BYTES,
    check_frame_rate,
    check_frames,
    check_numbers,
    check_trajectory,
)
from sherf.motion.readers.conventions import AIST_KEY, length_unit, up_axis

LAYOUTS = {72: ("SMPL", 24), 156: ("SMPL-H", 22), 165: ("SMPL-X", 22), 66: ("SMPL without hands", 22)}
"""Numbers per frame -> body model, and joints to keep. SMPL-H and SMPL-X begin with SMPL's first 22 joints; their hand
joints are different ones."""
POSE_KEYS = ("poses", "smpl_poses", "pose", "full_pose")
TRAJECTORY_KEYS = ("trans", "smpl_trans", "transl", "translation")
RATE_KEYS = ("mocap_framerate", "mocap_frame_rate", "fps", "frame_rate")
KNOWN_KEYS = frozenset({*POSE_KEYS, *TRAJECTORY_KEYS, *RATE_KEYS}) | {
    "body_pose", "global_orient", "root_orient", "smpl_scaling", "joints", "version",
}  # fmt: skip
"""Including those of our own layout; of other entries only the names are kept, for messages."""
AIST_FPS = 60.0
DEFAULT_FPS = 30.0
"""For files without a frame rate."""


@dataclass(frozen=True)
class SmplClip:
    """A motion in its file's axes, and what was recognised."""

    joints: Float[np.ndarray, "frame 24 3"]
    """Parent-relative rotations, axis-angle in radians."""
    root_trajectory: Float[np.ndarray, "frame 3"]
    """Metres, in the file's axes."""
    fps: float
    kind: str
    """Body model or data set, in words."""
    up: str
    """Up axis, y or z."""
    up_reason: str
    """How the up axis was determined, in words."""
    unit: str
    """The root trajectory's probable unit in the file, in words."""


def parse_smpl_arrays(path: Path, arrays: Mapping[str, NDArray]) -> SmplClip:
    """Extract the motion from a file's arrays.

    Args:
        path: the file, for messages.
        arrays: its arrays by name.

    Returns:
        The motion in the file's axes, its root trajectory converted to metres.

    Raises:
        BadInput: the arrays hold no motion, or have wrong shapes or unusable numbers.
    """
    poses, kind = _parse_poses(path, arrays)
    joints = np.zeros((len(poses), NUM_JOINTS, 3))
    _, kept = LAYOUTS[poses.shape[1]]
    joints[:, :kept] = poses[:, : 3 * kept].reshape(len(poses), kept, 3)
    fps, kind = _parse_frame_rate(path, arrays, kind)
    up, up_reason = up_axis(arrays.keys(), joints[:, 0])
    trajectory, unit = _parse_trajectory(path, arrays, len(poses), up, fps)
    return SmplClip(joints, trajectory, fps, kind, up, up_reason, unit)


def _parse_trajectory(
    path: Path, arrays: Mapping[str, NDArray], frames: int, up: str, fps: float
) -> tuple[Float[np.ndarray, "frame 3"], str]:
    """Return the root trajectory in metres (zeros without one), and its probable unit in the file.

    AIST++ stores its trajectory multiplied by smpl_scaling.

    Raises:
        BadInput: the trajectory or its scaling is unusable.
    """
    key = next((key for key in TRAJECTORY_KEYS if key in arrays), None)
    if key is None:
        return np.zeros((frames, 3)), "metres"
    stored = check_numbers(path, arrays, "smpl_scaling") if "smpl_scaling" in arrays else np.ones(1)
    scaling = float(stored.reshape(-1)[0]) if stored.size == 1 else float("nan")
    if not 1e-6 < scaling < 1e6:
        raise BadInput(f"{path}: smpl_scaling is {scaling:g}; expected one positive number. Export it again.")
    trajectory = check_frames(path, arrays, key, (3,)) / scaling
    metres, unit = (1.0, "metres") if "smpl_scaling" in arrays else length_unit(trajectory, up, fps)
    return check_trajectory(path, {key: trajectory * metres}, key, frames), unit


def _parse_frame_rate(path: Path, arrays: Mapping[str, NDArray], kind: str) -> tuple[float, str]:
    """Return frames per second, and the kind with a note if a default was used.

    Raises:
        BadInput: the frame rate is out of range, or a file in AMASS' layout lacks it.
    """
    key = next((key for key in RATE_KEYS if key in arrays), None)
    if key is not None:
        return check_frame_rate(path, check_numbers(path, arrays, key)), kind
    if AIST_KEY in arrays:
        return AIST_FPS, kind
    if "poses" in arrays and "trans" in arrays:
        found = ", ".join(sorted(arrays))
        raise BadInput(f"{path} has no frame rate; it holds {found}.\nAdd mocap_framerate, frames per second.")
    return DEFAULT_FPS, f"{kind} (no frame rate in the file: {DEFAULT_FPS:g} assumed)"


def _parse_poses(path: Path, arrays: Mapping[str, NDArray]) -> tuple[Float[np.ndarray, "frame number"], str]:
    """Return axis-angle poses as stored, one row per frame, and the kind of the file.

    Raises:
        BadInput: there are no poses, or their shape fits no body model of SMPL's family.
    """
    key = next((key for key in POSE_KEYS if key in arrays), None)
    if key is None:
        arrays, key = {"poses": _join_split_pose(path, arrays)}, "poses"
    poses = _flatten_frames(check_numbers(path, arrays, key))
    if poses.ndim != 2 or poses.shape[1] not in LAYOUTS:
        raise BadInput(
            f"{path}: {key} has shape {np.shape(arrays[key])}.\n"
            "Expected (frames, 72) for SMPL, (frames, 156) for SMPL-H or (frames, 165) for SMPL-X."
        )
    kind = "AIST++" if key == AIST_KEY else LAYOUTS[poses.shape[1]][0]
    return check_frames(path, {key: poses}, key, (poses.shape[1],)), kind


def _join_split_pose(path: Path, arrays: Mapping[str, NDArray]) -> Float[np.ndarray, "frame number"]:
    """Return global orientation and body pose, which SMPL-X' tools store separately, as one array.

    Raises:
        BadInput: one of them is missing, or their shapes do not fit.
    """
    if "body_pose" not in arrays or not {"global_orient", "root_orient"} & arrays.keys():
        raise BadInput(
            f"{path} holds no motion: found {', '.join(sorted(arrays)) or 'no arrays'}.\n"
            "Expected joints (frames, 24, 3), translation (frames, 3), fps; or poses, trans, mocap_framerate as in "
            "AMASS; or global_orient, body_pose, transl as in SMPL-X."
        )
    root = "global_orient" if "global_orient" in arrays else "root_orient"
    parts = [_flatten_frames(check_numbers(path, arrays, name)) for name in (root, "body_pose")]
    if any(part.ndim != 2 for part in parts):
        raise BadInput(f"{path}: {root} and body_pose must hold a row of numbers for each frame. Export it again.")
    if len(parts[0]) != len(parts[1]):
        raise BadInput(f"{path}: {len(parts[0])} frames of {root} but {len(parts[1])} of body_pose. Export it again.")
    return np.concatenate(parts, axis=1)


def _flatten_frames(array: NDArray) -> NDArray:
    """Reshape (frame, joint, 3) to (frame, number); other shapes are unchanged."""
    return array.reshape(len(array), array.shape[1] * array.shape[2]) if array.ndim == 3 else array


def parse_json_arrays(path: Path, content: bytes) -> dict[str, NDArray]:
    """Parse a JSON object of number lists.

    Args:
        path: the file, for messages.
        content: the JSON text.

    Returns:
        Double-precision arrays by name; entries with unknown names are left empty.

    Raises:
        BadInput: it is not such an object.
    """
    try:
        document = json.loads(content)
        items = document.items() if isinstance(document, dict) else None
        arrays = {
            key: np.asarray(value if key in KNOWN_KEYS else (), np.float64)
            for key, value in items or ()
            if isinstance(value, list | int | float) and not isinstance(value, bool)
        }
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise BadInput(f"{path} cannot be read as JSON with lists of numbers ({error}). Export it again.") from error
    if items is None:
        raise BadInput(f"{path} is not a JSON object with lists of numbers. Export it again.")
    return arrays


def parse_pickle_arrays(path: Path, content: bytes) -> dict[str, NDArray]:
    """Parse a pickled dict of arrays without executing anything.

    Args:
        path: the file, for messages.
        content: the pickle.

    Returns:
        Arrays by name; entries with unknown names are left empty, those that are not arrays are skipped.

    Raises:
        BadInput: it is not such a dict, is damaged, or unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    arrays: dict[str, NDArray] = {}
    try:
        values = read_pickle(content)
    except BadInput as error:
        raise BadInput(f"{path} cannot be read as a pickle of arrays: {error}. Export it again as .npz.") from error
    for key, value in values.items():
        try:
            arrays[key] = resolve_array(value) if key in KNOWN_KEYS else np.zeros(0)
        except BadInput:
            continue
        if sum(array.nbytes for array in arrays.values()) > MAX_UNPACKED_BYTES:
            raise BadInput(
                f"{path} holds more than {MAX_UNPACKED_BYTES >> 20} MB of numbers. Cut it into shorter pieces."
            )
    return arrays
