"""Operations on triangle meshes that tailoring needs: subdivision, cutting along a curve, rims, normals."""

from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Draft:
    """A garment being made. All arrays but the faces are per vertex, and are cut and interpolated together."""

    chart: Float[np.ndarray, "vertex 3"]
    """Body-hugging place in the rest pose, metres."""
    normals: Float[np.ndarray, "vertex 3"]
    """Outward, at the chart."""
    offset: Float[np.ndarray, "vertex 3"]
    """From the chart to the cloth."""
    weights: Float[np.ndarray, "vertex 24"]
    arm: Float[np.ndarray, " vertex"]
    """Share of skinning weight that arms have: 0 on the torso, 1 on sleeves."""
    faces: Int[np.ndarray, "face 3"]

    @property
    def vertices(self) -> Float[np.ndarray, "vertex 3"]:
        """The cloth, rest pose."""
        return self.chart + self.offset

    def moved(self, by: Float[np.ndarray, "vertex 3"]) -> "Draft":
        """The cloth further out."""
        return replace(self, offset=self.offset + by)


PER_VERTEX = tuple(field.name for field in fields(Draft) if field.name != "faces")


def edges_of(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "edge 2"]:
    """The three directed edges of each face: all first ones, all second ones, all third ones."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def border_edges(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "edge 2"]:
    """Directed edges that belong to one face only."""
    edges = edges_of(faces)
    _, index, count = np.unique(_keys(edges), return_index=True, return_counts=True)
    return edges[index[count == 1]]


def _keys(edges: Int[np.ndarray, "edge 2"]) -> Int[np.ndarray, " edge"]:
    """One number for each undirected edge: sorting numbers is far faster than sorting rows."""
    low, high = np.minimum(*edges.T).astype(np.int64), np.maximum(*edges.T).astype(np.int64)
    return low << 32 | high


def vertex_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]
) -> Float[np.ndarray, "vertex 3"]:
    """Unit normals, area-weighted."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def neighbours(faces: Int[np.ndarray, "face 3"], count: int) -> sp.csr_matrix:
    """Row-stochastic matrix: the mean over each vertex's neighbours."""
    edges = edges_of(faces)
    adjacency = sp.coo_matrix((np.ones(len(edges)), edges.T), (count, count)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    return sp.diags(1 / degree) @ adjacency


def loop_matrix(faces: Int[np.ndarray, "face 3"], count: int) -> tuple[sp.csr_matrix, Int[np.ndarray, "fine_face 3"]]:
    """One step of Loop subdivision (Loop 1987) with smooth borders, as a matrix on vertices, and the finer faces."""
    edges = edges_of(faces)
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


def cut(draft: Draft, side: Float[np.ndarray, " vertex"]) -> Draft:
    """Keep the part of a draft where `side` <= 0; triangles that the curve crosses are divided along it."""
    kept = side <= 0
    inside = kept[draft.faces].sum(axis=1)
    whole = draft.faces[inside == 3]
    crossed = draft.faces[(inside == 1) | (inside == 2)]
    alone_is_kept = inside[(inside == 1) | (inside == 2)] == 1
    # turn each crossed face so that its first corner is the one that stands alone
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
    return _kept_vertices(draft, faces, i, j, share)


def _kept_vertices(draft: Draft, faces: np.ndarray, i: np.ndarray, j: np.ndarray, share: np.ndarray) -> Draft:
    """Append the points between vertices i and j, then drop what no face uses."""
    used, numbered = np.unique(faces, return_inverse=True)
    arrays = {}
    for name in PER_VERTEX:
        values = getattr(draft, name)
        t = share.reshape(-1, *[1] * (values.ndim - 1))
        arrays[name] = np.concatenate([values, values[i] * (1 - t) + values[j] * t])[used]
    return Draft(**arrays, faces=numbered.reshape(-1, 3))


def keep_faces(draft: Draft, kept: Bool[np.ndarray, " face"]) -> Draft:
    """Some of the faces, and the vertices that they use."""
    none = np.zeros(0, int)
    return _kept_vertices(draft, draft.faces[kept], none, none, np.zeros(0))


def with_rim(draft: Draft, depth: float) -> Draft:
    """Turn the borders inwards: the cloth shows its thickness there."""
    border = border_edges(draft.faces)
    if not len(border):
        return draft
    rim = np.unique(border)
    count = len(draft.chart)
    number = np.full(count, -1)
    number[rim] = count + np.arange(len(rim))
    arrays = {name: np.concatenate([getattr(draft, name), getattr(draft, name)[rim]]) for name in PER_VERTEX}
    outward = vertex_normals(draft.vertices, draft.faces)[rim]
    arrays["offset"][count:] -= outward * depth
    a, b = border.T
    band = np.concatenate([np.stack([b, a, number[a]], axis=1), np.stack([b, number[a], number[b]], axis=1)])
    return Draft(**arrays, faces=np.concatenate([draft.faces, band]))
