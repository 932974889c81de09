"""The base mesh's skin -> a closed, left-right symmetric mesh of exactly 6,890 of its vertices.

Edges of the left half are collapsed onto one of their ends, cheapest first (quadric error, Garland and Heckbert 1997),
so every vertex that is left keeps its place, its weights and its shape directions. The right half is its mirror image.
"""

import heapq
from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from sherf.errors import SherfError

EDGE_LENGTH_COST = 0.12
"""Metres of error per metre of edge: keeps triangles even where the surface is flat."""
DETAIL = {"head": 0.35, "hand.L": 0.35, "foot.L": 0.40}
"""Errors count less where parts are kept coarser."""
LARGEST_TURN_COSINE = 0.35
SMALLEST_ASPECT = 0.06
"""Twice a triangle's area over its longest edge squared: below is a sliver."""
SMALLEST_AREA = 1e-10
SMALLEST_RING = 5

Face = tuple[int, ...]


class HalfMesh:
    """Faces at x >= 0 that shrink one edge at a time."""

    def __init__(
        self, vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], is_middle: np.ndarray
    ):
        self.vertices = vertices
        self.is_middle = is_middle
        self.faces: list[Face | None] = [tuple(int(corner) for corner in face) for face in faces]
        self.faces_of: dict[int, set[int]] = {}
        self.detail = np.ones(len(vertices))
        self.quadrics = np.zeros((len(vertices), 4, 4))
        self.areas = np.zeros(len(vertices))
        for index, face in enumerate(self.faces):
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
        """Vertices of the whole mesh: those in the middle are shared."""
        middle = sum(bool(self.is_middle[vertex]) for vertex in self.faces_of)
        return 2 * (len(self.faces_of) - middle) + middle

    def neighbours(self, vertex: int) -> set[int]:
        """Vertices that share a face."""
        return {corner for index in self.faces_of[vertex] for corner in self.faces[index]} - {vertex}

    def faces_along(self, a: int, b: int) -> set[int]:
        """Faces on both sides of an edge; one at the border."""
        return self.faces_of[a] & self.faces_of[b]

    def candidates(self, vertex: int) -> list[tuple[float, int]]:
        """(cost, neighbour) of every way to remove a vertex without opening the border or the middle."""
        neighbours = self.neighbours(vertex)
        on_border = any(len(self.faces_along(vertex, other)) == 1 for other in neighbours)
        return [
            (self._cost(vertex, other), other)
            for other in neighbours
            if not (on_border and len(self.faces_along(vertex, other)) != 1)
            and not (self.is_middle[vertex] and not self.is_middle[other])
        ]

    def _cost(self, vertex: int, onto: int) -> float:
        place = np.append(self.vertices[onto], 1.0)
        quadric = self.quadrics[vertex] + self.quadrics[onto]
        error = np.sqrt(max(place @ quadric @ place, 0.0) / (self.areas[vertex] + self.areas[onto]))
        length = np.linalg.norm(self.vertices[vertex] - self.vertices[onto])
        return float((error + EDGE_LENGTH_COST * length) * self.detail[vertex])

    def may_collapse(self, vertex: int, onto: int) -> bool:
        """Whether the mesh stays a manifold without folds and slivers."""
        along = self.faces_along(vertex, onto)
        around, around_onto = self.neighbours(vertex), self.neighbours(onto)
        if not along or len(around & around_onto) != len(along) or len(around | around_onto) < SMALLEST_RING:
            return False
        return all(self._stays_sound(self.faces[index], vertex, onto) for index in self.faces_of[vertex] - along)

    def _stays_sound(self, face: Face, vertex: int, onto: int) -> bool:
        before = self.vertices[list(face)]
        after = self.vertices[[onto if corner == vertex else corner for corner in face]]
        normal_before, normal_after = (np.cross(p[1] - p[0], p[2] - p[0]) for p in (before, after))
        area = np.linalg.norm(normal_after)
        if area < SMALLEST_AREA:
            return False
        if normal_before @ normal_after < LARGEST_TURN_COSINE * np.linalg.norm(normal_before) * area:
            return False
        longest = max(np.linalg.norm(after[k] - after[(k + 1) % 3]) for k in range(3))
        return bool(area / longest**2 >= SMALLEST_ASPECT)

    def collapse(self, vertex: int, onto: int) -> list[int]:
        """Remove a vertex; returns those whose costs have changed."""
        for index in self.faces_along(vertex, onto):
            for corner in self.faces[index]:
                self.faces_of[corner].discard(index)
            self.faces[index] = None
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
    """Faces (base-mesh indices) of the closed symmetric mesh with `target` vertices.

    Raises:
        SherfError: no such mesh was reached.
    """
    is_middle = mirror == np.arange(len(vertices))
    is_left = ((vertices[faces][:, :, 0] > 1e-7) | is_middle[faces]).all(axis=1)
    half = HalfMesh(vertices, faces[is_left], is_middle)
    for part, detail in DETAIL.items():
        half.detail[np.unique(faces[is_left & (labels == part)])] = detail
    _shrink(half, target)
    left = np.array([face for face in half.faces if face is not None])
    whole = np.concatenate([left, mirror[left][:, [0, 2, 1]]])
    number, state = half.count_both_halves(), "closed"
    try:
        closed = np.concatenate([whole, *(_lid(vertices, loop) for loop in border_loops(whole))])
        if border_loops(closed):
            state = "open"
    except SherfError:  # shrunk so far that faces fell onto each other
        state = "no manifold"
    if number != target or state != "closed":
        raise SherfError(f"decimation ended at {number} vertices, {state}; it has to be {target}, closed")
    return closed


def _shrink(half: HalfMesh, target: int) -> None:
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
        gone = 1 if half.is_middle[vertex] else 2
        if number - gone < target or not half.may_collapse(vertex, onto):
            continue
        changed = half.collapse(vertex, onto)
        number -= gone
        version.update(changed)
        for other in changed:
            push(other)


def border_loops(faces: Int[np.ndarray, "face 3"]) -> list[list[int]]:
    """Closed chains of the edges that have one face only, in the order in which a lid runs."""
    edges = dict.fromkeys((int(face[k]), int(face[(k + 1) % 3])) for face in faces for k in range(3))
    if len(edges) != 3 * len(faces):
        raise SherfError("two faces run along one edge in the same direction: the mesh is no manifold")
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


def _lid(vertices: Float[np.ndarray, "vertex 3"], loop: list[int]) -> Int[np.ndarray, "face 3"]:
    """Zip a hole shut between its upper and lower chain, from its smallest x to its largest: eyelids, lips."""
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
