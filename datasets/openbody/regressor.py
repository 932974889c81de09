"""Fit joint centres as a sparse linear function of the vertices near them."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import nnls

from sherf.body.skeleton import NUM_JOINTS, mirrored_joints
from sherf.datasets.openbody.shape_space import ShapeSpace

FITTED_PEOPLE = 300
"""Number of people in the least-squares fit."""
MOST_VERTICES = 260
"""Per joint, in the fit."""
CORRECTED_VERTICES = 500
"""Per joint, in the correction."""
REACH_M = 0.09
"""Smallest radius around a joint within which vertices are used."""
SHRINKAGE_M = 0.001
"""Regularises the entries: with less, a few distant vertices determine a joint."""
SUM_WEIGHT = 1e2
"""Weight of the equation that each row sums to 1."""


def fit_joints_to_betas(space: ShapeSpace) -> Float[np.ndarray, "11 24 3"]:
    """Return least-squares joint centres per unit of each beta; the last row is the mean shape's, metres."""
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
    """Return a joint regressor: fitted to people with non-negative entries, then made exact on the shape space.

    Rows sum to 1. The right side mirrors the left.

    Args:
        template: mean shape, metres.
        directions: shape directions, metres per unit of each beta.
        mirror: each vertex's mirror image.
        vertices: of people, metres.
        joints: joint centres of the same people, metres.
        is_fitted: False for held-out people.
        joints_of_betas: what the regressor must give for each shape direction and, last, for the template.
    """
    centres = joints[is_fitted].mean(axis=0)
    chosen = np.random.default_rng(1).choice(np.flatnonzero(is_fitted), min(FITTED_PEOPLE, is_fitted.sum()), False)
    regressor = _fit_to_people(template, centres, mirror, vertices[chosen].astype(float), joints[chosen])
    of_betas = directions.transpose(2, 1, 0).reshape(-1, len(template))
    for joint, twin in enumerate(mirrored_joints()):
        if twin < joint:
            regressor[joint] = regressor[twin][mirror]
            continue
        near = np.argsort(np.linalg.norm(template - centres[joint], axis=1))[:CORRECTED_VERTICES]
        near = np.unique(np.concatenate([near, mirror[near]])) if twin == joint else near
        # Positions are relative to the joint: far from the origin they would hide the sum of the row.
        centre = joints_of_betas[-1, joint]
        equations = np.concatenate([of_betas, (template - centre).T, np.ones((1, len(template)))])
        wanted = np.concatenate([joints_of_betas[:-1, joint].ravel(), np.zeros(3), [1.0]])
        regressor[joint, near] += _smallest_correction(equations[:, near], wanted - equations @ regressor[joint])
        if twin == joint:
            regressor[joint] = 0.5 * (regressor[joint] + regressor[joint][mirror])
    return regressor


def _fit_to_people(
    template: Float[np.ndarray, "vertex 3"],
    centres: Float[np.ndarray, "24 3"],
    mirror: Int[np.ndarray, " vertex"],
    vertices: Float[np.ndarray, "person vertex 3"],
    joints: Float[np.ndarray, "person 24 3"],
) -> Float[np.ndarray, "24 vertex"]:
    """Return a regressor of non-negative entries whose rows sum to 1, fitted to people."""
    regressor = np.zeros((NUM_JOINTS, len(template)))
    for joint, twin in enumerate(mirrored_joints()):
        if twin < joint:
            regressor[joint] = regressor[twin][mirror]
            continue
        near = _select_near(np.linalg.norm(template - centres[joint], axis=1))
        near = np.unique(np.concatenate([near, mirror[near]])) if twin == joint else near
        regressor[joint, near] = _fit_non_negative(vertices[:, near], joints[:, joint])
        if twin == joint:
            regressor[joint] = 0.5 * (regressor[joint] + regressor[joint][mirror])
    return regressor / regressor.sum(axis=1, keepdims=True)


def _select_near(distance: Float[np.ndarray, " vertex"]) -> Int[np.ndarray, " near"]:
    """Return vertices around a joint, thinned out evenly by distance."""
    reach = max(np.sort(distance)[min(400, len(distance) - 1)], distance.min() + 0.05, REACH_M)
    near = np.flatnonzero(distance <= reach)
    if len(near) <= MOST_VERTICES:
        return near
    by_distance = near[np.argsort(distance[near])]
    return np.sort(by_distance[np.linspace(0, len(near) - 1, MOST_VERTICES).astype(int)])


def _fit_non_negative(
    vertices: Float[np.ndarray, "person near 3"], centres: Float[np.ndarray, "person 3"]
) -> Float[np.ndarray, " near"]:
    """Return the non-negative least-squares solution with a soft sum of 1."""
    near = vertices.shape[1]
    shrinkage = SHRINKAGE_M * np.sqrt(centres.size) * np.eye(near)
    rows = np.concatenate([vertices.transpose(0, 2, 1).reshape(-1, near), shrinkage, SUM_WEIGHT * np.ones((1, near))])
    return nnls(rows, np.concatenate([centres.ravel(), np.zeros(near), [SUM_WEIGHT]]), maxiter=20000)[0]


def _smallest_correction(
    equations: Float[np.ndarray, "equation near"], missing: Float[np.ndarray, " equation"]
) -> Float[np.ndarray, " near"]:
    """Return the smallest correction that satisfies every equation, each scaled to unit norm."""
    scale = 1 / np.maximum(np.linalg.norm(equations, axis=1), 1e-9)
    return np.linalg.lstsq(equations * scale[:, None], missing * scale, rcond=1e-8)[0]
