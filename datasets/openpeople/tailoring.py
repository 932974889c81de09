"""What every garment begins with: a person's measures, and the body-hugging surfaces that clothes are cut from."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from sherf.body.skeleton import ARMS
from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.mesh import Draft, border_edges, loop_matrix, neighbours, vertex_normals
from sherf.datasets.openpeople.noise import ridges

SUBDIVISIONS = 2
KNEE_SHARE = 0.6
"""How much of a knee's or ankle's weight a skirt hands to the hip; the pelvis gets the rest."""
SKIRT_SMOOTHING = 60


@dataclass(frozen=True)
class Measures:
    """Where things are on one person in the rest pose, metres."""

    figure: Figure

    @property
    def shoulder_x(self) -> float:
        return float(self.figure.joints[16, 0])

    @property
    def wrist_x(self) -> float:
        return float(self.figure.joints[20, 0])

    @property
    def neck(self) -> Float[np.ndarray, "3"]:
        return self.figure.joints[12]

    @property
    def shoulder_y(self) -> float:
        return float(self.figure.joints[16, 1])

    @property
    def chest_y(self) -> float:
        return float(self.figure.joints[9, 1])

    @property
    def waist_y(self) -> float:
        return float(self.figure.joints[3, 1])

    @property
    def hip_y(self) -> float:
        return float(self.figure.joints[1, 1])

    @property
    def knee_y(self) -> float:
        return float(self.figure.joints[4, 1])

    @property
    def ankle_y(self) -> float:
        return float(self.figure.joints[7, 1])

    @property
    def floor_y(self) -> float:
        """The soles."""
        return float(self.figure.vertices[:NUM_SKIN, 1].min())

    def along_arm(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
        """0 at the seam of the sleeve, 1 at the wrist."""
        start = 0.85 * self.shoulder_x
        return (np.abs(points[:, 0]) - start) / (self.wrist_x - start)

    def down_leg(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
        """0 at the hip joint, 1 at the ankle."""
        return (self.hip_y - points[:, 1]) / (self.hip_y - self.ankle_y)

    def leg_axis(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """The middle of the leg at each point's height and side."""
        hip, ankle = self.figure.joints[1], self.figure.joints[7]
        t = np.clip(self.down_leg(points), 0, 1)
        x = np.sign(points[:, 0]) * (hip[0] + (ankle[0] - hip[0]) * t)
        return np.stack([x, points[:, 1], hip[2] + (ankle[2] - hip[2]) * t], axis=1)

    def ridge_y(self, x: float) -> float:
        """Height of the shoulders' ridge at this distance from the middle."""
        skin = self.figure.vertices[:NUM_SKIN]
        near = (np.abs(np.abs(skin[:, 0]) - x) < 0.008) & (skin[:, 1] < self.neck[1] + 0.03)
        near &= skin[:, 1] > self.chest_y
        return float(skin[near, 1].max())

    def surface(self, x: float, y: float, front: bool = True) -> tuple[float, float, float]:
        """The skin's point seen at (x, y) from the front or the back."""
        sign = 1.0 if front else -1.0
        skin = self.figure.vertices[:NUM_SKIN]
        near = np.argsort((skin[:, 0] - x) ** 2 + (skin[:, 1] - y) ** 2)[:24]
        return x, y, float(sign * (sign * skin[near, 2]).max())


@dataclass(frozen=True)
class _Surface:
    """A helper surface, subdivided: vertices = matrix @ base-mesh vertices[ids]."""

    ids: Int[np.ndarray, " coarse"]
    matrix: sp.csr_matrix
    faces: Int[np.ndarray, "face 3"]
    weights: Float[np.ndarray, "vertex 24"]
    arm: Float[np.ndarray, " vertex"]


def tights(figure: Figure) -> Draft:
    """The whole body but head, hands and toes, a hair's breadth off the skin."""
    return _draft(figure, _tights())


def skirt(figure: Figure) -> Draft:
    """A tube from the waist to the ankles. Its weights follow both thighs as one piece."""
    return _draft(figure, _skirt())


@cache
def _tights() -> _Surface:
    return _subdivided(base_mesh().tights_faces)


@cache
def _skirt() -> _Surface:
    surface = _subdivided(base_mesh().skirt_faces)
    weights = surface.weights.copy()
    for joint, hip in ((4, 1), (7, 1), (10, 1), (5, 2), (8, 2), (11, 2)):
        weights[:, hip] += KNEE_SHARE * weights[:, joint]
        weights[:, 0] += (1 - KNEE_SHARE) * weights[:, joint]
        weights[:, joint] = 0
    mean = neighbours(surface.faces, len(weights))
    for _ in range(SKIRT_SMOOTHING):
        weights = 0.5 * weights + 0.5 * (mean @ weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return _Surface(surface.ids, surface.matrix, surface.faces, weights, surface.arm)


def _subdivided(faces: Int[np.ndarray, "face 3"]) -> _Surface:
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
    vertices = surface.matrix @ figure.vertices[surface.ids]
    normals = vertex_normals(vertices, surface.faces)
    return Draft(vertices, normals, np.zeros_like(vertices), surface.weights, surface.arm, surface.faces)


def wrinkles(draft: Draft, size: float, seed: int) -> Float[np.ndarray, " vertex"]:
    """Folds of cloth about `size` metres apart, roughly -0.5 to 0.5."""
    stretched = (draft.chart / np.array([size, 0.8 * size, size])).astype(np.float32)
    return ridges(stretched, seed).astype(float) - 0.6


def lifted(draft: Draft, under: list[Draft], clearance: float) -> Draft:
    """Push cloth out until it clears the layers under it, which were cut from the same surface of the body."""
    for layer in under:
        distance, nearest = cKDTree(layer.chart).query(draft.chart, distance_upper_bound=0.02)
        near = np.isfinite(distance)
        own = (draft.offset * draft.normals).sum(axis=1)
        theirs = np.zeros(len(own))
        theirs[near] = (layer.offset[nearest[near]] * draft.normals[near]).sum(axis=1) + clearance
        lacking = np.where(near, np.maximum(theirs - own, 0), 0)
        draft = draft.moved(draft.normals * lacking[:, None])
    return draft


def draped(
    draft: Draft, rounds: int, clearance: float, where: Float[np.ndarray, " vertex"], hems_move: bool = False
) -> Draft:
    """Let cloth span hollows of the body as it does when it hangs: smoothed, but never nearer than `clearance`.

    Args:
        where: share of smoothing at each vertex, 0 to 1.
        hems_move: let borders follow sideways; otherwise they stay.
    """
    mean = neighbours(draft.faces, len(draft.chart))
    share = np.repeat(where[:, None], 3, axis=1)
    border = np.unique(border_edges(draft.faces))
    share[border, 1 if hems_move else slice(None)] = 0
    vertices = draft.vertices
    for _ in range(rounds):
        vertices = vertices + share * 0.7 * (mean @ vertices - vertices)
    draft = draft.moved(vertices - draft.vertices)
    off = (draft.offset * draft.normals).sum(axis=1)
    return draft.moved(draft.normals * np.maximum(clearance - off, 0)[:, None])


def covered(figure: Figure, draft: Draft, margin: float, reach: float | None = None) -> Bool[np.ndarray, " 13380"]:
    """Skin that lies under cloth and not within `margin` metres of its border.

    Args:
        reach: how far the cloth's chart may be from the skin, metres; less than the margin unless given.
    """
    reach = 0.8 * margin if reach is None else reach
    skin = figure.vertices[:NUM_SKIN]
    tree = cKDTree(draft.chart)
    distance, _ = tree.query(skin, distance_upper_bound=reach)
    border = draft.chart[np.unique(border_edges(draft.faces))]
    if not len(border):
        return np.isfinite(distance)
    to_border, _ = cKDTree(border).query(skin, distance_upper_bound=max(margin, 1e-6))
    return np.isfinite(distance) & ~np.isfinite(to_border)
