"""Glasses and hats, rigidly attached to the head."""

import numpy as np
from jaxtyping import Float

from sherf.body.skeleton import HEAD
from sherf.datasets.openpeople.body import NUM_SKIN, Figure
from sherf.datasets.openpeople.cloth import Detail, cloth
from sherf.datasets.openpeople.colours import colour, palette, random_colour, shade, to_floats
from sherf.datasets.openpeople.decals import Decal, emblem_print
from sherf.datasets.openpeople.details import Band, Ribs, Sheet
from sherf.datasets.openpeople.fabric import make_fabric
from sherf.datasets.openpeople.face import Face
from sherf.datasets.openpeople.panels import Panels
from sherf.datasets.openpeople.part import Material, Part
from sherf.datasets.openpeople.solids import Mesh, PlainMaterial, join_meshes, make_tube, revolve, signed_power

HATS = ("cap", "beanie", "brimmed hat", "headband")
TEST_HATS = ("bucket hat",)
"""For the test split only."""


def _head_part(name: str, mesh: Mesh, material: Material) -> Part:
    """Return a part that moves with the head."""
    vertices, faces = mesh
    weights = np.zeros((len(vertices), 24))
    weights[:, HEAD] = 1
    return Part(name, vertices, faces, weights, material, vertices)


def make_glasses(face: Face, rng: np.random.Generator) -> list[Part]:
    """Make glasses: a frame, and tinted lenses in 45 % of cases."""
    round_ = rng.uniform(2.0, 5.0)
    half_width, half_height = rng.uniform(0.021, 0.027), rng.uniform(0.015, 0.022)
    thick = rng.uniform(0.0011, 0.0026)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    shape = np.stack(
        [half_width * signed_power(np.cos(turn), 2 / round_), half_height * signed_power(np.sin(turn), 2 / round_)],
        axis=1,
    )
    front = face.left_eye[2] + 0.030
    pieces, lenses, outer = [], [], []
    for eye in face.eyes:
        side = np.sign(eye[0])
        middle = np.array([side * max(abs(eye[0]) + 0.001, half_width + 0.008), eye[1] - 0.003, front])
        rim = middle + np.stack([shape[:, 0], shape[:, 1], -0.25 * side * shape[:, 0]], axis=1)
        pieces.append(make_tube(rim, thick, closed=True))
        fan = np.stack([np.zeros(40, int), 1 + np.arange(40), 1 + (np.arange(40) + 1) % 40], axis=1)
        lenses.append((np.concatenate([middle[None], rim]), fan))
        outer.append(middle + np.array([side * half_width, 0.004, -0.25 * half_width]))
        ear = np.array([side * (face.ear[0] - 0.006), face.ear[1] + 0.022, face.ear[2] + 0.004])
        bend = ear + np.array([-side * 0.004, -0.022, -0.022])
        pieces.append(
            make_tube(np.stack([outer[-1], 0.5 * (outer[-1] + ear) + [side * 0.004, 0, 0], ear, bend]), thick)
        )
    left, right = (x - np.array([2 * np.sign(x[0]) * half_width, 0.0, -0.5 * half_width]) for x in outer)
    pieces.append(make_tube(np.stack([left, (left + right) / 2 + [0, 0.004, 0.003], right]), thick))
    tone = [colour(0.06, 0.06, 0.07), colour(0.3, 0.17, 0.08), colour(0.75, 0.75, 0.77), colour(0.7, 0.55, 0.25)]
    frame = random_colour(rng) if rng.random() < 0.2 else tone[int(rng.integers(4))]
    parts = [_head_part("glasses", join_meshes(pieces), PlainMaterial(frame, 0.3, 40.0, 0.0))]
    if rng.random() < 0.45:
        tint = colour(*(rng.uniform(0.03, 0.12) + rng.uniform(0, 0.05, 3)))
        parts.append(_head_part("lenses", join_meshes(lenses), PlainMaterial(tint, 0.6, 90.0, 0.0)))
    return parts


def make_hat(figure: Figure, face: Face, kind: str, rng: np.random.Generator, is_test: bool) -> Part:
    """Make a hat that sits just above the brows.

    Args:
        figure: the body shape.
        face: its landmarks.
        kind: a name of `HATS` or `TEST_HATS`.
        rng: random numbers.
        is_test: whether to use the fabrics of the test split.

    Returns:
        The part "hat".

    Raises:
        KeyError: unknown kind of hat.
    """
    centre, radii, height = _measure_skull(figure, face)
    families = ("heather", "corduroy", "herringbone", "gingham") if is_test else ("plain", "brushed", "denim", "plaid")
    knitted = ("cable_knit", "chevron") if is_test else ("rib_knit", "fair_isle", "wide_stripes", "plain")
    ground = random_colour(rng)
    ink = palette(rng, 2, ground, 0.3)[1]
    fabric = make_fabric(str(rng.choice(knitted if kind == "beanie" else families)), rng, ground)
    panels = Panels(figure.joints, "skirt")
    low = centre[1]
    front = np.array([0.0, low + 0.45 * height, centre[2] + radii[1]])
    logo = Decal(emblem_print(rng, [to_floats(ink)]), Sheet(front), 0.045, 0.045)
    details: tuple[Detail, ...]
    match kind:
        case "cap":
            crown = revolve(_dome(height, 1.0), centre, radii)
            mesh = join_meshes([crown, _peak(centre, radii, rng.uniform(0.06, 0.08))])
            button = Band((0.0, 1.0, 0.0), low + height - 0.004, np.inf, shade(ground, 0.7))
            details = (logo, button) if rng.random() < 0.7 else (button,)
        case "beanie":
            profile = np.array([[1.04, -0.035], [1.07, -0.03], [1.07, 0.02], [1.03, 0.022]])
            mesh = revolve(np.concatenate([profile, _dome(height + rng.uniform(0.0, 0.05), 1.02)[1:]]), centre, radii)
            details = (Ribs((0.0, 1.0, 0.0), low - 0.04, low + 0.021),)
        case "brimmed hat" | "bucket hat":
            wide = 1.9 if kind == "brimmed hat" else 1.45
            drop = 0.012 if kind == "brimmed hat" else 0.026
            brim = np.array([[wide, -drop], [wide, 0.003 - drop], [1.3, 0.004 - 0.4 * drop], [1.02, 0.008]])
            top = np.array([[1.0, 0.8 * height], [0.9, height], [0.5, height - 0.008], [0.001, height - 0.012]])
            mesh = revolve(np.concatenate([brim, top]), centre, radii)
            details = (Band((0.0, 1.0, 0.0), low + 0.012, low + 0.04, ink, high=(9, 9, 9)),) if drop < 0.02 else (logo,)
        case "headband":
            band = np.array([[1.0, 0.01], [1.045, 0.012], [1.04, 0.05], [0.99, 0.052]])
            mesh, details = revolve(band, centre, radii), ()
        case _:
            raise KeyError(f"unknown hat {kind!r}; choose one of: {', '.join(HATS + TEST_HATS)}")
    return _head_part("hat", mesh, cloth(fabric, panels, details))


def _measure_skull(figure: Figure, face: Face) -> tuple[Float[np.ndarray, "3"], tuple[float, float], float]:
    """Return centre (at the height of a hat's edge), half width and depth, and height of the head with hair, metres."""
    edge = float(face.left_eye[1]) + 0.043
    head = figure.vertices[:NUM_SKIN]
    head = head[head[:, 1] > edge - 0.012]
    middle = (head[:, 2].min() + head[:, 2].max()) / 2
    half_width = head[:, 0].max() + 0.014
    half_depth = (head[:, 2].max() - head[:, 2].min()) / 2 + 0.014
    return np.array([0.0, edge, middle]), (float(half_width), float(half_depth)), face.crown_y - edge + 0.02


def _dome(height: float, start: float) -> Float[np.ndarray, "row 2"]:
    """Return the profile of a dome from the edge up to the crown."""
    t = np.linspace(0, np.pi / 2, 14)
    return np.stack([start * np.maximum(np.cos(t) ** 0.75, 0.001), height * np.sin(t)], axis=1)


def _peak(centre: Float[np.ndarray, "3"], radii: tuple[float, float], length: float) -> Mesh:
    """Return a cap's peak: an arched plate at the front."""
    angle = np.linspace(-1.15, 1.15, 25)
    inner = np.stack([radii[0] * np.sin(angle), np.zeros(25), radii[1] * np.cos(angle)], axis=1)
    reach = length * np.cos(angle / 1.15 * np.pi / 2) ** 0.5
    outer = inner + reach[:, None] * np.array([0.0, -0.18, 1.0])
    outer[:, 1] -= 6 * inner[:, 0] ** 2 * 0.3
    rows = np.stack([inner, outer, outer + np.array([0, 0.0035, 0]), inner + np.array([0, 0.006, 0])]) + centre
    number = np.arange(100).reshape(4, 25)
    faces = []
    for a, b in ((0, 1), (1, 2), (2, 3)):
        p, q, r, s = number[a, :-1], number[a, 1:], number[b, 1:], number[b, :-1]
        faces += [np.stack([p, s, r], axis=1), np.stack([p, r, q], axis=1)]
    return rows.reshape(-1, 3), np.concatenate(faces)
