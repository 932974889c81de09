"""Collars, hoods and lapels: profiles swept along a neckline."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from sherf.datasets.openpeople.mesh import Draft, border_edges, vertex_normals
from sherf.datasets.openpeople.noise import smoothstep
from sherf.datasets.openpeople.solids import grid_faces
from sherf.datasets.openpeople.tailoring import Measures
from sherf.datasets.openpeople.tops import Neck, neckline

AROUND = 121
"""Points along the neckline."""
ON_NECKLINE_M = 0.004
"""Maximum distance of the neckline's border vertices from its curve."""
CLEARANCE_M = 0.003
"""Distance of collars from the cloth they lie on."""


@dataclass(frozen=True)
class Collar:
    """A profile that is swept along the neckline.

    Each point of a profile is (up along the neck, away from it along the cloth, off the cloth), metres. The profile
    blends from the back to the front.
    """

    back: tuple[tuple[float, float, float], ...]
    front: tuple[tuple[float, float, float], ...]
    gap: float = 0.0
    """Angle around the neck that stays free on each side of the middle of the front, radians."""
    blend: tuple[float, float] = (2.6, 0.35)
    """Angles around the neck beyond which the back profile applies, and within which the front one does, radians."""


COLLARS: dict[str, Collar] = {
    "shirt": Collar(
        ((0.0, 0.0, 0.0), (0.022, 0.0, 0.002), (0.034, 0.003, 0.004), (0.030, 0.016, 0.008), (0.0, 0.034, 0.006)),
        ((0.0, 0.0, 0.0), (0.016, 0.0, 0.002), (0.024, 0.003, 0.004), (0.016, 0.022, 0.008), (-0.016, 0.062, 0.005)),
        0.16,
    ),
    "polo": Collar(
        ((0.0, 0.0, 0.0), (0.016, 0.0, 0.002), (0.024, 0.004, 0.005), (0.016, 0.018, 0.008), (-0.004, 0.034, 0.006)),
        ((0.0, 0.0, 0.0), (0.008, 0.0, 0.002), (0.012, 0.006, 0.005), (0.004, 0.026, 0.007), (-0.012, 0.050, 0.005)),
        0.22,
    ),
    "stand": Collar(
        ((0.0, 0.0, 0.0), (0.016, -0.001, 0.002), (0.034, -0.003, 0.004)),
        ((0.0, 0.0, 0.0), (0.012, 0.0, 0.002), (0.026, 0.0, 0.004)),
        0.06,
    ),
    "rib": Collar(
        ((0.0, 0.0, 0.0), (0.010, -0.004, 0.002), (0.020, -0.010, 0.002)),
        ((0.0, 0.0, 0.0), (0.005, -0.006, 0.002), (0.010, -0.013, 0.002)),
    ),
    "roll": Collar(
        ((0.0, 0.0, 0.0), (0.022, 0.002, 0.006), (0.036, 0.006, 0.010), (0.030, 0.014, 0.016), (0.002, 0.016, 0.018)),
        ((0.0, 0.0, 0.0), (0.022, 0.002, 0.006), (0.036, 0.006, 0.010), (0.030, 0.014, 0.016), (0.002, 0.016, 0.018)),
    ),
    "hood": Collar(
        (
            (0.0, 0.0, 0.002), (0.045, 0.0, 0.012), (0.062, 0.030, 0.035), (0.045, 0.062, 0.050), (0.0, 0.095, 0.052),
            (-0.03, 0.115, 0.036), (-0.03, 0.118, 0.004),
        ),
        (
            (0.0, 0.0, 0.002), (0.022, 0.0, 0.010), (0.028, 0.008, 0.016), (0.024, 0.018, 0.020), (0.012, 0.026, 0.020),
            (0.004, 0.030, 0.014), (0.0, 0.030, 0.002),
        ),
        0.10, (3.05, 1.25),
    ),
    "lapel": Collar(
        ((0.0, 0.0, 0.002), (0.024, 0.002, 0.004), (0.034, 0.008, 0.006), (0.014, 0.03, 0.008), (-0.01, 0.044, 0.005)),
        ((0.0, 0.0, 0.002), (0.0, 0.004, 0.006), (0.0, 0.020, 0.008), (0.0, 0.050, 0.007), (0.0, 0.074, 0.004)),
        0.0, (3.0, 0.8),
    ),
}  # fmt: skip


def sew_collar(measures: Measures, draft: Draft, neck: Neck, collar: Collar) -> Draft:
    """Sweep a collar along the neckline of a top.

    Args:
        measures: the wearer's measurements.
        draft: the top, before rims are added.
        neck: its neckline.
        collar: the profile.

    Returns:
        The collar as a draft of its own.

    Raises:
        ValueError: the top has no border along this neckline.
    """
    loop = _trace_neckline(measures, draft, neck, collar.gap)
    base, normals = loop.points, loop.normals
    along = np.gradient(base, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    away = np.cross(along, normals)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    # Orient it away from the neck.
    centre = np.array([0.0, measures.neck[1], measures.neck[2] + 0.01])
    away *= np.sign(((base - centre) * away).sum(axis=1).mean() + 1e-12)
    up = np.array([0.0, 1.0, 0.0]) + 0.25 * normals
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    frontness = smoothstep(np.abs(loop.angle), *collar.blend)[:, None]
    rows = []
    for back, front in zip(collar.back, collar.front, strict=True):
        share = np.array(back) + (np.array(front) - np.array(back)) * frontness
        rows.append(base + up * share[:, :1] + away * share[:, 1:2] + normals * share[:, 2:])
    # A lapel tapers off where the neckline ends in a point.
    vertices = np.stack(rows)
    taper = np.ones(len(base))
    if neck.shape == "v" and neck.front > 0.2:
        low = base[:, 1].min()
        taper = smoothstep(base[:, 1], low, low + 0.10)
    vertices = base + (vertices - base) * (0.15 + 0.85 * taper)[None, :, None]
    vertices[1:] = _push_off_cloth(vertices[1:], draft)
    return _mesh_rows(vertices, loop.weights)


@dataclass(frozen=True)
class _NecklineLoop:
    """Samples along a neckline, from the left side of the front around the back to the right side."""

    points: Float[np.ndarray, "around 3"]
    normals: Float[np.ndarray, "around 3"]
    weights: Float[np.ndarray, "around 24"]
    angle: Float[np.ndarray, " around"]
    """Around the neck, 0 at the front, in [-pi, pi]."""


def _trace_neckline(measures: Measures, draft: Draft, neck: Neck, gap: float) -> _NecklineLoop:
    """Return samples of a top's border along its neckline, evenly spaced in angle.

    Raises:
        ValueError: the top has no border along this neckline.
    """
    rim = np.unique(border_edges(draft.faces))
    rim = rim[np.abs(neckline(measures, neck, draft.reference[rim])) < ON_NECKLINE_M]
    if len(rim) < 8:
        raise ValueError("the top has no border along this neckline, so it cannot have a collar")
    normals = vertex_normals(draft.vertices, draft.faces)
    x, z = draft.reference[rim, 0], draft.reference[rim, 2] - measures.neck[2] - 0.012
    angle = np.arctan2(x, z)
    order = np.argsort(angle)
    rim, angle = rim[order], angle[order]
    first, last = angle[0], angle[-1]
    # Unwrap the angle: from the front over the left side, the back and the right side to the front.
    wrapped = np.where(angle < 0, angle + 2 * np.pi, angle)
    order = np.argsort(wrapped)
    rim, wrapped = rim[order], wrapped[order]
    low, high = max(wrapped[0], gap), min(wrapped[-1], 2 * np.pi - gap)
    if gap == 0.0 and first < 0 < last and min(abs(angle)) < 0.2:
        low, high = 0.0, 2 * np.pi
    at = np.linspace(low, high, AROUND)

    def sample(values: Float[np.ndarray, "vertex n"]) -> Float[np.ndarray, "around n"]:
        return np.stack([np.interp(at, wrapped, column, period=2 * np.pi) for column in values[rim].T], axis=1)

    points = _smooth(sample(draft.vertices))
    unit = _smooth(sample(normals), 8)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    weights = _smooth(sample(draft.weights), 8)
    signed = np.where(at > np.pi, at - 2 * np.pi, at)
    return _NecklineLoop(points, unit, weights / weights.sum(axis=1, keepdims=True), signed)


def _smooth(values: Float[np.ndarray, "around n"], rounds: int = 3) -> Float[np.ndarray, "around n"]:
    """Smooth values along a curve with fixed ends."""
    for _ in range(rounds):
        values = np.concatenate([values[:1], (values[:-2] + 2 * values[1:-1] + values[2:]) / 4, values[-1:]])
    return values


def _push_off_cloth(rows: Float[np.ndarray, "row around 3"], draft: Draft) -> Float[np.ndarray, "row around 3"]:
    """Push points out of the cloth and smooth them."""
    normals = vertex_normals(draft.vertices, draft.faces)
    tree = cKDTree(draft.vertices)
    points = rows.reshape(-1, 3)
    for _ in range(2):
        _, nearest = tree.query(points)
        height = ((points - draft.vertices[nearest]) * normals[nearest]).sum(axis=1)
        points = points + normals[nearest] * np.maximum(CLEARANCE_M - height, 0)[:, None]
    return np.stack([_smooth(row, 4) for row in points.reshape(rows.shape)])


def _mesh_rows(vertices: Float[np.ndarray, "row around 3"], weights: Float[np.ndarray, "around 24"]) -> Draft:
    """Connect rows of vertices to a mesh whose reference is the mesh itself."""
    rows, around, _ = vertices.shape
    faces = grid_faces(rows, around, closed=False)
    points = vertices.reshape(-1, 3)
    return Draft(
        points, vertex_normals(points, faces), np.zeros_like(points), np.tile(weights, (rows, 1)),
        np.zeros(len(points)), faces,
    )  # fmt: skip
