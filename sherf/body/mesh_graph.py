"""Edges of a triangle mesh, and averages over neighbouring vertices."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int


def mesh_edges(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "edge 2"]:
    """Return every edge once, sorted, the smaller vertex index first."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64), axis=1)
    # Encode each edge as one number: sorting rows takes ten times as long.
    vertices = int(edges.max()) + 1
    return np.stack(np.divmod(np.unique(edges[:, 0] * vertices + edges[:, 1]), vertices), axis=1)


def neighbour_mean(faces: Int[np.ndarray, "face 3"], vertices: int) -> sp.csr_matrix:
    """Return the vertices x vertices matrix that averages values over each vertex's neighbours.

    Args:
        faces: vertex indices.
        vertices: number of vertices; the rows of those without neighbours are zero.
    """
    edges = mesh_edges(faces)
    adjacent = sp.coo_matrix((np.ones(len(edges)), edges.T), (vertices, vertices)).tocsr()
    adjacent = adjacent + adjacent.T
    return sp.diags(1 / np.asarray(adjacent.sum(axis=1)).ravel().clip(1)) @ adjacent
