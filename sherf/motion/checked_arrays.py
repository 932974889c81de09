"""Arrays of motion files, which are not trusted: bounded in size, never executed, every number checked."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from sherf.errors import BadInput
from sherf.files.plain_arrays import parse_npy, unpack_npz

MAX_FRAMES = 100_000
MAX_UNPACKED_BYTES = 256 * 2**20
"""100,000 frames of SMPL-X poses in double precision take 132 MB."""
MAX_NUMBERS = 2 * MAX_FRAMES * 165
"""Per array: twice the poses of SMPL-X."""
MAX_VALUE = 1e6
"""Of any number: radians, metres."""
FPS_RANGE = (1.0, 1000.0)
MAX_DISTANCE_M = 1000.0
"""A motion that gets farther from its start is not in metres."""


def read_npz(path: Path) -> dict[str, NDArray]:
    """Read the plain arrays of an .npz file; pickled objects, which could run code, are skipped unread.

    Args:
        path: the file.

    Returns:
        Its arrays by name.

    Raises:
        BadInput: it is not an .npz file, is damaged, or unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    try:
        members = {name: parse_npy(x) for name, x in unpack_npz(path.read_bytes(), MAX_UNPACKED_BYTES).items()}
        return {name: x.array() for name, x in members.items() if not x.dtype.hasobject}
    except (OSError, BadInput) as error:
        raise BadInput(
            f"{path} cannot be read as .npz: {error}.\nIs it complete? Download or export it again, or cut it into "
            f"shorter pieces of at most {MAX_FRAMES} frames."
        ) from error


def read_npy(path: Path) -> NDArray:
    """Read the array of an .npy file; pickled objects, which could run code, are refused unread.

    Args:
        path: the file.

    Returns:
        Its array.

    Raises:
        BadInput: it is not an .npy file, is damaged, or holds anything but numbers.
    """
    try:
        return parse_npy(path.read_bytes()).array()
    except (OSError, BadInput) as error:
        raise BadInput(f"{path} cannot be read as .npy: {error}.\nIs it complete? Export it again.") from error


def check_numbers(path: Path, arrays: Mapping[str, NDArray], key: str) -> Float[np.ndarray, "..."]:
    """Return one array in double precision.

    Args:
        path: the file, for messages.
        arrays: the file's arrays by name.
        key: name of the array.

    Returns:
        A copy, of any shape; values may still be infinite or NaN.

    Raises:
        BadInput: the array is not numeric, or has more than `MAX_NUMBERS` elements.
    """
    array = arrays[key]
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise BadInput(f"{path}: {key} holds {array.dtype}, not numbers.\nExport it again as floating point numbers.")
    if array.size > MAX_NUMBERS:
        raise BadInput(
            f"{path}: {key} holds {array.size} numbers, more than {MAX_FRAMES} frames can have.\n"
            "Cut it into shorter pieces."
        )
    return array.astype(np.float64)


def check_frames(
    path: Path, arrays: Mapping[str, NDArray], key: str, shape: tuple[int, ...]
) -> Float[np.ndarray, "frame ..."]:
    """Return one array of finite numbers with a frame axis before `shape`, in double precision.

    Args:
        path: the file, for messages.
        arrays: the file's arrays by name.
        key: name of the array.
        shape: expected shape of a frame.

    Returns:
        A copy of 1 to `MAX_FRAMES` frames.

    Raises:
        BadInput: the array is not numeric, has another shape, no or too many frames, or values that are not finite or
            exceed `MAX_VALUE`.
    """
    array = check_numbers(path, arrays, key)
    if array.ndim != len(shape) + 1 or array.shape[1:] != shape:
        raise BadInput(f"{path}: {key} has shape {array.shape}.\nExpected {('frames', *shape)}.".replace("'", ""))
    if not 0 < len(array) <= MAX_FRAMES:
        remedy = "Export it again." if len(array) == 0 else "Cut it into shorter pieces."
        raise BadInput(f"{path}: {key} has {len(array)} frames; expected 1 to {MAX_FRAMES}.\n{remedy}")
    is_finite = (np.abs(array) < MAX_VALUE).reshape(len(array), -1).all(axis=1)
    if not is_finite.all():
        bad = np.flatnonzero(~is_finite)
        raise BadInput(
            f"{path}: {key} is NaN, infinite or huge in {len(bad)} of {len(array)} frames, first in frame {bad[0]}.\n"
            "Cut these frames out or export the motion again."
        )
    return array


def check_trajectory(path: Path, arrays: Mapping[str, NDArray], key: str, frames: int) -> Float[np.ndarray, "frame 3"]:
    """Return a root trajectory, in metres, after checking its length and extent.

    Args:
        path: the file, for messages.
        arrays: the file's arrays by name.
        key: name of the array.
        frames: number of frames of the joints.

    Returns:
        A copy in double precision.

    Raises:
        BadInput: as for `check_frames`; its length differs from `frames`, or it goes farther than `MAX_DISTANCE_M`.
    """
    trajectory = check_frames(path, arrays, key, (3,))
    if len(trajectory) != frames:
        raise BadInput(f"{path}: {frames} frames of joints but {len(trajectory)} of {key}.\nExport it again.")
    farthest = np.abs(trajectory - trajectory[0]).max()
    if farthest > MAX_DISTANCE_M:
        raise BadInput(
            f"{path}: {key} moves {farthest:.0f} m away from its start.\nIs it in millimetres? Convert it to metres."
        )
    return trajectory


def check_frame_rate(source: Path | str, fps: NDArray | float) -> float:
    """Return a frame rate as a plain number.

    Args:
        source: what has this frame rate, for messages.
        fps: frames per second, a number or an array with one element.

    Returns:
        Frames per second.

    Raises:
        BadInput: it is not a single number, or outside `FPS_RANGE`.
    """
    rate = float(np.asarray(fps).reshape(-1)[0]) if np.size(fps) == 1 else float("nan")
    if not FPS_RANGE[0] <= rate <= FPS_RANGE[1]:
        low, high = FPS_RANGE
        raise BadInput(
            f"{source}: the frame rate is {rate:g}.\nExpected one number, {low:g} to {high:g} frames per second."
        )
    return rate
