"""Triangle mesh operations for tailoring: subdivision, cutting along a curve, rims, normals."""

from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Draft:
    """A garment under construction. All arrays but the faces are per vertex, and are cut and interpolated together."""

    reference: Float[np.ndarray, "vertex 3"]
    """Position on the body-hugging surface it is cut from, rest space, metres."""
    normals: Float[np.ndarray, "vertex 3"]
    """Unit outward normal at the reference."""
    offset: Float[np.ndarray, "vertex 3"]
    """From the reference to the cloth, metres."""
    weights: Float[np.ndarray, "vertex 24"]
    """Skinning weights."""
    arm: Float[np.ndarray, " vertex"]
    """Sum of the arms' skinning weights: 0 on the torso, 1 on sleeves."""
    faces: Int[np.ndarray, "face 3"]
    """Counter-clockwise seen from outside."""

    @property
    def vertices(self) -> Float[np.ndarray, "vertex 3"]:
        """Positions of the cloth, rest space, metres."""
        return self.reference + self.offset

    def moved(self, by: Float[np.ndarray, "vertex 3"]) -> "Draft":
        """Return the cloth displaced by these vectors, metres."""
        return replace(self, offset=self.offset + by)


PER_VERTEX = tuple(field.name for field in fields(Draft) if field.name != "faces")


def directed_edges(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "edge 2"]:
    """Return the directed edges of all faces: all first edges, then all second and all third ones."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def border_edges(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "edge 2"]:
    """Return the directed edges that belong to a single face."""
    edges = directed_edges(faces)
    _, index, count = np.unique(_keys(edges), return_index=True, return_counts=True)
    return edges[index[count == 1]]


def _keys(edges: Int[np.ndarray, "edge 2"]) -> Int[np.ndarray, " edge"]:
    """Return one number for each undirected edge; numbers sort far faster than rows."""
    low, high = np.minimum(*edges.T).astype(np.int64), np.maximum(*edges.T).astype(np.int64)
    return low << 32 | high


def vertex_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]
) -> Float[np.ndarray, "vertex 3"]:
    """Return area-weighted unit vertex normals."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def neighbour_average(faces: Int[np.ndarray, "face 3"], count: int) -> sp.csr_matrix:
    """Return the row-stochastic matrix that averages over each vertex's neighbours."""
    edges = directed_edges(faces)
    adjacency = sp.coo_matrix((np.ones(len(edges)), edges.T), (count, count)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    return sp.diags(1 / degree) @ adjacency


def loop_matrix(faces: Int[np.ndarray, "face 3"], count: int) -> tuple[sp.csr_matrix, Int[np.ndarray, "fine_face 3"]]:
    """Return one step of Loop subdivision (Loop 1987), with smooth borders, as a vertex matrix and the finer faces."""
    edges = directed_edges(faces)
    keys, inverse, used = np.unique(_keys(edges), return_inverse=True, return_counts=True)
    unique = np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)
    num_edges, on_border = len(unique), used == 1
    number = np.arange(num_edges)
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    share = np.where(on_border, 0.5, 0.375)
    inner = ~on_border[inverse]
    rows = np.concatenate([number, number, inverse[inner]])
    columns = np.concatenate([unique[:, 0], unique[:, 1], opposite[inner]])
    values = np.concatenate([share, share, np.full(inner.sum(), 0.125)])
    of_edges = sp.coo_matrix((values, (rows, columns)), (num_edges, count)).tocsr()

    border = unique[on_border]
    is_border = np.zeros(count, bool)
    is_border[border.ravel()] = True
    both = np.concatenate([unique, unique[:, ::-1]])
    adjacency = sp.coo_matrix((np.ones(len(both)), both.T), (count, count)).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    beta = np.where(degree <= 3, 3 / 16, 3 / (8 * degree))
    along = np.concatenate([border, border[:, ::-1]])
    on_rim = sp.coo_matrix((np.full(len(along), 0.125), along.T), (count, count)).tocsr()
    of_vertices = (
        sp.diags(np.where(is_border, 0, beta)) @ adjacency
        + sp.diags(np.where(is_border, 0.75, 1 - degree * beta))
        + on_rim
    )

    a, b, c = faces.T
    ab, bc, ca = (count + part for part in np.split(inverse, 3))
    fine = np.concatenate([np.stack(x, axis=1) for x in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return sp.vstack([of_vertices, of_edges]).tocsr(), fine


def cut_mesh(draft: Draft, side: Float[np.ndarray, " vertex"]) -> Draft:
    """Return the part of a draft where `side` <= 0; triangles that the zero level set crosses are split along it."""
    kept = side <= 0
    inside = kept[draft.faces].sum(axis=1)
    whole = draft.faces[inside == 3]
    crossed = draft.faces[(inside == 1) | (inside == 2)]
    alone_is_kept = inside[(inside == 1) | (inside == 2)] == 1
    # Rotate each crossed face so that its first corner is alone on its side.
    odd = kept[crossed] == alone_is_kept[:, None]
    first = odd.argmax(axis=1)
    a, b, c = (np.take_along_axis(crossed, ((first + k) % 3)[:, None], axis=1)[:, 0] for k in range(3))
    keys, inverse = np.unique(
        _keys(np.concatenate([np.stack([a, b], axis=1), np.stack([a, c], axis=1)])), return_inverse=True
    )
    unique = np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)
    ab, ac = np.split(len(side) + inverse, 2)
    tips = np.stack([a, ab, ac], axis=1)[alone_is_kept]
    rest = ~alone_is_kept
    quads = [np.stack([ab, b, c], axis=1)[rest], np.stack([ab, c, ac], axis=1)[rest]]
    faces = np.concatenate([whole, tips, *quads])
    i, j = unique.T
    share = side[i] / np.where(side[i] == side[j], 1, side[i] - side[j])
    return _rebuild(draft, faces, i, j, share)


def _rebuild(
    draft: Draft,
    faces: Int[np.ndarray, "face 3"],
    i: Int[np.ndarray, " cut"],
    j: Int[np.ndarray, " cut"],
    share: Float[np.ndarray, " cut"],
) -> Draft:
    """Append the points between vertices i and j (at `share` from i to j), then drop unused vertices."""
    used, numbered = np.unique(faces, return_inverse=True)
    arrays = {}
    for name in PER_VERTEX:
        values = getattr(draft, name)
        t = share.reshape(-1, *[1] * (values.ndim - 1))
        arrays[name] = np.concatenate([values, values[i] * (1 - t) + values[j] * t])[used]
    return Draft(**arrays, faces=numbered.reshape(-1, 3))


def add_rim(draft: Draft, depth: float) -> Draft:
    """Extrude the borders inwards by `depth` metres, so that the cloth shows a thickness there."""
    border = border_edges(draft.faces)
    if not len(border):
        return draft
    rim = np.unique(border)
    count = len(draft.reference)
    number = np.full(count, -1)
    number[rim] = count + np.arange(len(rim))
    arrays = {name: np.concatenate([getattr(draft, name), getattr(draft, name)[rim]]) for name in PER_VERTEX}
    outward = vertex_normals(draft.vertices, draft.faces)[rim]
    arrays["offset"][count:] -= outward * depth
    a, b = border.T
    band = np.concatenate([np.stack([b, a, number[a]], axis=1), np.stack([b, number[a], number[b]], axis=1)])
    return Draft(**arrays, faces=np.concatenate([draft.faces, band]))
