"""Estimate the normal displacement of clothes and hair from the outline of the mask."""

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.sparse.linalg import spsolve
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import skin, vertex_normals
from sherf.body.mesh_graph import neighbour_mean
from sherf.body.skeleton import FEET, HANDS, HEAD
from sherf.models.mask_outline import INWARD_M, OUTWARD_M, distance_to_outline
from sherf.scene import PosedBody, Subject

NOMINAL_M = 0.008  # displacement where the outline gives no evidence
STIFFNESS = 12.0  # weight of smoothness, relative to the outline's evidence
PRIOR = 0.0005  # weight of NOMINAL_M
BARE_M, BARE_WEIGHT = 0.001, 5.0  # displacement of hands and faces, and its weight
SHOE_M = 0.025  # upper bound for shoes
NORMAL_SMOOTHING = 12  # rounds: prevents spikes at ears and toes

DETAIL_M = 0.014  # from this displacement on, clothes begin to hide the body's details
DETAIL_ROUNDS = 25


def mesh_laplacian(body: BodyModel) -> sp.csr_matrix:
    """Return the uniform graph Laplacian (identity minus neighbour mean) of a body's mesh."""
    vertices = len(body.v_template)
    return sp.eye(vertices).tocsr() - neighbour_mean(body.faces.cpu().numpy(), vertices)


def estimate_displacement(body: BodyModel, posed: PosedBody, subject: Subject) -> Float[Tensor, " vertex"]:
    """Return each vertex's normal displacement that aligns the body's outline with the mask's, metres.

    Vertices on the body's outline search for the edge of the mask along their projected normals; the others follow by
    smoothness over the mesh and left-right symmetry.

    Args:
        body: the body model.
        posed: the body in the photo.
        subject: the observation.
    """
    weight, displacement = distance_to_outline(posed.vertices, body.faces, subject)
    # Clothes are assumed symmetric: each observation also counts for the mirror vertex.
    mirror = body.mirror.numpy()
    both = weight + weight[mirror]
    target = (weight * displacement + (weight * displacement)[mirror]) / np.maximum(both, 1e-9)
    laplacian = mesh_laplacian(body)
    bare = _bare(body).double().cpu().numpy()
    both, prior = both * (1 - bare), PRIOR + BARE_WEIGHT * bare
    system = sp.diags(both + prior) + STIFFNESS * (laplacian.T @ laplacian)
    solution = spsolve(system.tocsc(), both * target + prior * np.where(bare > 0.5, BARE_M, NOMINAL_M))
    foot = body.weights[:, FEET].sum(1)
    limit = OUTWARD_M + (SHOE_M - OUTWARD_M) * foot
    return torch.minimum(torch.from_numpy(solution).float().clamp_min(INWARD_M), limit)


def _bare(body: BodyModel) -> Float[Tensor, " vertex"]:
    """Return each vertex's weight for uncovered parts: hands, whose fingers are too thin for clothes, and the face."""
    forwards = vertex_normals(body.v_template, body.faces)[:, 2]
    face = body.weights[:, HEAD] * ((forwards - 0.2) / 0.4).clamp(0, 1)
    return (body.weights[:, HANDS].sum(1) + face).clamp(max=1)


def smooth_normals(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], laplacian: sp.spmatrix
) -> Float[Tensor, "vertex 3"]:
    """Return unit normals smoothed over neighbouring vertices: directions in which whole regions can be displaced.

    Args:
        vertices: metres.
        faces: vertex indices of the triangles.
        laplacian: `mesh_laplacian` of the mesh.
    """
    normals = vertex_normals(vertices, faces).double().cpu().numpy()
    return F.normalize(torch.from_numpy(_averaged(normals, laplacian, NORMAL_SMOOTHING)).to(vertices), dim=-1)


def clothed(body: BodyModel, posed: PosedBody, distance: Float[Tensor, " vertex"]) -> Float[Tensor, "vertex 3"]:
    """Return the posed surface displaced along the rest pose's smoothed normals, world space, metres.

    Large displacements smooth away the body's details, such as ears under a hat or toes in a shoe.

    Args:
        body: the body model.
        posed: the body in the wanted pose.
        distance: normal displacement, metres.
    """
    rest = body.v_template + posed.offsets
    laplacian = mesh_laplacian(body)
    normals = smooth_normals(rest, body.faces, laplacian)
    moved = (rest + distance[:, None] * normals).double().cpu().numpy()
    loose = ((distance - DETAIL_M) / DETAIL_M).clamp(0, 1).double().cpu().numpy()
    smoothed = _averaged(moved, sp.diags(loose) @ laplacian, DETAIL_ROUNDS)
    # Averaging also shrinks limbs: restore the mean loss along the normals.
    directions = normals.double().cpu().numpy()
    loss = _averaged(((smoothed - moved) * directions).sum(1), laplacian, DETAIL_ROUNDS)
    moved = smoothed - loss[:, None] * directions
    return skin(torch.from_numpy(moved).to(rest), posed.weights, posed.T_world_rest)


def _averaged(values: np.ndarray, laplacian: sp.spmatrix, rounds: int) -> np.ndarray:
    """Return values after rounds of Laplacian smoothing."""
    for _ in range(rounds):
        values = values - 0.7 * (laplacian @ values)
    return values
