"""Decimate the base mesh's skin to a closed, left-right symmetric mesh of exactly 6,890 of its vertices.

Edges of the left half are collapsed onto one of their ends, cheapest first (quadric error, Garland and Heckbert 1997),
so every remaining vertex keeps its position, weights and shape directions. The right half is the mirror image.
"""

import heapq
from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from sherf.errors import SherfError

EDGE_LENGTH_COST = 0.12
"""Metres of error per metre of edge: keeps triangles of even size where the surface is flat."""
DETAIL = {"head": 0.35, "hand.L": 0.35, "foot.L": 0.40}
"""Factors on the cost of parts that are kept coarser."""
SMALLEST_NORMAL_COSINE = 0.35
"""Between a face's normals before and after a collapse."""
SMALLEST_ASPECT = 0.06
"""Twice a triangle's area over its longest edge squared; smaller ones are slivers."""
SMALLEST_AREA = 1e-10
"""Twice a triangle's area, square metres."""
SMALLEST_RING = 5
"""Number of vertices around a collapsed edge."""

Face = tuple[int, ...]


class HalfMesh:
    """The faces at x >= 0, simplified one edge at a time."""

    def __init__(
        self, vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], is_middle: np.ndarray
    ):
        """Compute the quadrics of all vertices.

        Args:
            vertices: of the whole base mesh, metres.
            faces: of the left half.
            is_middle: per vertex, whether it lies in the plane x = 0.
        """
        self.vertices = vertices
        self.is_middle = is_middle
        self.faces: dict[int, Face] = {i: tuple(int(corner) for corner in face) for i, face in enumerate(faces)}
        self.faces_of: dict[int, set[int]] = {}
        self.detail = np.ones(len(vertices))
        self.quadrics = np.zeros((len(vertices), 4, 4))
        self.areas = np.zeros(len(vertices))
        for index, face in self.faces.items():
            a, b, c = vertices[list(face)]
            across = np.cross(b - a, c - a)
            area = np.linalg.norm(across) / 2
            normal = across / (2 * area + 1e-20)
            plane = np.append(normal, -normal @ a)
            for corner in face:
                self.faces_of.setdefault(corner, set()).add(index)
                self.quadrics[corner] += area * np.outer(plane, plane)
                self.areas[corner] += area

    def count_both_halves(self) -> int:
        """Return the number of vertices of the whole mesh, in which both halves share those in the middle."""
        middle = sum(bool(self.is_middle[vertex]) for vertex in self.faces_of)
        return 2 * (len(self.faces_of) - middle) + middle

    def neighbours(self, vertex: int) -> set[int]:
        """Return the vertices that share a face with this one."""
        return {corner for index in self.faces_of[vertex] for corner in self.faces[index]} - {vertex}

    def faces_along(self, a: int, b: int) -> set[int]:
        """Return the faces at an edge: two, or one at the border."""
        return self.faces_of[a] & self.faces_of[b]

    def candidates(self, vertex: int) -> list[tuple[float, int]]:
        """Return (cost, neighbour) of every collapse of a vertex that preserves the border and the middle."""
        neighbours = self.neighbours(vertex)
        on_border = any(len(self.faces_along(vertex, other)) == 1 for other in neighbours)
        return [
            (self._cost(vertex, other), other)
            for other in neighbours
            if not (on_border and len(self.faces_along(vertex, other)) != 1)
            and not (self.is_middle[vertex] and not self.is_middle[other])
        ]

    def _cost(self, vertex: int, onto: int) -> float:
        position = np.append(self.vertices[onto], 1.0)
        quadric = self.quadrics[vertex] + self.quadrics[onto]
        error = np.sqrt(max(position @ quadric @ position, 0.0) / (self.areas[vertex] + self.areas[onto]))
        length = np.linalg.norm(self.vertices[vertex] - self.vertices[onto])
        return float((error + EDGE_LENGTH_COST * length) * self.detail[vertex])

    def may_collapse(self, vertex: int, onto: int) -> bool:
        """Return whether the mesh stays a manifold without folds and slivers."""
        along = self.faces_along(vertex, onto)
        around, around_onto = self.neighbours(vertex), self.neighbours(onto)
        if not along or len(around & around_onto) != len(along) or len(around | around_onto) < SMALLEST_RING:
            return False
        return all(self._stays_valid(self.faces[index], vertex, onto) for index in self.faces_of[vertex] - along)

    def _stays_valid(self, face: Face, vertex: int, onto: int) -> bool:
        before = self.vertices[list(face)]
        after = self.vertices[[onto if corner == vertex else corner for corner in face]]
        normal_before, normal_after = (np.cross(p[1] - p[0], p[2] - p[0]) for p in (before, after))
        area = np.linalg.norm(normal_after)
        if area < SMALLEST_AREA:
            return False
        if normal_before @ normal_after < SMALLEST_NORMAL_COSINE * np.linalg.norm(normal_before) * area:
            return False
        longest = max(np.linalg.norm(after[k] - after[(k + 1) % 3]) for k in range(3))
        return bool(area / longest**2 >= SMALLEST_ASPECT)

    def collapse(self, vertex: int, onto: int) -> list[int]:
        """Remove a vertex and return those whose costs have changed."""
        for index in self.faces_along(vertex, onto):
            for corner in self.faces[index]:
                self.faces_of[corner].discard(index)
            del self.faces[index]
        for index in self.faces_of.pop(vertex):
            self.faces[index] = tuple(onto if corner == vertex else corner for corner in self.faces[index])
            self.faces_of[onto].add(index)
        self.quadrics[onto] += self.quadrics[vertex]
        self.areas[onto] += self.areas[vertex]
        return [onto, *self.neighbours(onto)]


def decimate(
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    labels: np.ndarray,
    mirror: Int[np.ndarray, " vertex"],
    target: int = 6890,
) -> Int[np.ndarray, "kept 3"]:
    """Return the faces of the closed symmetric mesh with `target` vertices, as base-mesh indices.

    Args:
        vertices: of the base mesh's mean shape, metres.
        faces: of the skin.
        labels: name of each face's body part.
        mirror: each vertex's mirror image.
        target: number of vertices to keep.

    Raises:
        SherfError: the mesh could not be reduced to so many vertices and closed.
    """
    is_middle = mirror == np.arange(len(vertices))
    is_left = ((vertices[faces][:, :, 0] > 1e-7) | is_middle[faces]).all(axis=1)
    half = HalfMesh(vertices, faces[is_left], is_middle)
    for part, detail in DETAIL.items():
        half.detail[np.unique(faces[is_left & (labels == part)])] = detail
    _collapse_edges(half, target)
    left = np.array(list(half.faces.values()))
    whole = np.concatenate([left, mirror[left][:, [0, 2, 1]]])
    number, state = half.count_both_halves(), "closed"
    try:
        closed = np.concatenate([whole, *(_close_hole(vertices, loop) for loop in border_loops(whole))])
        if border_loops(closed):
            state = "open"
    except SherfError:  # so few vertices that faces coincide
        state = "not a manifold"
    if number != target or state != "closed":
        raise SherfError(f"decimation ended at {number} vertices, {state}; expected {target}, closed.")
    return closed


def _collapse_edges(half: HalfMesh, target: int) -> None:
    """Collapse the cheapest edges until the whole mesh has `target` vertices."""
    version: Counter[int] = Counter()
    heap: list[tuple[float, int, int, int, int]] = []

    def push(vertex: int) -> None:
        for cost, onto in half.candidates(vertex):
            heapq.heappush(heap, (cost, version[vertex], version[onto], vertex, onto))

    for vertex in list(half.faces_of):
        push(vertex)
    number = half.count_both_halves()
    while heap and number > target:
        _, vertex_version, onto_version, vertex, onto = heapq.heappop(heap)
        if vertex not in half.faces_of or onto not in half.faces_of:
            continue
        if (version[vertex], version[onto]) != (vertex_version, onto_version):
            continue
        removed = 1 if half.is_middle[vertex] else 2
        if number - removed < target or not half.may_collapse(vertex, onto):
            continue
        changed = half.collapse(vertex, onto)
        number -= removed
        version.update(changed)
        for other in changed:
            push(other)


def border_loops(faces: Int[np.ndarray, "face 3"]) -> list[list[int]]:
    """Return the closed loops of edges with a single face, each in the direction of the faces that would fill it.

    Raises:
        SherfError: the mesh is not a manifold.
    """
    edges = dict.fromkeys((int(face[k]), int(face[(k + 1) % 3])) for face in faces for k in range(3))
    if len(edges) != 3 * len(faces):
        raise SherfError("two faces use one edge in the same direction: the mesh is not a manifold.")
    following = {b: a for a, b in edges if (b, a) not in edges}
    loops, seen = [], set()
    for start in following:
        if start in seen:
            continue
        loop, vertex = [start], following[start]
        while vertex != start:
            loop.append(vertex)
            vertex = following[vertex]
        seen.update(loop)
        loops.append(loop)
    return loops


def _close_hole(vertices: Float[np.ndarray, "vertex 3"], loop: list[int]) -> Int[np.ndarray, "face 3"]:
    """Return triangles between a hole's upper and lower chain, from smallest to largest x: eyelids, lips."""
    x = vertices[loop, 0]
    ring = np.roll(loop, -int(np.argmin(x)))
    far = int(np.argmax(vertices[ring, 0]))
    one = list(ring[: far + 1])
    other = [ring[0], *ring[:far:-1], ring[far]]
    triangles, i, j = [], 0, 0
    while i < len(one) - 1 or j < len(other) - 1:
        first = j == len(other) - 1 or (i < len(one) - 1 and vertices[one[i + 1], 0] <= vertices[other[j + 1], 0])
        if first:
            triangle = (one[i], one[i + 1], other[j])
            i += 1
        else:
            triangle = (one[i], other[j + 1], other[j])
            j += 1
        if len(set(triangle)) == 3:
            triangles.append(triangle)
    return np.array(triangles, int).reshape(-1, 3)
