"""Texture coordinates of garments: maps rest-space points to fabric coordinates in metres, as sewing patterns do.

u runs around the body and v along it (down the torso and the legs, out along the sleeves), both in metres of cloth.
Front and back are separate panels without mirroring, so that prints read correctly on both. u and v are discontinuous
at the seams (the sides, the inside of the legs, under the sleeves) and smooth across the middle of front and back.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.noise import smoothstep

PanelKind = Literal["top", "bottom", "skirt", "shoe"]
TORSO_ASPECT, LEG_ASPECT = 0.72, 1.0
"""Depth over width of the ellipses that approximate the cross-sections of torso and legs."""
BACK_PIECE_M = 0.613
"""Offset in u between the front and the back panel: a multiple of no pattern's period."""


@dataclass(frozen=True)
class Panels:
    """The panels of one garment. Bodices of dresses are tops: below the waist they continue the torso."""

    joints: Float[np.ndarray, "24 3"]
    """Joint centres of the person in the rest pose, metres."""
    kind: PanelKind

    def __call__(self, rest: Float[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 2"]:
        """Return fabric coordinates (u, v) of rest-space points, metres."""
        p = rest.astype(np.float32, copy=False)
        match self.kind:
            case "top":
                return self._top(p)
            case "bottom":
                return self._bottom(p)
            case "skirt":
                return self._skirt(p)
            case "shoe":
                return self._shoe(p)

    def _top(self, p: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 2"]:
        x, y, z = p.T
        shoulder = self.joints[16].astype(np.float32)
        out = np.abs(x) - shoulder[0]
        # The armhole: vertical beside the arm, sloping outwards below the armpit so that a wide waist stays torso.
        sleeve = out > np.maximum(0, 2 * (shoulder[1] - 0.11 - y))
        depth = z - self._torso_depth(y)
        below_ridge = np.maximum(shoulder[1] + 0.06 - y, 0)
        u = _arc_length(x, depth, TORSO_ASPECT, flat=smoothstep(below_ridge, 0.14, 0.06))
        v = below_ridge + np.exp(-below_ridge / 0.05) * np.abs(depth)
        if sleeve.any():
            side, (_, ys, zs) = np.sign(x[sleeve]), p[sleeve].T
            elbow = self.joints[18]
            share = np.clip(out[sleeve] / max(elbow[0] - shoulder[0], 0.05), 0, 1)
            up, forward = ys - shoulder[1], zs - (shoulder[2] + share * (elbow[2] - shoulder[2])).astype(np.float32)
            u[sleeve] = -side * np.hypot(up, forward) * np.arctan2(forward, up)
            v[sleeve] = out[sleeve] + 0.05
        return np.stack([u, v], axis=1)

    def _bottom(self, p: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 2"]:
        x, y, z = p.T
        hip = self.joints[1]
        outwards, heights, forwards = self.joints[[7, 4, 1]].T  # of the left ankle, knee and hip
        across = (np.sign(x) * np.interp(y, heights, outwards)).astype(np.float32)
        middle = np.interp(y, heights, forwards).astype(np.float32)
        around_leg = _arc_length(x - across, z - middle, LEG_ASPECT, middle=across)
        around_hips = _arc_length(x, z - self._torso_depth(y), TORSO_ASPECT)
        is_leg = smoothstep(hip[1] - 0.02 - y, 0.0, 0.16)
        u = around_hips + (around_leg - around_hips) * is_leg
        return np.stack([u, (self.joints[3, 1] - y)], axis=1).astype(np.float32)

    def _skirt(self, p: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 2"]:
        x, y, z = p.T
        return np.stack([_arc_length(x, z - self._torso_depth(y), 0.85), self.joints[3, 1] - y], axis=1).astype(
            np.float32
        )

    def _shoe(self, p: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 2"]:
        x, y, z = p.T
        across = x - np.sign(x) * np.float32(abs(self.joints[10, 0]))
        return np.stack([_arc_length(across, y - np.float32(self.joints[10, 1] - 0.02), 1.0), z], axis=1).astype(
            np.float32
        )

    def _torso_depth(self, y: Float32[np.ndarray, " point"]) -> Float32[np.ndarray, " point"]:
        """Return z of the torso's axis at each height."""
        heights, depths = self.joints[[0, 3, 6, 9, 12], 1], self.joints[[0, 3, 6, 9, 12], 2]
        return np.interp(y, heights, depths).astype(np.float32)


def _arc_length(
    across: Float32[np.ndarray, " point"],
    depth: Float[np.ndarray, " point"],
    aspect: float,
    flat: Float[np.ndarray, " point"] | None = None,
    middle: Float[np.ndarray, " point"] | float = 0.0,
) -> Float32[np.ndarray, " point"]:
    """Return the arc length along the ellipse through each point, from the middle of the front or of the back.

    On the front it grows towards +x, on the back towards -x, offset by `BACK_PIECE_M`. The arc length of an ellipse
    with half axes (1, aspect) is m t + k/2 sin 2t to within 1 %, with t the ellipse's parameter (0 in the middle).

    Args:
        across: x relative to the ellipse's centre, metres.
        depth: z relative to the ellipse's centre, metres.
        aspect: depth over width of the ellipse.
        flat: share of plain projection instead of arc length, for the shoulders, which face upwards.
        middle: arc length at `across` = 0.
    """
    b = np.abs(depth).astype(np.float32) / np.float32(aspect)
    t = np.arctan2(across, b)
    radius2 = across * across + b * b
    m = np.float32(np.sqrt((1 + aspect**2) / 2))
    k = np.float32((1 - aspect**2) / (4 * m))
    # sin 2t = 2 sin t cos t = 2 across b / radius^2
    radius = np.sqrt(radius2)
    arc = radius * (m * t) + k * across * b / np.maximum(radius, 1e-6)
    if flat is not None:
        arc += (across - arc) * flat.astype(np.float32)
    arc = (arc + middle).astype(np.float32)
    return np.where(depth >= 0, arc, np.float32(BACK_PIECE_M) - arc)
