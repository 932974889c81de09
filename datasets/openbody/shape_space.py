"""Fit a mean shape and ten left-right symmetric shape directions, with coefficients ~ N(0, 1), to sampled people."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sherf.body.skeleton import NUM_BETAS, mirrored_joints
from sherf.datasets.openbody.base_mesh import NUM_VERTICES, SKIN
from sherf.datasets.openbody.sample import People

HELD_OUT = 200
"""Number of people excluded from every fit, to measure it."""

ORIGIN = np.array([0.0, -0.22, 0.03])
"""Position of the pelvis joint in body space, metres: as far from the origin as SMPL's."""

FLIP_X = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class ShapeSpace:
    """A linear shape space over all base-mesh vertices, and the people it was fitted to. Metres."""

    mean: Float[np.ndarray, "19158 3"]
    directions: Float[np.ndarray, "19158 3 10"]
    betas: Float[np.ndarray, "person 10"]
    people: People
    """Made symmetric, the pelvis at `ORIGIN`."""
    is_fitted: Bool[np.ndarray, " person"]
    """False for held-out people."""
    area: Float[np.ndarray, " 19158"]
    """Skin area around each vertex of the mean shape, square metres."""

    def held_out_error_mm(self) -> float:
        """Return the area-weighted mean distance of held-out people from their reconstruction by ten betas."""
        rebuilt = self.mean + np.einsum("vck,nk->nvc", self.directions, self.betas[~self.is_fitted])
        distance = np.linalg.norm(rebuilt[:, SKIN] - self.people.vertices[~self.is_fitted][:, SKIN], axis=-1)
        return float(1e3 * (distance @ self.area[SKIN] / self.area.sum()).mean())


def symmetrise(people: People, mirror: Int[np.ndarray, " 19158"]) -> People:
    """Return the mean of each person and their mirror image."""
    vertices = 0.5 * (people.vertices + people.vertices[:, mirror] * FLIP_X.astype(np.float32))
    joints = 0.5 * (people.joints + people.joints[:, mirrored_joints()] * FLIP_X)
    return People(vertices.astype(np.float32), joints)


def fit_shape_space(
    people: People, mirror: Int[np.ndarray, " 19158"], skin_triangles: Int[np.ndarray, "face 3"]
) -> ShapeSpace:
    """Return the principal components of the skin, weighted by area; the helper vertices follow by regression.

    Signs are chosen so that a larger first beta means taller, and any other larger beta stouter.

    Args:
        people: in the T-pose, the pelvis at the origin; the last `HELD_OUT` are not fitted.
        mirror: each vertex's mirror image.
        skin_triangles: faces of the skin, base-mesh indices.
    """
    people = symmetrise(people, mirror)
    is_fitted = np.arange(len(people.joints)) < len(people.joints) - HELD_OUT
    fitted = people.vertices[is_fitted]
    mean = fitted.mean(axis=0)
    normals, area = _normals_and_areas(mean.astype(np.float64), skin_triangles)

    root_area = np.sqrt(area[SKIN] / area.sum())[:, None].astype(np.float32)
    weighted = ((people.vertices - mean)[:, SKIN] * root_area).reshape(len(people.joints), -1)
    # There are fewer people than coordinates: decompose the small Gram matrix.
    variance, vectors = np.linalg.eigh((weighted[is_fitted] @ weighted[is_fitted].T).astype(np.float64))
    variance, vectors = variance[::-1][:NUM_BETAS], vectors[:, ::-1][:, :NUM_BETAS]
    scores = weighted @ (weighted[is_fitted].T @ vectors / np.sqrt(variance))
    betas = scores / scores[is_fitted].std(axis=0)

    displaced = (fitted - mean).reshape(len(fitted), -1)
    directions = np.linalg.lstsq(betas[is_fitted], displaced, rcond=None)[0]
    directions = directions.reshape(NUM_BETAS, NUM_VERTICES, 3).transpose(1, 2, 0).copy()
    outward = np.einsum("vc,vck,v->k", normals[SKIN], directions[SKIN], area[SKIN])
    taller = np.corrcoef(betas[is_fitted, 0], people.heights[is_fitted])[0, 1]
    signs = np.sign(np.concatenate([[taller], outward[1:]]))
    moved = People(people.vertices + ORIGIN.astype(np.float32), people.joints + ORIGIN)
    return ShapeSpace(mean + ORIGIN, directions * signs, betas * signs, moved, is_fitted, area)


def _normals_and_areas(
    vertices: Float[np.ndarray, "19158 3"], triangles: Int[np.ndarray, "face 3"]
) -> tuple[Float[np.ndarray, "19158 3"], Float[np.ndarray, " 19158"]]:
    """Return unit vertex normals, and a third of the area of the triangles around each vertex."""
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    normals, area = np.zeros_like(vertices), np.zeros(len(vertices))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], across)
        np.add.at(area, triangles[:, corner], np.linalg.norm(across, axis=1) / 6)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12), area
