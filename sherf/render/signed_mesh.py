"""Points and triangles in plain torch: closest points, and the side of a closed mesh on which a point lies."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from sherf.scene import SurfacePoints

ON_EDGE = 1e-5
"""Barycentric weight below which a closest point counts as lying on the opposite edge."""


@dataclass(frozen=True)
class SignedMesh:
    """A triangle mesh with the pseudo-normals that distinguish its inside from its outside.

    Baerentzen & Aanaes 2005, "Signed distance computation using the angle weighted pseudonormal": the difference
    between a point and its closest surface point has a positive product with the pseudo-normal there if and only if
    the point lies outside; on an edge that is the sum of both faces' normals, on a vertex their angle-weighted sum.
    """

    corners: Float[Tensor, "face 3 3"]
    pseudo_normals: Float[Tensor, "face 8 3"]
    """Indexed by the barycentric weights that vanish, as bits: 1, 2, 4 for the first, second, third corner."""

    @staticmethod
    def of(vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> "SignedMesh":
        """Return a mesh with its pseudo-normals; faces must wind counter-clockwise seen from outside. No gradients."""
        vertices, faces = vertices.detach(), faces.long()
        corners = vertices[faces]
        following = normalize(corners.roll(-1, dims=1) - corners, dim=-1)
        normal = normalize(torch.linalg.cross(following[:, 0], -following[:, 2]), dim=-1)

        angle = torch.acos((following * -following.roll(1, dims=1)).sum(dim=-1).clamp(-1, 1))
        of_vertex = torch.zeros_like(vertices)
        for corner in range(3):
            of_vertex = of_vertex.index_add(0, faces[:, corner], angle[:, corner, None] * normal)

        # the edge opposite of each corner; both faces at an edge give it the same key
        ends = torch.stack([faces.roll(-1, dims=1), faces.roll(-2, dims=1)], dim=-1).sort(dim=-1).values
        edges, edge = torch.unique(ends[..., 0] * len(vertices) + ends[..., 1], return_inverse=True)
        of_edge = vertices.new_zeros(len(edges), 3).index_add(0, edge.reshape(-1), normal.repeat_interleave(3, dim=0))

        table = normal[:, None].repeat(1, 8, 1)
        table[:, [1, 2, 4]] = of_edge[edge]
        table[:, [6, 5, 3]] = of_vertex[faces]
        return SignedMesh(corners, table)

    def signed(
        self, points: Float[Tensor, "point 3"], face: Int[Tensor, " point"], barycentric: Float[Tensor, "point 3"]
    ) -> SurfacePoints:
        """Return closest surface points with their signed distance.

        Args:
            points: in the mesh's space, metres.
            face: of the closest surface point.
            barycentric: of the closest surface point.
        """
        offset = points - torch.einsum("pc,pcd->pd", barycentric, self.corners[face])
        first, second, third = (barycentric <= ON_EDGE).long().unbind(dim=-1)
        bits = first + 2 * second + 4 * third
        outwards = (offset * self.pseudo_normals[face, bits]).sum(dim=-1)
        distance = offset.norm(dim=-1)
        return SurfacePoints(torch.where(outwards < 0, -distance, distance), face, barycentric)


def closest_on_triangles(
    points: Float[Tensor, "*#pair 3"], corners: Float[Tensor, "*#pair 3 3"]
) -> tuple[Float[Tensor, "*pair 3"], Float[Tensor, "*pair"]]:
    """Find the point of each triangle that is closest to each point.

    It is the closest of four candidates: the foot of the perpendicular, where it falls inside, and the nearest points
    of the three edges. Triangles without area have only edges.

    Args:
        points: metres.
        corners: of the triangles, metres.

    Returns:
        Barycentric weights of the closest point, and the squared distance.
    """
    a, b, c = corners.unbind(dim=-2)
    ab, ac, ap = b - a, c - a, points - a
    aa, bb, cc = (ab * ab).sum(-1), (ac * ac).sum(-1), (ab * ac).sum(-1)
    along_ab, along_ac = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = aa * bb - cc * cc
    flat = area <= torch.finfo(area.dtype).eps * aa * bb
    v = (bb * along_ab - cc * along_ac) / torch.where(flat, 1.0, area)
    w = (aa * along_ac - cc * along_ab) / torch.where(flat, 1.0, area)
    inside = (v >= 0) & (w >= 0) & (v + w <= 1) & ~flat

    on_ab = _share(along_ab, aa)
    on_ac = _share(along_ac, bb)
    # |bc|^2 and (p - b).(c - b), from the products above
    on_bc = _share(along_ac - along_ab - cc + aa, aa + bb - 2 * cc)
    zero = torch.zeros_like(v)
    candidates = torch.stack(
        [
            torch.stack([1 - v - w, v, w], dim=-1),
            torch.stack([1 - on_ab, on_ab, zero], dim=-1),
            torch.stack([1 - on_ac, zero, on_ac], dim=-1),
            torch.stack([zero, 1 - on_bc, on_bc], dim=-1),
        ],
        dim=-2,
    )
    # relative to the first corner: no cancellation far from the origin
    offset = ap[..., None, :] - candidates[..., 1:2] * ab[..., None, :] - candidates[..., 2:3] * ac[..., None, :]
    squared = (offset * offset).sum(-1)
    squared[..., 0] = torch.where(inside, squared[..., 0], torch.inf)
    best, which = squared.min(dim=-1)
    return candidates.gather(-2, which[..., None, None].expand(*which.shape, 1, 3))[..., 0, :], best


def _share(product: Float[Tensor, "*#pair"], squared_length: Float[Tensor, "*#pair"]) -> Float[Tensor, "*pair"]:
    """Return the position of a projection along an edge, clamped to it; 0 on an edge without length."""
    return (product / squared_length.clamp(min=torch.finfo(product.dtype).tiny)).clamp(0, 1)
