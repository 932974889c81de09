"""Body measurements, the body-hugging surfaces that clothes are cut from, and operations on cloth."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from sherf.body.skeleton import ARMS
from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.mesh import Draft, border_edges, loop_matrix, neighbour_average, vertex_normals
from sherf.datasets.openpeople.noise import ridges

SUBDIVISIONS = 2
"""Loop subdivision steps of the helper surfaces."""
KNEE_SHARE = 0.6
"""Share of the skinning weight of knees and ankles that a skirt gives to the hips; the pelvis gets the rest."""
SKIRT_SMOOTHING = 60
"""Smoothing steps of a skirt's skinning weights."""


@dataclass(frozen=True)
class Measures:
    """Measurements of one person in the rest pose, metres."""

    figure: Figure

    @property
    def shoulder_x(self) -> float:
        """Shoulder joint's |x|."""
        return float(self.figure.joints[16, 0])

    @property
    def wrist_x(self) -> float:
        """Wrist joint's |x|."""
        return float(self.figure.joints[20, 0])

    @property
    def neck(self) -> Float[np.ndarray, "3"]:
        """The neck joint."""
        return self.figure.joints[12]

    @property
    def shoulder_y(self) -> float:
        """Height of the shoulder joints."""
        return float(self.figure.joints[16, 1])

    @property
    def chest_y(self) -> float:
        """Height of the upper spine joint."""
        return float(self.figure.joints[9, 1])

    @property
    def waist_y(self) -> float:
        """Height of the lower spine joint."""
        return float(self.figure.joints[3, 1])

    @property
    def hip_y(self) -> float:
        """Height of the hip joints."""
        return float(self.figure.joints[1, 1])

    @property
    def knee_y(self) -> float:
        """Height of the knee joints."""
        return float(self.figure.joints[4, 1])

    @property
    def ankle_y(self) -> float:
        """Height of the ankle joints."""
        return float(self.figure.joints[7, 1])

    @property
    def floor_y(self) -> float:
        """Height of the soles."""
        return float(self.figure.vertices[:NUM_SKIN, 1].min())

    def along_arm(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
        """Return the position along the arm: 0 at the sleeve's seam, 1 at the wrist."""
        start = 0.85 * self.shoulder_x
        return (np.abs(points[:, 0]) - start) / (self.wrist_x - start)

    def down_leg(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
        """Return the position down the leg: 0 at the hip joint, 1 at the ankle."""
        return (self.hip_y - points[:, 1]) / (self.hip_y - self.ankle_y)

    def leg_axis(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Return the leg's axis at each point's height and side."""
        hip, ankle = self.figure.joints[1], self.figure.joints[7]
        t = np.clip(self.down_leg(points), 0, 1)
        x = np.sign(points[:, 0]) * (hip[0] + (ankle[0] - hip[0]) * t)
        return np.stack([x, points[:, 1], hip[2] + (ankle[2] - hip[2]) * t], axis=1)

    def ridge_y(self, x: float) -> float:
        """Return the height of the shoulder ridge at this distance from the median plane."""
        skin = self.figure.vertices[:NUM_SKIN]
        near = (np.abs(np.abs(skin[:, 0]) - x) < 0.008) & (skin[:, 1] < self.neck[1] + 0.03)
        near &= skin[:, 1] > self.chest_y
        return float(skin[near, 1].max())

    def surface(self, x: float, y: float, front: bool = True) -> tuple[float, float, float]:
        """Return the skin's outermost point near (x, y), from the front or the back."""
        sign = 1.0 if front else -1.0
        skin = self.figure.vertices[:NUM_SKIN]
        near = np.argsort((skin[:, 0] - x) ** 2 + (skin[:, 1] - y) ** 2)[:24]
        return x, y, float(sign * (sign * skin[near, 2]).max())


@dataclass(frozen=True)
class _Surface:
    """A subdivided helper surface of the base mesh: vertices = matrix @ base-mesh vertices[ids]."""

    ids: Int[np.ndarray, " coarse"]
    matrix: sp.csr_matrix
    faces: Int[np.ndarray, "face 3"]
    weights: Float[np.ndarray, "vertex 24"]
    arm: Float[np.ndarray, " vertex"]


def make_tights(figure: Figure) -> Draft:
    """Return a close-fitting surface over the whole body except head, hands and toes."""
    return _draft(figure, _tights())


def make_skirt_tube(figure: Figure) -> Draft:
    """Return a tube around both legs from the waist to the ankles, skinned to follow both thighs as one piece."""
    return _draft(figure, _skirt())


@cache
def _tights() -> _Surface:
    return _subdivided(base_mesh().tights_faces)


@cache
def _skirt() -> _Surface:
    """Return the skirt surface with the legs' skinning weights blended between both sides."""
    surface = _subdivided(base_mesh().skirt_faces)
    weights = surface.weights.copy()
    for joint, hip in ((4, 1), (7, 1), (10, 1), (5, 2), (8, 2), (11, 2)):
        weights[:, hip] += KNEE_SHARE * weights[:, joint]
        weights[:, 0] += (1 - KNEE_SHARE) * weights[:, joint]
        weights[:, joint] = 0
    mean = neighbour_average(surface.faces, len(weights))
    for _ in range(SKIRT_SMOOTHING):
        weights = 0.5 * weights + 0.5 * (mean @ weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return _Surface(surface.ids, surface.matrix, surface.faces, weights, surface.arm)


def _subdivided(faces: Int[np.ndarray, "face 3"]) -> _Surface:
    """Subdivide a helper surface, given by faces of the base mesh."""
    ids, numbered = np.unique(faces, return_inverse=True)
    faces = numbered.reshape(-1, 3)
    matrix = sp.eye(len(ids)).tocsr()
    for _ in range(SUBDIVISIONS):
        step, faces = loop_matrix(faces, matrix.shape[0])
        matrix = step @ matrix
    weights = matrix @ base_mesh().weights[ids]
    weights /= weights.sum(axis=1, keepdims=True)
    return _Surface(ids, matrix, faces, weights, weights[:, list((16, 17, *ARMS[2:]))].sum(axis=1))


def _draft(figure: Figure, surface: _Surface) -> Draft:
    """Shape a helper surface to a body."""
    vertices = surface.matrix @ figure.vertices[surface.ids]
    normals = vertex_normals(vertices, surface.faces)
    return Draft(vertices, normals, np.zeros_like(vertices), surface.weights, surface.arm, surface.faces)


def wrinkles(draft: Draft, size: float, seed: int) -> Float[np.ndarray, " vertex"]:
    """Return the relief of cloth folds about `size` metres apart, roughly -0.5 to 0.5."""
    stretched = (draft.reference / np.array([size, 0.8 * size, size])).astype(np.float32)
    return ridges(stretched, seed).astype(float) - 0.6


def lift_above(draft: Draft, under: list[Draft], clearance: float) -> Draft:
    """Push cloth outwards until it clears the layers under it, which were cut from the same body surface.

    Args:
        draft: the upper layer.
        under: the layers below.
        clearance: distance between layers, metres.

    Returns:
        The upper layer, moved along its normals.
    """
    for layer in under:
        distance, nearest = cKDTree(layer.reference).query(draft.reference, distance_upper_bound=0.02)
        near = np.isfinite(distance)
        height = (draft.offset * draft.normals).sum(axis=1)
        required = np.zeros(len(height))
        required[near] = (layer.offset[nearest[near]] * draft.normals[near]).sum(axis=1) + clearance
        lacking = np.where(near, np.maximum(required - height, 0), 0)
        draft = draft.moved(draft.normals * lacking[:, None])
    return draft


def drape(
    draft: Draft, rounds: int, clearance: float, where: Float[np.ndarray, " vertex"], hems_move: bool = False
) -> Draft:
    """Smooth cloth so that it spans hollows of the body as hanging cloth does.

    Args:
        draft: the cloth.
        rounds: smoothing steps.
        clearance: minimum distance from the skin, metres.
        where: strength of smoothing at each vertex, 0 to 1.
        hems_move: let borders move horizontally; otherwise they stay fixed.

    Returns:
        The smoothed cloth.
    """
    mean = neighbour_average(draft.faces, len(draft.reference))
    share = np.repeat(where[:, None], 3, axis=1)
    border = np.unique(border_edges(draft.faces))
    share[border, 1 if hems_move else slice(None)] = 0
    vertices = draft.vertices
    for _ in range(rounds):
        vertices = vertices + share * 0.7 * (mean @ vertices - vertices)
    draft = draft.moved(vertices - draft.vertices)
    height = (draft.offset * draft.normals).sum(axis=1)
    return draft.moved(draft.normals * np.maximum(clearance - height, 0)[:, None])


def find_covered_skin(
    figure: Figure, draft: Draft, margin: float, reach: float | None = None
) -> Bool[np.ndarray, " 13380"]:
    """Find the skin vertices under cloth, except near its borders.

    Args:
        figure: the body shape.
        draft: the cloth.
        margin: width of the uncovered strip along borders, metres.
        reach: maximum distance of the cloth's reference surface from the skin, metres; None for 0.8 * margin.

    Returns:
        A mask over the base mesh's skin vertices.
    """
    reach = 0.8 * margin if reach is None else reach
    skin = figure.vertices[:NUM_SKIN]
    tree = cKDTree(draft.reference)
    distance, _ = tree.query(skin, distance_upper_bound=reach)
    border = draft.reference[np.unique(border_edges(draft.faces))]
    if not len(border):
        return np.isfinite(distance)
    to_border, _ = cKDTree(border).query(skin, distance_upper_bound=max(margin, 1e-6))
    return np.isfinite(distance) & ~np.isfinite(to_border)
