"""Geometry of tops: sleeves, necklines, openings, width and length."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from sherf.datasets.openpeople.body import Figure
from sherf.datasets.openpeople.mesh import Draft, cut_mesh
from sherf.datasets.openpeople.noise import smoothstep
from sherf.datasets.openpeople.tailoring import Measures, drape, make_tights, wrinkles

ARMHOLE = 0.5
"""Arm weight at which sleeveless tops end."""
IS_SLEEVE = 0.35
"""Arm weight above which sleeves are cut by their length."""


@dataclass(frozen=True)
class Neck:
    """A neckline seen from the front, metres."""

    half_width: float
    """On the ridge of the shoulders."""
    front: float
    """Drop below the shoulder ridge at the front."""
    back: float
    """Drop below the shoulder ridge at the back."""
    shape: Literal["round", "v", "square", "high"] = "round"
    """A high neckline rises `front` above the base of the neck."""


NECKS: dict[str, Neck] = {
    "crew": Neck(0.078, 0.055, 0.012),
    "wide crew": Neck(0.092, 0.075, 0.02),
    "scoop": Neck(0.098, 0.12, 0.05),
    "v": Neck(0.080, 0.13, 0.012, "v"),
    "deep v": Neck(0.080, 0.30, 0.012, "v"),
    "square": Neck(0.092, 0.11, 0.05, "square"),
    "boat": Neck(0.122, 0.045, 0.03),
    "shirt": Neck(0.072, 0.045, 0.006),
    "turtle": Neck(0.0, 0.022, 0.0, "high"),
    "mock": Neck(0.0, 0.005, 0.0, "high"),
}


@dataclass(frozen=True)
class Top:
    """The dimensions of one top."""

    sleeve: float
    """Length as a share of the distance from shoulder seam to wrist; negative for none."""
    hem: float
    """Height of the lower edge in the rest pose, metres."""
    loose: float
    """Extra width of the torso, as a share of the radius."""
    neck: Neck
    sleeve_loose: float = 0.1
    """Extra width of the sleeves, as a share of the radius."""
    thickness: float = 0.008
    """Distance from the skin, metres."""
    fold: float = 0.006
    """Height of wrinkles, metres."""
    opening: float | None = None
    """Half the gap of an open front at the chest, metres."""
    tucked: bool = False
    """Worn inside the waistband."""
    gathered: bool = False
    """Held at the hem and cuffs by ribs or elastic."""


def sew_top(figure: Figure, top: Top, seed: int) -> Draft:
    """Cut a top from the body-hugging surface and widen it; `seed` varies its wrinkles."""
    measures = Measures(figure)
    draft = make_tights(figure)
    draft = cut_mesh(draft, top.hem - draft.reference[:, 1])
    if top.sleeve < 0:
        draft = cut_mesh(draft, draft.arm - ARMHOLE)
    else:
        along = measures.along_arm(draft.reference)
        draft = cut_mesh(draft, np.where(draft.arm > IS_SLEEVE, along - min(top.sleeve, 0.985), -0.2))
    draft = cut_mesh(draft, neckline(measures, top.neck, draft.reference))
    if top.opening is not None:
        draft = cut_mesh(draft, _front_gap(measures, top, draft.reference))
    return _widen(measures, draft, top, seed)


def neckline(measures: Measures, neck: Neck, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return the approximate signed distance to the neckline, metres; positive in the neck's opening."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2] - measures.neck[2]
    if neck.shape == "high":
        return y - (measures.neck[1] + neck.front) + 0.35 * z
    ridge = measures.ridge_y(neck.half_width)
    t = np.clip(x / neck.half_width, 0, 1)
    curve = {"round": 1 - np.sqrt(np.maximum(1 - t * t, 0)), "v": t, "square": t**8}[neck.shape]
    drop = neck.back + (neck.front - neck.back) * smoothstep(z, -0.02, 0.03)
    return y - (ridge - drop * (1 - curve)) - 4 * np.maximum(x - neck.half_width, 0)


def _front_gap(measures: Measures, top: Top, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, " point"]:
    """Return a level set that is positive in the gap of an open front, which widens slightly downwards."""
    assert top.opening is not None
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    gap = top.opening * (0.55 + 0.45 * smoothstep(y, measures.chest_y + 0.1, measures.waist_y - 0.1))
    return np.minimum(gap - x, 4 * (z - measures.neck[2] - 0.01))


def _widen(measures: Measures, draft: Draft, top: Top, seed: int) -> Draft:
    """Offset a top from the skin: thickness, width of torso and sleeves, folds, gathering at the waistband."""
    p, normals = draft.reference, draft.normals
    waist, joints = measures.waist_y, measures.figure.joints
    is_arm = smoothstep(draft.arm, 0.25, 0.75)
    along = measures.along_arm(p)
    elbow_z = joints[16, 2] + (joints[20, 2] - joints[16, 2]) * np.clip(along, 0, 1)
    from_arm = np.stack([np.zeros(len(p)), p[:, 1] - joints[16, 1], p[:, 2] - elbow_z], axis=1)
    # In the T-pose the upper side of the sleeve rests on the arm and stays close; the lower side hangs.
    hangs = 0.35 + 0.65 * smoothstep(from_arm[:, 1], 0.04, -0.04)
    sleeve = is_arm * smoothstep(along, 0.02, 0.4) * hangs
    if top.gathered and top.sleeve > 0.9:
        sleeve *= 1 - 0.85 * smoothstep(along, 0.93, 1.0)
    from_axis = (p - np.array([0.0, 0.0, measures.neck[2] + 0.03])) * np.array([1.0, 0.0, 1.0])
    torso = (1 - is_arm) * smoothstep(p[:, 1], measures.chest_y + 0.06, measures.chest_y - 0.19)
    free = np.ones(len(p))
    if top.tucked:
        free = 1 - smoothstep(p[:, 1], waist + 0.10, waist - 0.02)
    elif top.gathered:
        free = 1 - 0.8 * smoothstep(p[:, 1], top.hem + 0.05, top.hem + 0.005)
    thickness = top.thickness - (top.thickness - 0.0025) * (1 - free) * top.tucked
    draft = draft.moved(normals * thickness[:, None])
    draft = draft.moved(from_arm * (sleeve * top.sleeve_loose * 1.8)[:, None])
    draft = draft.moved(from_axis * (torso * free * top.loose)[:, None])
    hollow = (1 - is_arm) * smoothstep(p[:, 1], measures.chest_y + 0.12, measures.chest_y + 0.02) * free
    rounds = int(10 + 250 * top.loose)
    draft = draft if top.tucked and top.loose < 0.03 else drape(draft, rounds, 0.5 * top.thickness, hollow)
    folds = wrinkles(draft, 0.08, seed) * top.fold * (0.4 + 0.6 * torso + 0.6 * is_arm) * (0.25 + 0.75 * free)
    return draft.moved(normals * folds[:, None])
