"""Arrays of a motion file, read with suspicion: bounded in size, nothing executed, every number checked."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sherf.errors import BadInput
from sherf.files.plain_arrays import open_npy, unpacked

MAX_FRAMES = 100_000
MAX_UNPACKED_BYTES = 256 * 2**20
"""100,000 frames of SMPL-X poses in double precision take 132 MB."""
MOST_NUMBERS = 2 * MAX_FRAMES * 165
"""In one array: poses of SMPL-X, twice."""
LARGEST = 1e6
"""Of any number: radians, metres."""
FPS_RANGE = (1.0, 1000.0)
MAX_DISTANCE_M = 1000.0
"""Farther from its start than this, a motion is not in metres."""


def read_npz(path: Path) -> dict[str, NDArray]:
    """The plain arrays of an .npz; pickled objects, which could run code, are left out unread.

    Raises:
        BadInput: it is damaged, something else, or unpacks to more than a motion can need.
    """
    try:
        members = {name: open_npy(x) for name, x in unpacked(path.read_bytes(), MAX_UNPACKED_BYTES).items()}
        return {name: x.array() for name, x in members.items() if not x.dtype.hasobject}
    except (OSError, BadInput) as error:
        raise BadInput(
            f"{path} cannot be read as .npz: {error}.\nIs it complete? Download or export it again, or cut it into "
            f"shorter pieces: {MAX_FRAMES} frames can be played."
        ) from error


def read_npy(path: Path) -> NDArray:
    """The one array of an .npy file; pickled objects are refused unread.

    Raises:
        BadInput: it is damaged or holds something else than numbers.
    """
    try:
        return open_npy(path.read_bytes()).array()
    except (OSError, BadInput) as error:
        raise BadInput(f"{path} cannot be read as .npy: {error}.\nIs it complete? Export it again.") from error


def numbers(path: Path, arrays: dict[str, NDArray], key: str) -> NDArray:
    """One array as double precision."""
    array = arrays[key]
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise BadInput(f"{path}: {key} holds {array.dtype}, not numbers.\nExport it again as floating point numbers.")
    if array.size > MOST_NUMBERS:
        raise BadInput(f"{path}: {key} holds {array.size} numbers; {MAX_FRAMES} frames have fewer. Cut it.")
    return array.astype(np.float64)


def frames_of(path: Path, arrays: dict[str, NDArray], key: str, shape: tuple[int, ...]) -> NDArray:
    """One array of finite numbers with a frame axis before `shape`."""
    array = numbers(path, arrays, key)
    if array.ndim != len(shape) + 1 or array.shape[1:] != shape:
        raise BadInput(f"{path}: {key} has shape {array.shape}.\nNeeded: {('frames', *shape)}.".replace("'", ""))
    if not 0 < len(array) <= MAX_FRAMES:
        remedy = "Export it again." if len(array) == 0 else "Cut it into shorter pieces."
        raise BadInput(f"{path}: {key} has {len(array)} frames; 1 to {MAX_FRAMES} can be played.\n{remedy}")
    finite = (np.abs(array) < LARGEST).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise BadInput(
            f"{path}: {key} is not a number (NaN, infinite or huge) in {len(bad)} of {len(array)} frames, "
            f"first in frame {bad[0]}.\nCut these frames out or export the motion again."
        )
    return array


def path_of(path: Path, arrays: dict[str, NDArray], key: str, frames: int) -> NDArray:
    """The body's way through space, (frame, 3) metres, as long as the joints."""
    way = frames_of(path, arrays, key, (3,))
    if len(way) != frames:
        raise BadInput(f"{path}: {frames} frames of joints but {len(way)} of {key}.\nExport it again.")
    farthest = np.abs(way - way[0]).max()
    if farthest > MAX_DISTANCE_M:
        raise BadInput(f"{path}: {key} goes {farthest:.0f} m away from its start.\nIs it in millimetres? Use metres.")
    return way


def frame_rate(source: Path | str, fps: NDArray | float) -> float:
    """One sensible frame rate, frames a second."""
    rate = float(np.asarray(fps).reshape(-1)[0]) if np.size(fps) == 1 else float("nan")
    if not FPS_RANGE[0] <= rate <= FPS_RANGE[1]:
        low, high = FPS_RANGE
        raise BadInput(f"{source}: the frame rate is {rate:g}.\nNeeded: one number, {low:g} to {high:g} per second.")
    return rate
