"""Curves over one period of a motion: everything that moves is a smooth function of the phase in [0, 1)."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

Curve = float | int | NDArray
"""A value that holds all the time, or one a frame."""
Keys = dict[float | int, float | int]
"""Phase -> value."""


def phases(frames: int) -> NDArray:
    """The phase of each frame; frame number `frames` would be the first one again."""
    return np.arange(frames) / frames


def keyed(phase: NDArray, keys: Keys) -> NDArray:
    """Periodic curve through keys that does not overshoot them: what rests between equal keys stays at rest."""
    times, values = np.array(list(keys)), np.array(list(keys.values()), dtype=float)
    tiled = np.concatenate([times - 1, times, times + 1])
    return PchipInterpolator(tiled, np.concatenate([values] * 3))(phase % 1)


def flowing(phase: NDArray, keys: Keys) -> NDArray:
    """Periodic curve through keys with continuous acceleration: swings, sways."""
    times, values = np.array(list(keys)), np.array(list(keys.values()), dtype=float)
    closed = CubicSpline(np.append(times, times[0] + 1), np.append(values, values[0]), bc_type="periodic")
    return closed(times[0] + (phase - times[0]) % 1)


def swing(phase: NDArray, peak: float = 0.0, per_period: int = 1) -> NDArray:
    """Cosine between -1 and 1 that is 1 at phase `peak`."""
    return np.cos(2 * np.pi * per_period * (phase - peak))


def step(time: NDArray, start: float, stop: float) -> NDArray:
    """0 before `start`, 1 after `stop`, between them as a hand or a foot moves: least jerk (Flash, Hogan 1985)."""
    x = ((time - start) / (stop - start)).clip(0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def bump(time: NDArray, start: float, stop: float) -> NDArray:
    """0 outside [start, stop], 1 in the middle, smooth throughout."""
    return np.sin(np.pi * ((time - start) / (stop - start)).clip(0, 1)) ** 2


def eased(share: NDArray) -> NDArray:
    """The same way from 0 to 1, slower at both ends."""
    return share * share * (3 - 2 * share)


def below(limit: NDArray, radius: int) -> NDArray:
    """A smooth periodic curve that stays under `limit`: averages, over a window, of minima over that window."""
    lowest = minimum_filter1d(limit, 2 * radius + 1, mode="wrap")
    return gaussian_filter1d(lowest, radius / 2.5, mode="wrap", radius=radius)


def turned(x: Curve = 0.0, y: Curve = 0.0, z: Curve = 0.0) -> Rotation:
    """R_y R_x R_z from angles in degrees: yaw, then pitch, then roll, each a number or a curve."""
    y, x, z = np.broadcast_arrays(y, x, z)
    return Rotation.from_euler("YXZ", np.stack([y, x, z], -1), degrees=True)
