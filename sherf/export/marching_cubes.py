"""The surface of a solid as a mesh: marching cubes, the largest component alone."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sherf.errors import BadInput
from sherf.export.mesh_unwrap import Faces, Vertices
from sherf.models.solid import Solid

SPACING_M = 0.005
FAR_M = 0.02
"""Distances to the surface are clamped to this."""

Mesh = tuple[Float[np.ndarray, "kept_vertex 3"], Int[np.ndarray, "kept_face 3"]]


def extract_surface(solid: Solid, spacing: float = SPACING_M) -> Mesh:
    """Extract a solid's surface by marching cubes (Lorensen & Cline 1987).

    Args:
        solid: world space.
        spacing: of the lattice, metres.

    Returns:
        Vertices (world space, metres) and faces (counter-clockwise seen from outside) of the largest component.

    Raises:
        BadInput: there is no surface.
    """
    from skimage.measure import marching_cubes

    low, values = _lattice(solid, spacing)
    if not (values.min() < 0 < values.max()):
        raise BadInput("the avatar has no surface.\nCheck the fit in overlay.png and reconstruct the avatar again.")
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(spacing,) * 3)
    return _largest_component(vertices.astype(np.float32) + low, faces.astype(np.int64)[:, ::-1])


def _lattice(solid: Solid, spacing: float) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "x y z"]]:
    """Return the lattice's lowest corner and the depth inside the solid at each node, clamped to +-`FAR_M`.

    Nodes outside the occupancy grid are far outside, or far inside where the grid encloses them.
    """
    low = solid.grid.low.cpu().numpy() - spacing
    shape = tuple(int(n) for n in np.ceil((solid.grid.high.cpu().numpy() - low) / spacing).astype(int) + 2)
    ticks = [torch.from_numpy(low[i] + spacing * np.arange(n)).float() for i, n in enumerate(shape)]
    known = np.zeros(shape, bool)
    values = np.full(shape, -FAR_M, np.float32)
    slab = max(1, 2**20 // (shape[1] * shape[2]))
    for first in range(0, shape[0], slab):
        points = torch.stack(torch.meshgrid(ticks[0][first : first + slab], ticks[1], ticks[2], indexing="ij"), dim=-1)
        is_contained = solid.grid.contains(points.to(solid.grid.low.device))
        known[first : first + slab] = is_contained.cpu().numpy()
        if bool(is_contained.any()):
            inside = solid.inside(points[is_contained.cpu()].to(solid.grid.low.device)).cpu().numpy()
            values[first : first + slab][known[first : first + slab]] = inside.clip(-FAR_M, FAR_M)
    if values.max() > 0:
        values[ndimage.binary_fill_holes(known) & ~known] = FAR_M
    return low, values


def _largest_component(vertices: Vertices, faces: Faces) -> Mesh:
    """Return the connected component with the most faces."""
    pairs = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(len(vertices),) * 2)
    _, component = connected_components(graph, directed=False)
    kept = component[faces[:, 0]] == np.bincount(component[faces[:, 0]]).argmax()
    used, renumbered = np.unique(faces[kept], return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3)
