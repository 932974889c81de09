"""The canonical body seen from the front and from the back: where the unwrapped photo lives.

Each texel of the two maps knows its point of the body's surface. Both depend on the body model alone.
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
AWAY_M = 2.0
TOUCHING = 2
"""Texels beyond the body's outline that a look-up may meet."""
SEAM = 0.25
"""Share of a normal's z over which front and back fade into each other."""
POSE = {
    "hip": (0.0, 0.0, 0.14),
    "shoulder": (0.0, 0.0, -1.27),
    "elbow": (-0.6, 0.0, 0.0),
    "wrist": (-0.7, 0.0, 0.0),
}
"""Canonical space, axis-angle of the left side, radians: legs apart, arms down, palms forward. So maps are narrow, and
nothing hides anything."""


@dataclass(frozen=True)
class SurfaceMap(OnDevice):
    """Points of a body's surface, by their triangle's corners, so that they can be found in any pose."""

    corners: Int[Tensor, "*texel 3"]
    weights: Float[Tensor, "*texel 3"]
    """Barycentric; all 0 where there is no surface."""

    def of(self, values: Float[Tensor, "vertex channel"]) -> Float[Tensor, "*texel channel"]:
        """Interpolate what the vertices carry."""
        return (values[self.corners] * self.weights[..., None]).sum(dim=-2)


@dataclass(frozen=True)
class Atlas(OnDevice):
    """Front and back of the canonical body, and each vertex's counterpart on the other side."""

    posed: PosedBody
    """The body in the maps' own pose: canonical space."""
    normals: Float[Tensor, "vertex 3"]
    surface: SurfaceMap
    """Of the texels: (side, row, column), front first."""
    opposite: SurfaceMap
    """Of the vertices: what lies right behind (or in front), through the body."""
    low: Float[Tensor, "2"]
    """Canonical x and y of the maps' lower left corner, metres."""
    texel_m: float
    """Length of a texel's sides, metres."""
    row_of_texel: Int[Tensor, " texel"]
    """Of the texels that show the body or touch one that does, numbered through; 0 for all others."""
    texel_of_row: Int[Tensor, " row"]
    alike: Float[Tensor, "2 h w"]
    """1 where the body's front and back may have the same colour, 0 on the head: a face has none behind it."""

    @property
    def vertices(self) -> Float[Tensor, "vertex 3"]:
        """Canonical space, metres."""
        return self.posed.vertices

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of one map."""
        _, rows, columns, _ = self.surface.corners.shape
        return rows, columns

    @property
    def covered(self) -> Bool[Tensor, "side h w"]:
        """Which texels show the body."""
        return self.surface.weights.sum(dim=-1) > 0

    def places(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 2"]:
        """Row and column, in texels, of canonical points; the first texel's centre is at 0."""
        across = (points[:, :2] - self.low) / self.texel_m - 0.5
        return torch.stack([self.size[0] - 1 - across[:, 1], across[:, 0]], dim=1)


def front_share(normals: Float[Tensor, "*point 3"]) -> Float[Tensor, " *point"]:
    """How much of a point's features is the front map's; the rest is the back's."""
    return (0.5 + normals[..., 2] / (2 * SEAM)).clamp(0, 1)


@lru_cache(maxsize=4)
def atlas_of(body: BodyModel, rows: int, columns: int) -> Atlas:
    """The atlas of a body model (on its device): made once."""
    rest = body.rest_pose()
    joints = rest.joints.clone()
    for name, (x, y, z) in POSE.items():
        joints[joint_index(f"left_{name}")] = joints.new_tensor([x, y, z])
        joints[joint_index(f"right_{name}")] = joints.new_tensor([x, -y, -z])
    posed = body.pose(replace(rest, joints=joints))
    vertices = posed.vertices
    normals = vertex_normals(vertices, body.faces)
    low, high = float(vertices[:, 1].min()) - MARGIN_M, float(vertices[:, 1].max()) + MARGIN_M
    texel_m = (high - low) / rows
    # the maps' own mirror images show the mirrored body
    corner = vertices.new_tensor([-columns / 2 * texel_m, low])
    x, y = (corner[i] + (torch.arange(n, device=body.device) + 0.5) * texel_m for i, n in enumerate((columns, rows)))
    y, x = torch.meshgrid(y.flip(0), x, indexing="ij")
    scene = mesh_scene(vertices, body.faces)
    front, back = (_hits(body, scene, torch.stack([x, y], dim=-1), torch.full_like(x, side)) for side in (1.0, -1.0))
    surface = SurfaceMap(torch.stack([front.corners, back.corners]), torch.stack([front.weights, back.weights]))
    # what lies behind a vertex is what a ray from the other end meets first
    opposite = _hits(body, scene, vertices[:, :2], torch.where(normals[:, 2] >= 0, -1.0, 1.0))
    # at the outline a ray may pass by the vertex: it is its own opposite
    missed = (opposite.weights.sum(dim=-1) == 0)[:, None]
    own = torch.arange(len(vertices), device=vertices.device)[:, None].expand(-1, 3)
    alone = opposite.weights.new_tensor([1.0, 0.0, 0.0])
    opposite = SurfaceMap(torch.where(missed, own, opposite.corners), torch.where(missed, alone, opposite.weights))
    covered = surface.weights.sum(dim=-1) > 0
    read = F.max_pool2d(covered.float(), 2 * TOUCHING + 1, 1, TOUCHING).flatten() > 0
    row_of_texel = torch.where(read, read.cumsum(dim=0) - 1, 0)
    alike = 1 - surface.of(body.weights[:, [HEAD]])[..., 0]
    return Atlas(posed, normals, surface, opposite, corner, texel_m, row_of_texel, read.nonzero()[:, 0], alike)


def _hits(
    body: BodyModel,
    scene: "open3d.t.geometry.RaycastingScene",
    places: Float[Tensor, "*ray 2"],
    side: Float[Tensor, " *ray"],
) -> SurfaceMap:
    """What rays along z through canonical (x, y) meet first, from the front (side 1) or from behind (-1)."""
    origins = torch.cat([places, (AWAY_M * side)[..., None]], dim=-1)
    directions = torch.cat([torch.zeros_like(places), -side[..., None]], dim=-1)
    hits = scene.cast_rays(as_open3d(torch.cat([origins, directions], dim=-1)))
    face = torch.from_numpy(hits["primitive_ids"].numpy().astype("int64")).to(body.device)
    v, w = torch.from_numpy(hits["primitive_uvs"].numpy()).to(body.device).unbind(dim=-1)
    hit = face < len(body.faces)
    weights = torch.stack([1 - v - w, v, w], dim=-1) * hit[..., None]
    return SurfaceMap(body.faces[torch.where(hit, face, 0)], weights)
