"""Facial landmarks, and expressions: small smooth displacements of the skin around them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from sherf.datasets.openpeople.body import LEFT_EYE, NUM_SKIN, RIGHT_EYE, Figure, base_mesh

Point = Float[np.ndarray, "3"]
"""Rest space, metres."""


@dataclass(frozen=True)
class Face:
    """Landmarks in the rest pose, metres. The face is treated as symmetric."""

    left_eye: Point
    """Centre of the eyeball."""
    right_eye: Point
    mouth: Point
    """Between the lips, at the front."""
    mouth_corner: Point
    """The left corner."""
    nose: Point
    """Tip of the nose."""
    chin_y: float
    ear: Point
    """Outermost point of the left ear."""
    skull: Point
    """Centre of the cranium."""
    crown_y: float

    @property
    def eyes(self) -> tuple[Point, Point]:
        """Centres of the left and the right eyeball."""
        return self.left_eye, self.right_eye


def find_landmarks(figure: Figure) -> Face:
    """Locate the facial landmarks of a body in the rest pose."""
    v = figure.vertices
    skin = v[:NUM_SKIN]
    lips = v[_lip_vertices()]
    corner = lips[lips[:, 0].argmax()]
    middle = lips[np.abs(lips[:, 0]) < 0.2 * corner[0]]
    head = skin[skin[:, 1] > figure.joints[15, 1]]
    nose = head[(np.abs(head[:, 0]) < 0.02) & (head[:, 1] < v[LEFT_EYE, 1].mean())]
    ears = head[head[:, 2] < v[LEFT_EYE, 2].mean() - 0.05]
    ear = ears[ears[:, 0].argmax()]
    mouth = np.array([0.0, float(np.median(middle[:, 1])), float(middle[:, 2].max())])
    crown = float(head[:, 1].max())
    brain = head[head[:, 1] > v[LEFT_EYE, 1].mean() + 0.02]
    skull = np.array([0.0, float(v[LEFT_EYE, 1].mean()) + 0.02, float((brain[:, 2].min() + brain[:, 2].max()) / 2)])
    chin = mouth[1] - 0.45 * (float(v[LEFT_EYE, 1].mean()) - mouth[1]) - 0.012
    return Face(
        v[LEFT_EYE].mean(axis=0), v[RIGHT_EYE].mean(axis=0), mouth, corner, nose[nose[:, 2].argmax()], chin, ear, skull,
        crown,
    )  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """Strengths of facial movements, about 0 to 1."""

    smile: float = 0.0
    """Corners of the mouth move out and up; negative: down."""
    open: float = 0.0
    """Lower lip and jaw drop."""
    brows: float = 0.0
    """Brows rise; negative: frown."""
    cheeks: float = 0.0
    """Cheeks fill; negative: hollow."""


def random_expression(rng: np.random.Generator) -> Expression:
    """Draw an expression as in photos: mostly calm or smiling."""
    smile = float(
        rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.5, 1.3), rng.uniform(-0.5, 0.1)], p=[0.45, 0.4, 0.15])
    )
    mouth = float(rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.8, 0.2]))
    return Expression(smile, mouth, float(rng.normal(0.0, 0.4)), float(rng.normal(0.3 * max(smile, 0), 0.5)))


def apply_expression(figure: Figure, face: Face, expression: Expression) -> Float[np.ndarray, "13380 3"]:
    """Return the skin vertices with an expression, rest pose, metres."""
    skin = figure.vertices[:NUM_SKIN]
    out = np.zeros_like(skin)

    def move(centre: Point, radii: tuple[float, float, float], by: tuple[float, float, float], amount: float) -> None:
        """Add a Gaussian bump of displacement, mirrored to the other side unless it is centred."""
        for sign in (1.0, -1.0) if abs(centre[0]) > 1e-6 else (1.0,):
            side = np.array([sign, 1.0, 1.0])
            far = (((skin - centre * side) / np.array(radii)) ** 2).sum(axis=1)
            out[:] += amount * np.exp(-far)[:, None] * np.array(by) * side

    corner = face.mouth_corner
    move(corner, (0.014, 0.014, 0.02), (0.004, 0.0065, -0.003), expression.smile)
    move(
        corner + np.array([0.016, 0.022, -0.008]),
        (0.016, 0.016, 0.02),
        (0.002, 0.003, 0.003),
        max(expression.smile, 0.0),
    )
    move(face.mouth, (0.014, 0.010, 0.02), (0.0, -0.001, -0.001), expression.smile)
    lower = np.array([0.0, face.mouth[1] - 0.014, face.mouth[2] - 0.006])
    below = skin[:, 1] < face.mouth[1]
    before = out.copy()
    move(lower, (0.022, 0.012, 0.03), (0.0, -0.0075, -0.001), expression.open)
    out[~below] = before[~below]
    for eye in face.eyes[:1]:
        move(eye + np.array([0.0, 0.024, 0.016]), (0.02, 0.009, 0.02), (0.0, 0.004, 0.0), expression.brows)
    move(corner + np.array([0.025, 0.018, -0.022]), (0.02, 0.022, 0.03), (0.0025, 0.0, 0.002), expression.cheeks)
    return skin + out


@cache
def _lip_vertices() -> Int[np.ndarray, " lip"]:
    """Return the indices of the base-mesh vertices inside the lip mask."""
    base = base_mesh()
    size = len(base.lips)
    place = (base.uv * [size, -size] + [0, size]).astype(int).clip(0, size - 1)
    painted = base.lips[place[:, 1], place[:, 0]] > 128
    return np.unique(base.skin_faces.ravel()[painted[base.skin_uv_faces.ravel()]])
