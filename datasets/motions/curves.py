"""Curves over one period of a motion: smooth functions of the phase in [0, 1)."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

Curve = float | int | NDArray
"""A constant, or one value per frame."""
Keys = dict[float | int, float | int]
"""Phase -> value."""


def phases(frames: int) -> NDArray:
    """Return the phase of each frame; frame number `frames` would coincide with the first one."""
    return np.arange(frames) / frames


def keyframes(phase: NDArray, keys: Keys) -> NDArray:
    """Return a periodic curve through keys without overshoot (PCHIP): constant between equal keys."""
    times, values = np.array(list(keys)), np.array(list(keys.values()), dtype=float)
    tiled = np.concatenate([times - 1, times, times + 1])
    return PchipInterpolator(tiled, np.concatenate([values] * 3))(phase % 1)


def spline_keyframes(phase: NDArray, keys: Keys) -> NDArray:
    """Return a periodic curve through keys with continuous acceleration (cubic spline), for swinging motion."""
    times, values = np.array(list(keys)), np.array(list(keys.values()), dtype=float)
    closed = CubicSpline(np.append(times, times[0] + 1), np.append(values, values[0]), bc_type="periodic")
    return closed(times[0] + (phase - times[0]) % 1)


def swing(phase: NDArray, peak: float = 0.0, per_period: int = 1) -> NDArray:
    """Return a cosine in [-1, 1] that is 1 at phase `peak`."""
    return np.cos(2 * np.pi * per_period * (phase - peak))


def step(time: NDArray, start: float, stop: float) -> NDArray:
    """Return 0 before `start`, 1 after `stop`, and a minimum-jerk transition between (Flash and Hogan 1985)."""
    x = ((time - start) / (stop - start)).clip(0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def bump(time: NDArray, start: float, stop: float) -> NDArray:
    """Return a smooth curve that is 0 outside [start, stop] and 1 in its middle."""
    return np.sin(np.pi * ((time - start) / (stop - start)).clip(0, 1)) ** 2


def smoothstep(share: NDArray) -> NDArray:
    """Return 3 x^2 - 2 x^3: from 0 to 1, slower at both ends."""
    return share * share * (3 - 2 * share)


def smooth_below(limit: NDArray, radius: int) -> NDArray:
    """Return a smooth periodic curve below `limit`: the minima over a window, averaged over the same window."""
    lowest = minimum_filter1d(limit, 2 * radius + 1, mode="wrap")
    return gaussian_filter1d(lowest, radius / 2.5, mode="wrap", radius=radius)


def euler(x: Curve = 0.0, y: Curve = 0.0, z: Curve = 0.0) -> Rotation:
    """Return R_y R_x R_z from angles in degrees (yaw, pitch, roll), each a number or a curve."""
    y, x, z = np.broadcast_arrays(y, x, z)
    return Rotation.from_euler("YXZ", np.stack([y, x, z], -1), degrees=True)
