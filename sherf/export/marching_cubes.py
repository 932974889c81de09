"""The surface of a solid as a mesh: marching cubes, cleaned."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sherf.errors import BadInput
from sherf.export.mesh_unwrap import Faces, Vertices
from sherf.export.solid import Solid

SPACING_M = 0.005
FAR_M = 0.02
"""What is further from the surface counts as so far."""

Mesh = tuple[Float[np.ndarray, "kept_vertex 3"], Int[np.ndarray, "kept_face 3"]]


def extract_surface(solid: Solid, spacing: float = SPACING_M) -> Mesh:
    """The solid's surface (Lorensen & Cline 1987), in one piece, faces counter-clockwise seen from outside.

    Args:
        spacing: of the lattice, metres.

    Raises:
        BadInput: there is no surface.
    """
    from skimage.measure import marching_cubes

    low, values = _lattice(solid, spacing)
    if not (values.min() < 0 < values.max()):
        raise BadInput("the avatar has no surface: look at overlay.png, and make it again.")
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(spacing,) * 3)
    return _largest_piece(vertices.astype(np.float32) + low, faces.astype(np.int64)[:, ::-1])


def _lattice(solid: Solid, spacing: float) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "x y z"]]:
    """`inside` on a lattice, at most `FAR_M`; where nothing is known it is far inside or far outside."""
    low = solid.grid.low.cpu().numpy() - spacing
    shape = tuple(int(n) for n in np.ceil((solid.grid.high.cpu().numpy() - low) / spacing).astype(int) + 2)
    ticks = [torch.from_numpy(low[i] + spacing * np.arange(n)).float() for i, n in enumerate(shape)]
    known = np.zeros(shape, bool)
    values = np.full(shape, -FAR_M, np.float32)
    slab = max(1, 2**20 // (shape[1] * shape[2]))
    for first in range(0, shape[0], slab):
        points = torch.stack(torch.meshgrid(ticks[0][first : first + slab], ticks[1], ticks[2], indexing="ij"), dim=-1)
        there = solid.grid.contains(points.to(solid.grid.low.device))
        known[first : first + slab] = there.cpu().numpy()
        if bool(there.any()):
            found = solid.inside(points[there.cpu()].to(solid.grid.low.device)).cpu().numpy()
            values[first : first + slab][known[first : first + slab]] = found.clip(-FAR_M, FAR_M)
    if values.max() > 0:
        values[ndimage.binary_fill_holes(known) & ~known] = FAR_M
    return low, values


def _largest_piece(vertices: Vertices, faces: Faces) -> Mesh:
    """Without what floats beside it."""
    pairs = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(len(vertices),) * 2)
    _, piece = connected_components(graph, directed=False)
    kept = piece[faces[:, 0]] == np.bincount(piece[faces[:, 0]]).argmax()
    used, again = np.unique(faces[kept], return_inverse=True)
    return vertices[used], again.reshape(-1, 3)
