"""Motions as arrays of SMPL's, SMPL-H's or SMPL-X' rotations, under the names that data sets give them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from sherf.body.pickles import read_pickle, resolve_array
from sherf.body.skeleton import NUM_JOINTS
from sherf.errors import BadInput
from sherf.motion.npz import MAX_UNPACKED_BYTES, frame_rate, frames_of, numbers, path_of
from sherf.motion.readers.conventions import AIST, length_unit, up_axis

SMPL_FAMILY = {72: 24, 156: 22, 165: 22, 63: 21, 69: 23, 66: 22}
"""Numbers a frame -> joints to keep. SMPL-H and SMPL-X begin with SMPL's first 22; their hands are other joints."""
NAMES_OF_FAMILY = {72: "SMPL", 156: "SMPL-H", 165: "SMPL-X", 66: "SMPL without hands"}
POSES = ("poses", "smpl_poses", "pose", "full_pose")
WAYS = ("trans", "smpl_trans", "transl", "translation")
RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "frame_rate")
KNOWN_NAMES = frozenset(
    {*POSES, *WAYS, *RATES, "body_pose", "global_orient", "root_orient", "smpl_scaling", "joints", "version"}
)
"""And those of our own layout; of other values only the names are kept, for messages."""
AIST_FPS = 60.0
PLAIN_FPS = 30.0
"""Of files that know no rate at all."""


@dataclass(frozen=True)
class SmplClip:
    """A motion in its file's axes, with what the file turned out to be."""

    joints: Float[np.ndarray, "frame 24 3"]
    """Parent-relative rotations, axis-angle in radians."""
    way: Float[np.ndarray, "frame 3"]
    """Metres."""
    fps: float
    kind: str
    """In words."""
    up: str
    """The axis that points up, y or z."""
    up_known: str
    """How that is known, in words."""
    unit: str
    """What the file's way seems to be counted in, in words."""


def smpl_arrays(path: Path, arrays: Mapping[str, NDArray]) -> SmplClip:
    """The motion in a file's arrays.

    Raises:
        BadInput: the arrays hold no motion, or one that cannot be played.
    """
    poses, kind = _poses(path, dict(arrays))
    joints = np.zeros((len(poses), NUM_JOINTS, 3))
    kept = SMPL_FAMILY[poses.shape[1]]
    joints[:, :kept] = poses[:, : 3 * kept].reshape(len(poses), kept, 3)
    rate, kind = _rate(path, arrays, kind)
    up, up_known = up_axis(arrays.keys(), joints[:, 0])
    way_key = next((key for key in WAYS if key in arrays), None)
    way, unit = np.zeros((len(poses), 3)), "metres"
    if way_key is not None:
        said = numbers(path, dict(arrays), "smpl_scaling") if "smpl_scaling" in arrays else np.ones(1)
        scaling = float(said.reshape(-1)[0]) if said.size == 1 else float("nan")
        if not 1e-6 < scaling < 1e6:
            raise BadInput(f"{path}: smpl_scaling is {scaling:g}. Export it again.")
        told = frames_of(path, dict(arrays), way_key, (3,)) / scaling
        metres, unit = (1.0, "metres") if "smpl_scaling" in arrays else length_unit(told, up, rate)
        way = path_of(path, {way_key: told * metres}, way_key, len(poses))
    return SmplClip(joints, way, rate, kind, up, up_known, unit)


def _rate(path: Path, arrays: Mapping[str, NDArray], kind: str) -> tuple[float, str]:
    """Frames a second, and what the file is with what it does not say."""
    rate_key = next((key for key in RATES if key in arrays), None)
    if rate_key is not None:
        return frame_rate(path, numbers(path, dict(arrays), rate_key)), kind
    if AIST in arrays:
        return AIST_FPS, kind
    if "poses" in arrays and "trans" in arrays:
        found = ", ".join(sorted(arrays))
        raise BadInput(f"{path} does not say its frame rate; it holds {found}.\nAdd mocap_framerate.")
    return PLAIN_FPS, f"{kind} (no frame rate said: {PLAIN_FPS:g} taken)"


def holds_motion(arrays: Mapping[str, Any]) -> bool:
    """Whether there are poses under any known name."""
    return any(key in arrays for key in POSES) or "body_pose" in arrays


def _poses(path: Path, arrays: dict[str, NDArray]) -> tuple[NDArray, str]:
    key = next((key for key in POSES if key in arrays), None)
    if key is None:
        if "body_pose" not in arrays or not {"global_orient", "root_orient"} & arrays.keys():
            raise BadInput(
                f"{path} holds no motion: found {', '.join(sorted(arrays)) or 'no arrays'}.\n"
                "Needed: joints (frames, 24, 3), translation (frames, 3), fps; or poses, trans, mocap_framerate as in "
                "AMASS; or global_orient, body_pose, transl as in SMPL-X."
            )
        root = "global_orient" if "global_orient" in arrays else "root_orient"
        parts = [_flat(numbers(path, arrays, name)) for name in (root, "body_pose")]
        if any(part.ndim != 2 for part in parts):
            raise BadInput(f"{path}: {root} and body_pose have to hold a row of numbers for each frame.")
        if len(parts[0]) != len(parts[1]):
            raise BadInput(f"{path}: {len(parts[0])} frames of {root} but {len(parts[1])} of body_pose.")
        arrays, key = {"poses": np.concatenate(parts, axis=1)}, "poses"
    flat = _flat(numbers(path, arrays, key))
    if flat.ndim != 2 or flat.shape[1] not in NAMES_OF_FAMILY:
        raise BadInput(
            f"{path}: {key} has shape {np.shape(arrays[key])}.\n"
            "Needed: (frames, 72) for SMPL, (frames, 156) for SMPL-H or (frames, 165) for SMPL-X."
        )
    kind = "AIST++" if key == "smpl_poses" else NAMES_OF_FAMILY[flat.shape[1]]
    return frames_of(path, {key: flat}, key, (flat.shape[1],)), kind


def _flat(array: NDArray) -> NDArray:
    """(frame, joint, 3) as (frame, number)."""
    return array.reshape(len(array), array.shape[1] * array.shape[2]) if array.ndim == 3 else array


def arrays_of_json(path: Path, content: bytes) -> dict[str, NDArray]:
    """Lists of numbers in a JSON object.

    Raises:
        BadInput: it is no such object.
    """
    try:
        document = json.loads(content)
        if not isinstance(document, dict):
            raise ValueError("no object")
        return {
            key: np.asarray(value if key in KNOWN_NAMES else (), np.float64)
            for key, value in document.items()
            if isinstance(value, list | int | float) and not isinstance(value, bool)
        }
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise BadInput(f"{path} cannot be read as JSON with lists of numbers ({error}).") from error


def arrays_of_pickle(path: Path, content: bytes) -> dict[str, NDArray]:
    """A pickled dict of arrays, read without executing anything.

    Raises:
        BadInput: it holds anything else.
    """
    arrays = {}
    try:
        values = read_pickle(content)
    except BadInput as error:
        raise BadInput(f"{path} cannot be read as a pickle of arrays: {error}.") from error
    for key, value in values.items():
        try:
            arrays[key] = resolve_array(value) if key in KNOWN_NAMES else np.zeros(0)
        except BadInput:
            continue
        if sum(array.nbytes for array in arrays.values()) > MAX_UNPACKED_BYTES:
            raise BadInput(f"{path} holds more numbers than a motion can need. Cut it into shorter pieces.")
    return arrays
