"""Geometry of trousers, skirts, socks and shoes."""

from dataclasses import dataclass

import numpy as np

from sherf.datasets.openpeople.body import Figure
from sherf.datasets.openpeople.mesh import Draft, cut_mesh
from sherf.datasets.openpeople.noise import smoothstep, value_noise
from sherf.datasets.openpeople.tailoring import Measures, drape, make_skirt_tube, make_tights, wrinkles

MIDLINE_M = 0.002
"""Trouser legs stay this far from the median plane."""


@dataclass(frozen=True)
class Trousers:
    """The dimensions of trousers, shorts or leggings."""

    length: float
    """Length as a share of the distance from hip to ankle."""
    waist: float
    """Height of the upper edge in the rest pose, metres."""
    loose: float
    """Extra width, as a share of the leg's radius."""
    flare: float = 0.0
    """Additional width at the ankle, metres."""
    thickness: float = 0.005
    """Distance from the skin, metres."""
    fold: float = 0.006
    """Height of wrinkles, metres."""
    gathered: bool = False
    """Held at the ankles by ribs."""


@dataclass(frozen=True)
class Skirt:
    """The dimensions of a skirt, or of the lower part of a dress or coat."""

    hem: float
    """Height of the lower edge in the rest pose, metres."""
    waist: float
    """Height of the upper edge in the rest pose, metres."""
    flare: float
    """Extra width 60 cm below the waist, as a share of the radius."""
    pleats: int = 10
    """Number of folds around the skirt."""
    pleat: float = 0.018
    """Depth of the folds, metres."""
    thickness: float = 0.006
    """Distance from the skin, metres."""
    opening: float | None = None
    """Half the gap of an open front, metres."""
    slit: float | None = None
    """Height below which the left side is open, metres."""


@dataclass(frozen=True)
class Shoe:
    """The dimensions of a pair of shoes or boots."""

    height: float
    """Height of the upper edge above the ankle joint, metres; negative for low shoes."""
    sole: float
    """Thickness, metres."""
    low_front: float = 0.0
    """How much lower the edge is over the instep, metres: ballet flats, loafers."""
    wide: float = 0.06
    """Extra width of the sole, as a share of the foot's."""
    shaft: float = 0.0
    """Extra width of a boot's shaft, as a share of the leg's radius."""


def sew_trousers(figure: Figure, trousers: Trousers, seed: int) -> Draft:
    """Cut trousers from the body-hugging surface and widen them; `seed` varies their wrinkles."""
    measures = Measures(figure)
    draft = make_tights(figure)
    draft = cut_mesh(draft, draft.reference[:, 1] - trousers.waist)
    end = measures.hip_y + (measures.ankle_y - measures.hip_y) * trousers.length
    draft = cut_mesh(draft, end - draft.reference[:, 1])
    p, down = draft.reference, np.clip(measures.down_leg(draft.reference), 0, 1)
    from_axis = (p - measures.leg_axis(p)) * np.array([1.0, 0.0, 1.0])
    radius = np.maximum(np.linalg.norm(from_axis, axis=1), 0.02)
    width = smoothstep(down, 0.08, 0.35) * (trousers.loose + trousers.flare * down / radius)
    if trousers.gathered:
        width *= 1 - 0.8 * smoothstep(p[:, 1], end + 0.06, end)
    knee = np.exp(-(((p[:, 1] - measures.knee_y) / 0.07) ** 2))
    folds = wrinkles(draft, 0.075, seed) * trousers.fold * (0.4 + 0.5 * down + knee)
    folds += np.maximum(wrinkles(draft, 0.03, seed + 1), 0) * trousers.fold * smoothstep(down, 0.82, 1.0)
    draft = draft.moved(draft.normals * (trousers.thickness + np.maximum(folds, -0.6 * trousers.thickness))[:, None])
    draft = draft.moved(from_axis * width[:, None])
    # Wide legs hang straight over the hollows of knee and calf.
    rounds = int(250 * (trousers.loose + 8 * trousers.flare))
    draft = drape(draft, rounds, 0.6 * trousers.thickness, smoothstep(down, 0.15, 0.4), hems_move=True)
    below_crotch = smoothstep(p[:, 1], measures.hip_y - 0.09, measures.hip_y - 0.13)
    side = np.sign(p[:, 0])
    over = np.minimum(draft.vertices[:, 0] * side - MIDLINE_M, 0) * below_crotch
    return draft.moved(np.stack([-over * side, np.zeros(len(p)), np.zeros(len(p))], axis=1))


def sew_skirt(figure: Figure, shape: Skirt, seed: int) -> Draft:
    """Cut a skirt from the tube around both legs, and add flare and folds; `seed` varies them."""
    measures = Measures(figure)
    draft = make_skirt_tube(figure)
    draft = cut_mesh(draft, draft.reference[:, 1] - shape.waist)
    draft = cut_mesh(draft, max(shape.hem, measures.ankle_y + 0.01) - draft.reference[:, 1])
    x, y, z = draft.reference.T
    if shape.opening is not None:
        draft = cut_mesh(draft, np.minimum(shape.opening - np.abs(x), 4 * (z - 0.02)))
    if shape.slit is not None:
        # A wedge on the left thigh that widens downwards.
        aside = np.abs(z - 0.06) - 0.10 * np.clip(shape.slit - y, 0, 0.5)
        draft = cut_mesh(draft, np.minimum(np.minimum(-aside, 4 * (x - 0.02)), 4 * (shape.slit - y)))
    p = draft.reference
    t = np.clip((shape.waist - p[:, 1]) / 0.6, 0, 1.4)
    middle = np.array([0.0, 0.0, 0.03])
    out = (p - middle) * np.array([1.0, 0.0, 1.0])
    unit = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    around = np.arctan2(p[:, 0], p[:, 2] - 0.03)
    drift = 2 * value_noise((p * np.array([6.0, 1.5, 6.0])).astype(np.float32), seed).astype(float)
    fold = np.sin(around * shape.pleats + drift) * smoothstep(t, 0.0, 0.6) * shape.pleat
    creases = wrinkles(draft, 0.12, seed + 1) * 0.006
    draft = draft.moved(out * (shape.flare * t)[:, None])
    # Folds reach inwards only as far as the flare has made room.
    inwards = 0.8 * shape.thickness * (1 + 8 * shape.flare * t)
    return draft.moved(unit * (shape.thickness + np.maximum(fold + creases, -inwards))[:, None])


def sew_sock(figure: Figure, height: float) -> Draft:
    """Cut a pair of socks up to this height in the rest pose, metres."""
    draft = make_tights(figure)
    draft = cut_mesh(draft, draft.reference[:, 1] - height)
    top = smoothstep(draft.reference[:, 1], height - 0.03, height - 0.02)
    return draft.moved(draft.normals * (0.0025 + 0.001 * top)[:, None])


def sew_shoe(figure: Figure, shoe: Shoe) -> Draft:
    """Cut a pair of shoes from the feet of the body-hugging surface, and add soles."""
    measures = Measures(figure)
    draft = make_tights(figure)
    instep = smoothstep(draft.reference[:, 2], measures.figure.joints[7, 2] + 0.0, measures.figure.joints[10, 2] - 0.02)
    edge = measures.ankle_y + shoe.height - shoe.low_front * instep
    draft = cut_mesh(draft, draft.reference[:, 1] - np.broadcast_to(edge, len(draft.reference)))
    p, floor = draft.reference, measures.floor_y
    sole = smoothstep(p[:, 1], floor + 0.03, floor + 0.008)
    ball_x = abs(float(measures.figure.joints[10, 0]))
    sideways = p[:, 0] - np.sign(p[:, 0]) * ball_x
    draft = draft.moved(draft.normals * 0.008)
    shaft = smoothstep(p[:, 1], measures.ankle_y + 0.02, measures.ankle_y + 0.12) * shoe.shaft
    draft = draft.moved((p - measures.leg_axis(p)) * np.array([1.0, 0.0, 1.0]) * shaft[:, None])
    return draft.moved(np.stack([sideways * shoe.wide * sole, -shoe.sole * sole, np.zeros(len(p))], axis=1))
