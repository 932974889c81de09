"""The UV atlas: the canonical body seen from the front and from the back, onto which the photo is unwrapped.

Each texel of the two maps corresponds to a point of the body's surface. Both depend on the body model alone.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.skeleton import HEAD, joint_index
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import OnDevice, PosedBody

if TYPE_CHECKING:
    import open3d

MARGIN_M = 0.02
"""Room above and below the body, metres."""
RAY_START_M = 2.0
"""Rays start this far in front of the body (or behind it), metres: outside of it."""
FILTER_MARGIN = 2
"""Texels beyond the body's outline that interpolation may read."""
SEAM_Z = 0.25
"""Front and back maps blend over normals whose z lies within this of 0."""
ATLAS_POSE = {
    "hip": (0.0, 0.0, 0.14),
    "shoulder": (0.0, 0.0, -1.27),
    "elbow": (-0.6, 0.0, 0.0),
    "wrist": (-0.7, 0.0, 0.0),
}
"""Joint rotations of the left side, axis-angle, radians: legs apart, arms down, palms forward. This keeps the maps
narrow and avoids self-occlusion."""


@dataclass(frozen=True)
class SurfaceMap(OnDevice):
    """Points of a body's surface, given by their triangles, so that they can be located in any pose."""

    corners: Int[Tensor, "*texel 3"]
    """Vertices of the triangle."""
    weights: Float[Tensor, "*texel 3"]
    """Barycentric coordinates; all 0 where there is no surface."""

    def interpolate(self, values: Float[Tensor, "vertex channel"]) -> Float[Tensor, "*texel channel"]:
        """Interpolate values given at the vertices; 0 where there is no surface."""
        return (values[self.corners] * self.weights[..., None]).sum(dim=-2)


@dataclass(frozen=True)
class Atlas(OnDevice):
    """Front and back maps of the canonical body, and each vertex's counterpart on the other side."""

    posed: PosedBody
    """The body in the pose of the maps, `ATLAS_POSE`: canonical space."""
    normals: Float[Tensor, "vertex 3"]
    """Unit vertex normals, canonical space."""
    surface: SurfaceMap
    """Surface point of each texel: (side, row, column), front first."""
    opposite: SurfaceMap
    """For each vertex, the surface point on the other side of the body, along z."""
    low: Float[Tensor, "2"]
    """Canonical x and y of the maps' lower left corner, metres."""
    texel_m: float
    """Length of a texel's sides, metres."""
    row_of_texel: Int[Tensor, " texel"]
    """Row in a compact table of the texels that interpolation can read: on the body or next to it; 0 for all others."""
    texel_of_row: Int[Tensor, " row"]
    """Inverse of `row_of_texel`: flat texel index of each row."""
    front_back_similarity: Float[Tensor, "2 h w"]
    """1 where the body's front and back may have the same colour, 0 on the head: the back of a head shows no face."""

    @property
    def vertices(self) -> Float[Tensor, "vertex 3"]:
        """Vertices in canonical space, metres."""
        return self.posed.vertices

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of one map."""
        _, rows, columns, _ = self.surface.corners.shape
        return rows, columns

    @property
    def covered(self) -> Bool[Tensor, "side h w"]:
        """Whether each texel shows the body."""
        return self.surface.weights.sum(dim=-1) > 0

    def positions(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 2"]:
        """Return row and column of canonical points, in texels; the first texel's centre is at 0."""
        columns_rows = (points[:, :2] - self.low) / self.texel_m - 0.5
        return torch.stack([self.size[0] - 1 - columns_rows[:, 1], columns_rows[:, 0]], dim=1)


def front_share(normals: Float[Tensor, "*point 3"]) -> Float[Tensor, " *point"]:
    """Return the weight of the front map at points with these canonical normals; the back map has the rest."""
    return (0.5 + normals[..., 2] / (2 * SEAM_Z)).clamp(0, 1)


@lru_cache(maxsize=4)
def atlas_of(body: BodyModel, rows: int, columns: int) -> Atlas:
    """Return the atlas of a body model, on its device; cached.

    Args:
        body: the body model.
        rows: texels along canonical y, from the body's top to its feet.
        columns: texels along canonical x.
    """
    rest = body.rest_pose()
    joints = rest.joints.clone()
    for name, (rx, ry, rz) in ATLAS_POSE.items():
        joints[joint_index(f"left_{name}")] = joints.new_tensor([rx, ry, rz])
        joints[joint_index(f"right_{name}")] = joints.new_tensor([rx, -ry, -rz])
    posed = body.pose(replace(rest, joints=joints))
    vertices = posed.vertices
    normals = vertex_normals(vertices, body.faces)
    low, high = float(vertices[:, 1].min()) - MARGIN_M, float(vertices[:, 1].max()) + MARGIN_M
    texel_m = (high - low) / rows
    # centred on x = 0: flipping a map mirrors the body
    corner = vertices.new_tensor([-columns / 2 * texel_m, low])
    x, y = (corner[i] + (torch.arange(n, device=body.device) + 0.5) * texel_m for i, n in enumerate((columns, rows)))
    y, x = torch.meshgrid(y.flip(0), x, indexing="ij")
    scene = mesh_scene(vertices, body.faces)
    front, back = (_hits(body, scene, torch.stack([x, y], dim=-1), torch.full_like(x, side)) for side in (1.0, -1.0))
    surface = SurfaceMap(torch.stack([front.corners, back.corners]), torch.stack([front.weights, back.weights]))
    # the point opposite a vertex is the first hit of a ray from the other side
    opposite = _hits(body, scene, vertices[:, :2], torch.where(normals[:, 2] >= 0, -1.0, 1.0))
    # at the outline a ray may miss the body: the vertex is its own opposite
    missed = (opposite.weights.sum(dim=-1) == 0)[:, None]
    itself = torch.arange(len(vertices), device=vertices.device)[:, None].expand(-1, 3)
    first_corner = opposite.weights.new_tensor([1.0, 0.0, 0.0])
    opposite = SurfaceMap(
        torch.where(missed, itself, opposite.corners), torch.where(missed, first_corner, opposite.weights)
    )
    covered = surface.weights.sum(dim=-1) > 0
    is_readable = F.max_pool2d(covered.float(), 2 * FILTER_MARGIN + 1, 1, FILTER_MARGIN).flatten() > 0
    row_of_texel = torch.where(is_readable, is_readable.cumsum(dim=0) - 1, 0)
    similarity = 1 - surface.interpolate(body.weights[:, [HEAD]])[..., 0]
    texel_of_row = is_readable.nonzero()[:, 0]
    return Atlas(posed, normals, surface, opposite, corner, texel_m, row_of_texel, texel_of_row, similarity)


def _hits(
    body: BodyModel,
    scene: "open3d.t.geometry.RaycastingScene",
    positions: Float[Tensor, "*ray 2"],
    side: Float[Tensor, " *ray"],
) -> SurfaceMap:
    """Return the first hits of rays along z through canonical (x, y), from the front (side 1) or from behind (-1)."""
    origins = torch.cat([positions, (RAY_START_M * side)[..., None]], dim=-1)
    directions = torch.cat([torch.zeros_like(positions), -side[..., None]], dim=-1)
    hits = scene.cast_rays(as_open3d(torch.cat([origins, directions], dim=-1)))
    face = torch.from_numpy(hits["primitive_ids"].numpy().astype("int64")).to(body.device)
    v, w = torch.from_numpy(hits["primitive_uvs"].numpy()).to(body.device).unbind(dim=-1)
    hit = face < len(body.faces)
    weights = torch.stack([1 - v - w, v, w], dim=-1) * hit[..., None]
    return SurfaceMap(body.faces[torch.where(hit, face, 0)], weights)
