"""SHERF's own motion layout (.npz): writing it, and reading its arrays."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from sherf.body.skeleton import NUM_JOINTS
from sherf.files.versions import check_version
from sherf.motion.checked_arrays import check_frame_rate, check_frames, check_numbers, check_trajectory
from sherf.motion.motion import Motion, as_tensor

FORMAT_VERSION = 1
"""Of this layout; files without a version number are of version 1."""
MAX_TEXT_LENGTH = 200
MAX_NAME_LENGTH = 60
"""Characters: with at most four bytes each in UTF-8, such a file name fits any file system."""


def write_motion(
    path: Path,
    motion: Motion,
    source: str = "",
    betas: Float[np.ndarray, " 10"] | None = None,
    body_model: str = "",
) -> None:
    """Write a motion in our own layout and, in the same file, in that of AMASS (Mahmood et al. 2019) for other tools.

    The AMASS arrays are y up, as the motion is. Give `path` from `sherf.files.output.atomic_output` if a reader may
    see the file while it is written.

    Args:
        path: the .npz file to write.
        motion: the motion to write.
        source: where the motion comes from; stored as it is.
        betas: shape of the moving body; the mean shape if not given. They are only valid for `body_model`.
        body_model: name of the body model of `betas`.
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


def has_own_layout(arrays: dict[str, NDArray]) -> bool:
    """Return whether a file's arrays are in the layout that `write_motion` writes."""
    return {"joints", "translation", "fps"} <= arrays.keys()


def parse_own_layout(path: Path, arrays: dict[str, NDArray]) -> Motion:
    """Build a motion from the arrays of a file that `write_motion` wrote.

    Args:
        path: the file, for messages and as the name of a motion without one.
        arrays: its arrays by name.

    Returns:
        The motion; its translation is shifted to start at 0.

    Raises:
        BadInput: the version is newer than this program's, or an array has the wrong shape or unusable numbers.
    """
    check_version(path, arrays["version"].tolist() if "version" in arrays else 1, FORMAT_VERSION)
    joints = check_frames(path, arrays, "joints", (NUM_JOINTS, 3))
    translation = check_trajectory(path, arrays, "translation", len(joints))
    fps = check_frame_rate(path, check_numbers(path, arrays, "fps"))
    name, licence = (str(arrays[key])[:MAX_TEXT_LENGTH] if key in arrays else "" for key in ("name", "licence"))
    name = safe_file_name(name) or path.stem
    return Motion(name, as_tensor(joints), as_tensor(translation - translation[0]), fps, licence)


def safe_file_name(name: str) -> str:
    """Return a name without characters that could leave its folder; empty if no letter or digit remains."""
    kept = re.sub(r"[^\w .-]", "", name)[:MAX_NAME_LENGTH].strip(" .")
    return kept if re.search(r"[^\W_]", kept) else ""
