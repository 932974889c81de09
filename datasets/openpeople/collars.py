"""Collars, hoods and lapels: ribbons that stand or fall along a neckline."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from sherf.datasets.openpeople.mesh import Draft, border_edges, vertex_normals
from sherf.datasets.openpeople.noise import smoothstep
from sherf.datasets.openpeople.tailoring import Measures
from sherf.datasets.openpeople.tops import Neck, neckline

AROUND = 121
"""Points along the neckline."""
ON_NECKLINE_M = 0.004
"""How near a border vertex lies to the neckline's curve if it belongs to it."""
CLEARANCE_M = 0.003


@dataclass(frozen=True)
class Collar:
    """A profile that is swept along the neckline.

    Each point of the profile is (up along the neck, away from it along the cloth, off the cloth), metres, behind and in
    front; in between they blend.
    """

    back: tuple[tuple[float, float, float], ...]
    front: tuple[tuple[float, float, float], ...]
    gap: float = 0.0
    """Angle about the neck that stays free on each side of the middle of the front, radians."""
    blend: tuple[float, float] = (2.6, 0.35)
    """Angles about the neck beyond which the back's profile rules, and within which the front's does, radians."""


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
    """Sweep a collar along the neckline of a top that has no rims yet.

    Raises:
        ValueError: the top has no border along that neckline.
    """
    base, normals, weights, angle = _loop(measures, draft, neck, collar.gap)
    along = np.gradient(base, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    away = np.cross(along, normals)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    # Away from the hole: at the back that is backwards.
    centre = np.array([0.0, measures.neck[1], measures.neck[2] + 0.01])
    away *= np.sign(((base - centre) * away).sum(axis=1).mean() + 1e-12)
    up = np.array([0.0, 1.0, 0.0]) + 0.25 * normals
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    frontness = smoothstep(np.abs(angle), *collar.blend)[:, None]
    rows = []
    for back, front in zip(collar.back, collar.front, strict=True):
        share = np.array(back) + (np.array(front) - np.array(back)) * frontness
        rows.append(base + up * share[:, :1] + away * share[:, 1:2] + normals * share[:, 2:])
    # The lapel narrows to nothing where the neckline ends in a point.
    vertices = np.stack(rows)
    taper = np.ones(len(base))
    if neck.shape == "v" and neck.front > 0.2:
        low = base[:, 1].min()
        taper = smoothstep(base[:, 1], low, low + 0.10)
    vertices = base + (vertices - base) * (0.15 + 0.85 * taper)[None, :, None]
    vertices[1:] = _clear(vertices[1:], draft)
    return _ribbon(vertices, weights)


def _loop(
    measures: Measures, draft: Draft, neck: Neck, gap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Float[np.ndarray, " around"]]:
    """Points, normals and weights along the neckline, from the front's left gap around to its right one; the angle."""
    rim = np.unique(border_edges(draft.faces))
    rim = rim[np.abs(neckline(measures, neck, draft.chart[rim])) < ON_NECKLINE_M]
    if len(rim) < 8:
        raise ValueError("the top has no border along this neckline: nothing to sew a collar to")
    normals = vertex_normals(draft.vertices, draft.faces)
    x, z = draft.chart[rim, 0], draft.chart[rim, 2] - measures.neck[2] - 0.012
    angle = np.arctan2(x, z)
    order = np.argsort(angle)
    rim, angle = rim[order], angle[order]
    first, last = angle[0], angle[-1]
    # Behind the neck, +pi and -pi meet: walk from the front over the left, the back, and the right to the front.
    wrapped = np.where(angle < 0, angle + 2 * np.pi, angle)
    order = np.argsort(wrapped)
    rim, wrapped = rim[order], wrapped[order]
    low, high = max(wrapped[0], gap), min(wrapped[-1], 2 * np.pi - gap)
    if gap == 0.0 and first < 0 < last and min(abs(angle)) < 0.2:
        low, high = 0.0, 2 * np.pi
    at = np.linspace(low, high, AROUND)
    sample = lambda values: np.stack(  # noqa: E731
        [np.interp(at, wrapped, column, period=2 * np.pi) for column in values[rim].T], axis=1
    )
    points = _smoothed(sample(draft.vertices))
    unit = _smoothed(sample(normals), 8)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    weights = _smoothed(sample(draft.weights), 8)
    turned = np.where(at > np.pi, at - 2 * np.pi, at)
    return points, unit, weights / weights.sum(axis=1, keepdims=True), turned


def _smoothed(values: Float[np.ndarray, "around n"], rounds: int = 3) -> Float[np.ndarray, "around n"]:
    """Mean with both neighbours, a few times; the ends stay."""
    for _ in range(rounds):
        values = np.concatenate([values[:1], (values[:-2] + 2 * values[1:-1] + values[2:]) / 4, values[-1:]])
    return values


def _clear(rows: Float[np.ndarray, "row around 3"], draft: Draft) -> Float[np.ndarray, "row around 3"]:
    """Push points out of the cloth they lie on."""
    normals = vertex_normals(draft.vertices, draft.faces)
    tree = cKDTree(draft.vertices)
    points = rows.reshape(-1, 3)
    for _ in range(2):
        _, nearest = tree.query(points)
        off = ((points - draft.vertices[nearest]) * normals[nearest]).sum(axis=1)
        points = points + normals[nearest] * np.maximum(CLEARANCE_M - off, 0)[:, None]
    return np.stack([_smoothed(row, 4) for row in points.reshape(rows.shape)])


def _ribbon(vertices: Float[np.ndarray, "row around 3"], weights: Float[np.ndarray, "around 24"]) -> Draft:
    """A mesh of rows; its chart is where it lies."""
    rows, around, _ = vertices.shape
    number = np.arange(rows * around).reshape(rows, around)
    a, b, c, d = (x.ravel() for x in (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    points = vertices.reshape(-1, 3)
    return Draft(
        points, vertex_normals(points, faces), np.zeros_like(points), np.tile(weights, (rows, 1)),
        np.zeros(len(points)), faces,
    )  # fmt: skip
