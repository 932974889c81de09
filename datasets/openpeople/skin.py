"""Skin and eyes: meshes, and materials with lips, brows, lashes, blush, freckles, stubble, nails, irises and pupils."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.face import Expression, Face, apply_expression
from sherf.datasets.openpeople.look import Look, hair_colour
from sherf.datasets.openpeople.noise import fbm, smoothstep, value_noise
from sherf.datasets.openpeople.part import Part, SurfaceSamples

Samples3 = Float32[np.ndarray, "sample 3"]
BEARD_SHADE = {"none": 0.0, "stubble": 0.45, "moustache": 0.12, "goatee": 0.2, "short": 0.5, "full": 0.5}
"""Opacity of the painted beard of each style."""
IRIS_ANGLE, PUPIL_ANGLE = 0.44, 0.19
"""Angular radii as seen from the eyeball's centre, radians."""


def make_skin(
    figure: Figure, face: Face, look: Look, expression: Expression, hidden: Bool[np.ndarray, " skin"]
) -> Part:
    """Build the visible skin of a person, with an expression.

    Args:
        figure: the body shape.
        face: its landmarks.
        look: colours and marks.
        expression: displacements of the face.
        hidden: skin vertices under garments; faces with three hidden vertices are left out.

    Returns:
        The part "skin".
    """
    base = base_mesh()
    kept = ~hidden[base.skin_faces].all(axis=1)
    faces, texture = base.skin_faces[kept], base.skin_uv_faces[kept]
    # One vertex for each pair of position and texture coordinate.
    pairs, number = np.unique(np.stack([faces.ravel(), texture.ravel()], axis=1), axis=0, return_inverse=True)
    vertex, uv = pairs.T
    moved = apply_expression(figure, face, expression)
    return Part(
        "skin", moved[vertex], number.reshape(-1, 3), base.weights[vertex], Skin(face, look),
        figure.vertices[:NUM_SKIN][vertex], base.uv[uv], vertex,
    )  # fmt: skip


def make_eyes(figure: Figure, face: Face, look: Look) -> Part:
    """Build both eyeballs: the part "eyes"."""
    base = base_mesh()
    vertex, number = np.unique(base.eyes_faces, return_inverse=True)
    points = figure.vertices[vertex]
    return Part("eyes", points, number.reshape(-1, 3), base.weights[vertex], Eyes(face, look), points)


@dataclass(frozen=True)
class Skin:
    """The material of skin, with the features of the face."""

    face: Face
    look: Look
    gloss: float = 0.035
    sharpness: float = 12.0

    def albedo(self, samples: SurfaceSamples) -> Samples3:
        """Return diffuse sRGB colour in [0, 1] before light."""
        look, p = self.look, samples.rest
        colour = np.tile(look.skin, (len(p), 1))
        colour *= 1 + 0.05 * fbm(p * 18, look.seed, 3)[:, None] + 0.025 * value_noise(p * 260, look.seed + 1)[:, None]
        base = base_mesh()
        size = len(base.lips)
        place = (samples.uv * [size, -size] + [0, size]).astype(int).clip(0, size - 1)
        lips = base.lips[place[:, 1], place[:, 0]].astype(np.float32) / 255
        _blend(colour, look.lips, look.lip_strength * lips)
        nails = base.nails[place[:, 1], place[:, 0]].astype(np.float32) / 255
        plain = 0.5 * look.skin + 0.5 * np.array([0.95, 0.78, 0.74], np.float32)
        _blend(colour, plain if look.nails is None else look.nails, (0.4 if look.nails is None else 0.9) * nails)
        self._marks(colour, samples)
        near = np.flatnonzero(p[:, 1] > self.face.chin_y - 0.06)
        if len(near):
            part = colour[near]
            self._paint_face(part, p[near])
            colour[near] = part
        return np.clip(colour, 0, 1)

    def _marks(self, colour: Samples3, samples: SurfaceSamples) -> None:
        """Paint moles, in place."""
        for u, v, radius in self.look.moles:
            # The texture is about 1.6 m wide.
            far = np.hypot(samples.uv[:, 0] - u, samples.uv[:, 1] - v) * 1.6
            _blend(colour, self.look.skin * 0.4, 0.8 * smoothstep(far, radius, 0.4 * radius))

    def _paint_face(self, colour: Samples3, p: Samples3) -> None:
        """Paint brows, lashes, blush, freckles, wrinkles and stubble, in place."""
        face, look = self.face, self.look
        hair = hair_colour(look)
        front = p[:, 2] > face.left_eye[2] - 0.012
        for eye in face.eyes:
            side = np.sign(eye[0])
            out, up = (p[:, 0] - eye[0]) * side, p[:, 1] - eye[1]
            arch = 0.0245 - 0.35 * np.maximum(out - 0.008, 0) - 0.12 * np.maximum(-out, 0)
            thick = (0.0034 - 0.05 * np.maximum(out, 0)) * look.brow_weight
            brow = smoothstep(np.abs(up - arch), thick * 1.35, thick * 0.55) * smoothstep(
                np.abs(out - 0.002), 0.025, 0.018
            )
            hairs = 0.72 + 0.28 * value_noise(p * np.array([900, 300, 900], np.float32), look.seed + 2)
            _blend(colour, hair * 0.9, 0.85 * brow * front * hairs)
            ring = np.hypot(out, up * 1.5)
            lash = np.exp(-(((ring - 0.0145) / 0.0032) ** 2)) * (p[:, 2] > eye[2])
            _blend(
                colour, np.array([0.12, 0.08, 0.07], np.float32), (0.35 + 0.5 * look.eyeliner * (up > -0.002)) * lash
            )
            under = np.exp(-((out / 0.016) ** 2) - (((up + 0.016) / 0.006) ** 2)) * front
            _blend(colour, look.skin * 0.8, (0.12 + 0.25 * look.age) * under)
            cheek = np.exp(-(((out - 0.012) ** 2 + (up + 0.04) ** 2) / 0.02**2)) * front
            colour *= 1 + (look.blush * cheek)[:, None] * np.array([0.04, -0.07, -0.06], np.float32)
        across, below = np.abs(p[:, 0] - face.nose[0]), face.left_eye[1] - p[:, 1]
        if look.freckles:
            zone = np.exp(-((across / 0.045) ** 2) - (((below - 0.025) / 0.022) ** 2)) * front
            spots = smoothstep(value_noise(p * 420, look.seed + 3), 0.45, 0.7)
            _blend(colour, look.skin * np.array([0.66, 0.5, 0.42], np.float32), look.freckles * zone * spots)
        if look.age > 0.5:
            lines = smoothstep(np.abs(value_noise(p * np.array([25, 190, 25], np.float32), look.seed + 4)), 0.12, 0.0)
            brow_zone = smoothstep(p[:, 1], face.left_eye[1] + 0.03, face.left_eye[1] + 0.045) * front
            _blend(colour, look.skin * 0.72, (look.age - 0.5) * 0.8 * lines * brow_zone)
        shade = BEARD_SHADE[look.beard]
        if shade:
            grain = 0.75 + 0.25 * value_noise(p * 1500, look.seed + 5)
            _blend(colour, hair, shade * beard_zone(face, p, look.beard).astype(np.float32) * grain)


def beard_zone(face: Face, points: Float[np.ndarray, "point 3"], style: str) -> Float[np.ndarray, " point"]:
    """Return the density of beard at rest-space points, in [0, 1]; the lips stay free.

    Args:
        face: the landmarks.
        points: rest space, metres.
        style: "moustache", "goatee", or any other name for a full beard along the jaw.
    """
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    corner = face.mouth_corner
    lips = np.hypot(x / (1.15 * corner[0]), (y - face.mouth[1]) / 0.0105)
    off_lips = smoothstep(lips, 0.85, 1.1)
    lip_top = smoothstep(np.abs(y - (face.mouth[1] + 0.0165)), 0.0095, 0.006) * smoothstep(
        x, corner[0] + 0.012, corner[0]
    )
    moustache = lip_top * (z > corner[2] - 0.02)
    around = smoothstep(np.abs(x - 1.15 * corner[0]), 0.010, 0.005) * smoothstep(
        y, face.mouth[1] + 0.02, face.mouth[1] + 0.01
    )
    chin = smoothstep(x, 0.034, 0.022) * smoothstep(y, face.mouth[1] - 0.004, face.mouth[1] - 0.014)
    goatee = np.maximum(chin, around) * (z > corner[2] - 0.045)
    # The upper edge runs from the front of the ear down to the corner of the mouth.
    ear_front = face.ear[2] + 0.02
    along = np.clip((z - ear_front) / max(corner[2] - ear_front, 0.02), 0, 1)
    line = face.ear[1] - 0.01 + (face.mouth[1] + 0.012 - face.ear[1] + 0.01) * along**1.6
    jaw = smoothstep(y, line, line - 0.012) * smoothstep(z, ear_front - 0.012, ear_front)
    throat = smoothstep(y, face.chin_y - 0.03, face.chin_y - 0.012)
    match style:
        case "moustache":
            zone = moustache
        case "goatee":
            zone = np.maximum(moustache, goatee)
        case _:
            zone = np.maximum(np.maximum(moustache, goatee), jaw)
    return zone * off_lips * throat


@dataclass(frozen=True)
class Eyes:
    """The material of eyes: sclera, iris with radial streaks, pupil."""

    face: Face
    look: Look
    gloss: float = 0.5
    sharpness: float = 80.0

    def albedo(self, samples: SurfaceSamples) -> Samples3:
        """Return diffuse sRGB colour in [0, 1] before light."""
        colour = np.tile(np.array([0.93, 0.92, 0.90], np.float32), (len(samples.rest), 1))
        for eye in self.face.eyes:
            away = samples.rest - eye.astype(np.float32)
            distance = np.linalg.norm(away, axis=1)
            near = distance < 0.03
            away /= np.maximum(distance, 1e-6)[:, None]
            angle = np.arccos(np.clip(away[:, 2], -1, 1))
            iris = smoothstep(angle, IRIS_ANGLE, IRIS_ANGLE - 0.04) * near
            rays = (0.75 + 0.4 * value_noise(away * 40, 4))[:, None]
            colour += (self.look.iris * rays - colour) * iris[:, None]
            lid = smoothstep(away[:, 1], 0.12, 0.42) * near
            _blend(colour, np.array([0.45, 0.36, 0.33], np.float32), 0.75 * lid)
            rim = np.exp(-(((angle - IRIS_ANGLE) / 0.04) ** 2)) * near
            _blend(colour, self.look.iris * 0.4, 0.6 * rim)
            _blend(colour, np.full(3, 0.03, np.float32), smoothstep(angle, PUPIL_ANGLE, PUPIL_ANGLE - 0.03) * near)
        return np.clip(colour, 0, 1).astype(np.float32)


def _blend(colour: Samples3, paint: Float[np.ndarray, "3"], share: Float[np.ndarray, " sample"]) -> None:
    """Blend a colour over others, in place."""
    colour += (np.asarray(paint, np.float32) - colour) * np.clip(share, 0, 1).astype(np.float32)[:, None]
