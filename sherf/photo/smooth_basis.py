"""Smooth functions on a body's mesh, few of which describe a displacement of all its vertices.

Each is the influence of a handle, low-passed by the mesh's squared Laplacian (Botsch and Sorkine, "On Linear
Variational Surface Deformation Methods", 2008).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.mesh_graph import mesh_edges, neighbour_mean
from sherf.body.skeleton import HEAD

HANDLES = 300
HEAD_DETAIL = 2.5
"""Handles are this many times as close to one another on the head."""
SMOOTH = 300.0
"""Weight of the squared Laplacian in the low-pass filter."""


@dataclass(frozen=True)
class SmoothBasis:
    """Smooth functions on a mesh."""

    functions: Float[Tensor, "vertex handle"]
    """Rows sum to 1."""
    mirrored: Int[Tensor, " handle"]
    """For each handle the one on the other half of the body."""
    edges: Int[Tensor, "edge 2"]
    """The mesh's edges."""


@lru_cache(maxsize=2)
def smooth_basis(body: BodyModel) -> SmoothBasis:
    """Return the smooth functions of a body's mesh; cached."""
    vertices, mirror = body.v_template.double().numpy(), body.mirror.numpy()
    # distances on the head count more: faces need detail
    on_head = body.weights[:, HEAD].double().numpy()[:, None]
    centre = vertices[on_head[:, 0] > 0.5].mean(axis=0)
    stretched = vertices + on_head * (HEAD_DETAIL - 1) * (vertices - centre)
    half = _far_apart(stretched, np.flatnonzero(vertices[:, 0] >= 0), HANDLES // 2)
    handles = np.concatenate([half, mirror[half]])
    count = len(vertices)
    # each vertex is a source of the handle nearest to it, so that the functions sum to 1
    _, nearest = cKDTree(stretched[handles]).query(stretched)
    sources = np.zeros((count, len(handles)))
    sources[np.arange(count), nearest] = 1
    laplacian = sp.eye(count) - neighbour_mean(body.faces.numpy(), count)
    functions = splu((sp.eye(count) + SMOOTH * laplacian.T @ laplacian).tocsc()).solve(sources)
    functions /= functions.sum(axis=1, keepdims=True)
    mirrored = torch.arange(len(handles)).roll(len(half))
    edges = torch.from_numpy(mesh_edges(body.faces.numpy()))
    return SmoothBasis(torch.from_numpy(functions).float(), mirrored, edges)


def _far_apart(
    points: Float[np.ndarray, "point 3"], candidates: Int[np.ndarray, " candidate"], count: int
) -> Int[np.ndarray, " count"]:
    """Return indices of points far from one another: farthest point sampling."""
    chosen = [int(candidates[0])]
    distance = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, np.square(points[candidates] - points[chosen[-1]]).sum(axis=-1))
        chosen.append(int(candidates[distance.argmax()]))
    return np.array(chosen)
