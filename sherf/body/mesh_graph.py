"""Which vertices of a mesh are neighbours."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int


def mesh_edges(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "edge 2"]:
    """Every edge once, the smaller vertex index first."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64), axis=1)
    # One number an edge: sorting rows takes ten times as long.
    vertices = int(edges.max()) + 1
    return np.stack(np.divmod(np.unique(edges[:, 0] * vertices + edges[:, 1]), vertices), axis=1)


def neighbour_mean(faces: Int[np.ndarray, "face 3"], vertices: int) -> sp.csr_matrix:
    """The matrix that replaces a value at each vertex by the mean of its neighbours'; 0 where there are none."""
    edges = mesh_edges(faces)
    adjacent = sp.coo_matrix((np.ones(len(edges)), edges.T), (vertices, vertices)).tocsr()
    adjacent = adjacent + adjacent.T
    return sp.diags(1 / np.asarray(adjacent.sum(axis=1)).ravel().clip(1)) @ adjacent
