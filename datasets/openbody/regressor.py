"""Joint centres as a sparse linear function of the vertices near them."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import nnls

from sherf.body.skeleton import NUM_JOINTS, mirrored_joints
from sherf.datasets.openbody.shape_space import ShapeSpace

FITTED_PEOPLE = 300
MOST_VERTICES = 260
CORRECTED_VERTICES = 500
REACH_M = 0.09
SHRINKAGE_M = 0.001
"""Pulls the regressor's entries together: with less, a few far vertices carry a joint."""
SUM_WEIGHT = 1e2
"""Holds each row's sum at 1."""


def joints_of_betas(space: ShapeSpace) -> Float[np.ndarray, "11 24 3"]:
    """Least-squares joint centres per unit of each beta; the last row is the mean shape's."""
    betas = space.betas[space.is_fitted]
    with_one = np.column_stack([betas, np.ones(len(betas))])
    centres = space.people.joints[space.is_fitted].reshape(len(betas), -1)
    return np.linalg.lstsq(with_one, centres, rcond=None)[0].reshape(-1, NUM_JOINTS, 3)


def regress_joints(
    template: Float[np.ndarray, "vertex 3"],
    directions: Float[np.ndarray, "vertex 3 10"],
    mirror: Int[np.ndarray, " vertex"],
    vertices: Float[np.ndarray, "person vertex 3"],
    joints: Float[np.ndarray, "person 24 3"],
    is_fitted: Bool[np.ndarray, " person"],
    joints_of_betas: Float[np.ndarray, "11 24 3"],
) -> Float[np.ndarray, "24 vertex"]:
    """Rows that sum to 1: fitted with non-negative entries to people, then made exact on template and directions."""
    centres = joints[is_fitted].mean(axis=0)
    chosen = np.random.default_rng(1).choice(np.flatnonzero(is_fitted), min(FITTED_PEOPLE, is_fitted.sum()), False)
    some_vertices, some_joints = vertices[chosen].astype(float), joints[chosen]
    regressor = np.zeros((NUM_JOINTS, len(template)))
    for joint, twin in enumerate(mirrored_joints()):
        if twin < joint:
            regressor[joint] = regressor[twin][mirror]
            continue
        near = _near(np.linalg.norm(template - centres[joint], axis=1))
        near = np.unique(np.concatenate([near, mirror[near]])) if twin == joint else near
        regressor[joint, near] = _non_negative(some_vertices[:, near], some_joints[:, joint])
        if twin == joint:
            regressor[joint] = 0.5 * (regressor[joint] + regressor[joint][mirror])
    regressor /= regressor.sum(axis=1, keepdims=True)

    of_betas = directions.transpose(2, 1, 0).reshape(-1, len(template))
    for joint, twin in enumerate(mirrored_joints()):
        if twin < joint:
            regressor[joint] = regressor[twin][mirror]
            continue
        near = np.argsort(np.linalg.norm(template - centres[joint], axis=1))[:CORRECTED_VERTICES]
        near = np.unique(np.concatenate([near, mirror[near]])) if twin == joint else near
        # Positions are taken from the joint: far from the origin they would hide the sum of the row.
        centre = joints_of_betas[-1, joint]
        fields = np.concatenate([of_betas, (template - centre).T, np.ones((1, len(template)))])
        wanted = np.concatenate([joints_of_betas[:-1, joint].ravel(), np.zeros(3), [1.0]])
        regressor[joint, near] += _smallest_change(fields[:, near], wanted - fields @ regressor[joint])
        if twin == joint:
            regressor[joint] = 0.5 * (regressor[joint] + regressor[joint][mirror])
    return regressor


def _near(distance: Float[np.ndarray, " vertex"]) -> Int[np.ndarray, " near"]:
    """Vertices around a joint, thinned out evenly by distance."""
    reach = max(np.sort(distance)[min(400, len(distance) - 1)], distance.min() + 0.05, REACH_M)
    near = np.flatnonzero(distance <= reach)
    if len(near) <= MOST_VERTICES:
        return near
    by_distance = near[np.argsort(distance[near])]
    return np.sort(by_distance[np.linspace(0, len(near) - 1, MOST_VERTICES).astype(int)])


def _non_negative(
    vertices: Float[np.ndarray, "person near 3"], centres: Float[np.ndarray, "person 3"]
) -> Float[np.ndarray, " near"]:
    """Non-negative least squares with a soft sum of 1."""
    near = vertices.shape[1]
    shrinkage = SHRINKAGE_M * np.sqrt(centres.size) * np.eye(near)
    rows = np.concatenate([vertices.transpose(0, 2, 1).reshape(-1, near), shrinkage, SUM_WEIGHT * np.ones((1, near))])
    return nnls(rows, np.concatenate([centres.ravel(), np.zeros(near), [SUM_WEIGHT]]), maxiter=20000)[0]


def _smallest_change(
    fields: Float[np.ndarray, "equation near"], missing: Float[np.ndarray, " equation"]
) -> Float[np.ndarray, " near"]:
    """The smallest signed correction that mends every equation, each measured by its own size."""
    scale = 1 / np.maximum(np.linalg.norm(fields, axis=1), 1e-9)
    return np.linalg.lstsq(fields * scale[:, None], missing * scale, rcond=1e-8)[0]
