"""Backpacks, shoulder bags and belt bags, with straps that lie on the clothes."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from sherf.datasets.openpeople.cloth import Detail, cloth
from sherf.datasets.openpeople.colours import palette, random_colour, shade, to_floats
from sherf.datasets.openpeople.decals import Decal, random_print
from sherf.datasets.openpeople.details import Band, Sheet
from sherf.datasets.openpeople.details_sewn import Pocket, Zip
from sherf.datasets.openpeople.fabric import make_fabric
from sherf.datasets.openpeople.panels import Panels
from sherf.datasets.openpeople.part import Part
from sherf.datasets.openpeople.solids import Mesh, join_meshes, make_ribbon, make_rounded_box
from sherf.datasets.openpeople.tailoring import Measures

BagKind = Literal["backpack", "shoulder bag", "belt bag"]
BAGS: tuple[BagKind, ...] = ("backpack", "shoulder bag")
TEST_BAGS: tuple[BagKind, ...] = ("belt bag",)
"""For the test split only."""
STRAP_CLEARANCE_M = 0.004
"""Distance of straps from the clothes."""


class _TorsoSurface:
    """The outer surface of the dressed torso in the rest pose, on which straps lie."""

    def __init__(self, measures: Measures, parts: list[Part]) -> None:
        worn = [p for p in parts if p.name.split()[0] in ("top", "outer", "bottom", "tail", "skin")]
        points = np.concatenate([p.vertices for p in worn])
        weights = np.concatenate([p.weights for p in worn])
        torso = (np.abs(points[:, 0]) < 1.15 * measures.shoulder_x) & (points[:, 1] < measures.neck[1])
        torso &= (points[:, 1] > measures.hip_y - 0.2) & (weights[:, 16:].sum(axis=1) < 0.5)
        self.points, self.weights = points[torso], weights[torso]
        self.middle = measures.neck[2] + 0.03
        self.tree = cKDTree(self.points[:, :2])
        self.tree3 = cKDTree(self.points)

    def depth(self, x: float, y: float, front: bool) -> float:
        """Return the outermost z near (x, y), metres."""
        near = self.points[self.tree.query_ball_point([x, y], 0.02) or [int(self.tree.query([x, y])[1])], 2]
        return float(near.max() if front else near.min())

    def weights_at(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 24"]:
        """Return the skinning weights of the nearest cloth."""
        _, nearest = self.tree3.query(points, k=6)
        mean = self.weights[nearest].mean(axis=1)
        return mean / mean.sum(axis=1, keepdims=True)

    def make_strap(self, places: list[tuple[float, float]], front: bool, width: float) -> Mesh:
        """Return a ribbon on the torso through (x, y) positions; metres."""
        at = np.linspace(0, 1, 40)
        knots = np.linspace(0, 1, len(places))
        x, y = (np.interp(at, knots, [p[axis] for p in places]) for axis in (0, 1))
        sign = 1.0 if front else -1.0
        z = np.array([self.depth(float(a), float(b), front) for a, b in zip(x, y, strict=True)])
        for _ in range(6):
            z = np.concatenate(
                [z[:1], np.maximum((z[:-2] + z[1:-1] + z[2:]) / 3 * sign, z[1:-1] * sign) * sign, z[-1:]]
            )
        path = np.stack([x, y, z + sign * STRAP_CLEARANCE_M], axis=1)
        normals = np.tile(np.array([0.0, 0.0, sign]), (40, 1)) + np.stack([2.0 * x, np.zeros(40), np.zeros(40)], axis=1)
        normals[:, 1] = np.maximum(y - y.max() + 0.05, 0) * 30
        return make_ribbon(path, normals / np.linalg.norm(normals, axis=1, keepdims=True), width)


def make_bag(
    measures: Measures, parts: list[Part], kind: BagKind, rng: np.random.Generator, is_test: bool
) -> list[Part]:
    """Make a bag and its straps, over the person's clothes.

    Args:
        measures: the person's measurements.
        parts: the garments, and the skin where there are few.
        kind: the kind of bag.
        rng: random numbers.
        is_test: whether to use the fabrics of the test split.

    Returns:
        The parts "bag" and "bag strap".
    """
    outside = _TorsoSurface(measures, parts)
    ground = random_colour(rng)
    families = ("corduroy", "heather", "snake", "herringbone") if is_test else ("plain", "leather", "denim", "brushed")
    fabric = make_fabric(str(rng.choice(families)), rng, ground)
    ink = palette(rng, 2, ground, 0.3)[1]
    match kind:
        case "backpack":
            body, straps, details = _backpack(measures, outside, rng)
        case "shoulder bag":
            body, straps, details = _shoulder_bag(measures, outside, rng)
        case "belt bag":
            body, straps, details = _belt_bag(measures, outside)
    middle = float(body[0][:, 1].mean())
    details = (*details, Band((0.0, 1.0, 0.0), middle - 0.004, middle + 0.004, shade(ink, 0.9)))
    if kind == "backpack" and rng.random() < 0.6:
        at = np.array([0.0, middle + 0.08, body[0][:, 2].min()])
        image = random_print(rng, [to_floats(ink)])
        width = min(0.12, 0.12 * image.shape[1] / image.shape[0])
        details = (*details, Decal(image, Sheet(at, "back"), width, width * image.shape[0] / image.shape[1]))
    panels = Panels(measures.figure.joints, "skirt")
    # A bag is rigid: it takes the skinning weights of the cloth behind its middle.
    stiff = np.tile(outside.weights_at(body[0].mean(axis=0)[None]), (len(body[0]), 1))
    bag = Part("bag", *body, stiff, cloth(fabric, panels, details), body[0])
    strap = Part("bag strap", *straps, outside.weights_at(straps[0]), cloth(fabric, panels), straps[0])
    return [bag, strap]


def _backpack(
    measures: Measures, outside: _TorsoSurface, rng: np.random.Generator
) -> tuple[Mesh, Mesh, tuple[Detail, ...]]:
    half = rng.uniform(0.12, 0.15), rng.uniform(0.18, 0.22), rng.uniform(0.06, 0.09)
    y = measures.chest_y - 0.06
    back = min(outside.depth(x, y + d, False) for x in (-0.08, 0.0, 0.08) for d in (-0.1, 0.0, 0.1))
    centre = np.array([0.0, y, back - half[2] * 0.92])
    body = make_rounded_box(centre, half, 5.0)
    top = measures.shoulder_y + 0.01
    straps = []
    for s in (-1.0, 1.0):
        x = s * 0.72 * measures.shoulder_x
        straps.append(outside.make_strap([(x * 0.85, top), (x, y + 0.1), (x * 1.2, y - 0.12)], True, 0.042))
        straps.append(outside.make_strap([(x * 0.85, top), (x * 0.85, top - 0.08)], False, 0.042))
    sheet = Sheet((0.0, y - 0.08, centre[2] - half[2]), "back", reach=0.05)
    zip_ends = (-0.11, y + 0.1, centre[2] - half[2]), (-0.11, y - 0.05, centre[2] - half[2])
    details: tuple[Detail, ...] = (
        Pocket(sheet, 0.19, 0.15, (0.1, 0.1, 0.1), "round", 0.88),
        Zip(*zip_ends, (0.1, 0.1, 0.1), (0.75, 0.75, 0.76), "back", reach=0.05),
    )
    return body, join_meshes(straps), details


def _shoulder_bag(
    measures: Measures, outside: _TorsoSurface, rng: np.random.Generator
) -> tuple[Mesh, Mesh, tuple[Detail, ...]]:
    side = rng.choice([-1.0, 1.0])
    half = rng.uniform(0.09, 0.14), rng.uniform(0.07, 0.11), rng.uniform(0.025, 0.045)
    y = measures.hip_y + 0.02
    hip = side * (0.62 * measures.shoulder_x + 0.05)
    front = outside.depth(hip * 0.7, y, True)
    centre = np.array([hip * 0.85, y, front + half[2] * 0.9])
    shoulder = -side * 0.55 * measures.shoulder_x
    top = measures.shoulder_y + 0.012
    end = (hip * 0.85, y + half[1] * 0.8)
    straps = [
        outside.make_strap([(shoulder, top), end], True, 0.03),
        outside.make_strap([(shoulder, top), (hip * 0.75, y + half[1] + 0.04)], False, 0.03),
    ]
    z = centre[2] + half[2]
    sheet = Sheet((centre[0], y + 0.02, z), reach=0.06)
    details: tuple[Detail, ...] = (Pocket(sheet, 1.5 * half[0], 1.3 * half[1], (0.15, 0.12, 0.1), "flap", 0.9),)
    return make_rounded_box(centre, half, 5.0), join_meshes(straps), details


def _belt_bag(measures: Measures, outside: _TorsoSurface) -> tuple[Mesh, Mesh, tuple[Detail, ...]]:
    y = measures.waist_y - 0.07
    centre = np.array([0.04, y, outside.depth(0.04, y, True) + 0.03])
    wide = 0.8 * measures.shoulder_x
    belts = [outside.make_strap([(-wide, y), (0.0, y), (wide, y)], front, 0.03) for front in (True, False)]
    z = centre[2] + 0.04
    ends = (centre[0] - 0.05, y + 0.02, z), (centre[0] - 0.05, y - 0.02, z)
    details: tuple[Detail, ...] = (Zip(*ends, (0.1, 0.1, 0.1), (0.75, 0.75, 0.76), reach=0.05),)
    return make_rounded_box(centre, (0.11, 0.055, 0.04), 4.0), join_meshes(belts), details
