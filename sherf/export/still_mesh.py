"""A textured mesh in one pose, for viewers that turn it: made within about two seconds, or of a rigged mesh."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import prepared
from sherf.body.body_model import BodyModel
from sherf.export.rigged import RiggedMesh
from sherf.render.backend import Backend
from sherf.scene import BodyPose

CELL = 6
"""Side of the square of the texture that two triangles share, pixels."""


@dataclass(frozen=True)
class StillMesh:
    """A textured mesh: world space, metres, y up."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    uv: Float[np.ndarray, "vertex 2"]
    """In [0, 1], from the texture's top-left corner."""
    texture: Float[np.ndarray, "h w 3"]
    """sRGB in [0, 1]."""
    visibility: Float[np.ndarray, "h w"]
    """Share of each texel's colour that the photo saw."""

    @staticmethod
    def of(mesh: RiggedMesh, pose: BodyPose) -> "StillMesh":
        """Return a rigged mesh in a pose without a frame axis."""
        return StillMesh(mesh.posed(pose).numpy(), mesh.faces, mesh.uv, mesh.texture, mesh.visibility)


def quick_mesh(avatar: EncodedAvatar, body: BodyModel, backend: Backend) -> StillMesh:
    """Return a coarse mesh of an avatar in its photo's pose: the body's triangles moved to the avatar's surface.

    Args:
        avatar: of a model with a surface.
        body: the body model that it was made with.
        backend: where to compute.

    Raises:
        BadInput: the avatar has no surface.
    """
    body = body.to(backend.device)
    with torch.no_grad():
        posed = body.pose(avatar.bank.subject.pose.to(backend.device))
        solid = prepared(avatar, body, backend).field(posed).solid()
        vertices, faces = solid.surface
        barycentric, of_triangle = _texels()
        pairs = -(-len(faces) // 2)
        corners = vertices[faces]
        if len(faces) % 2:
            corners = torch.cat([corners, corners[-1:]])
        corners = corners.unflatten(0, (pairs, 2))
        points = torch.einsum("tk,ptkc->ptc", barycentric.to(corners), corners[:, of_triangle.to(corners.device)])
        colour, seen = (x.cpu().numpy() for x in solid.colour(points.flatten(end_dim=1)))
    columns = math.ceil(math.sqrt(pairs))
    texture = _tiled(np.concatenate([colour, seen[:, None]], axis=1), pairs, columns)
    height, width = texture.shape[:2]
    pair = np.arange(len(faces)) // 2
    # texel centres of the triangles' corners within a cell
    near, far = 0.5, CELL - 1.5
    first = [[near, near], [far, near], [near, far]]
    in_cell = np.array([first, [[CELL - x, CELL - y] for x, y in first]])
    origin = np.stack([pair % columns, pair // columns], axis=1) * CELL
    uv = (origin[:, None] + in_cell[np.arange(len(faces)) % 2]) / [width, height]
    return StillMesh(
        vertices[faces].flatten(end_dim=1).cpu().numpy(),
        np.arange(3 * len(faces)).reshape(-1, 3),
        uv.reshape(-1, 2).astype(np.float32),
        texture[..., :3],
        texture[..., 3],
    )


def _texels() -> tuple[Float[torch.Tensor, "texel 3"], Int[torch.Tensor, " texel"]]:
    """Return the barycentric coordinates of a cell's texels, row by row, and which of its two triangles each shows."""
    y, x = torch.meshgrid(torch.arange(CELL), torch.arange(CELL), indexing="ij")
    second = (x + y >= CELL).flatten().long()
    x, y = (torch.where(x + y >= CELL, CELL - 1 - z, z).flatten() / (CELL - 2) for z in (x, y))
    return torch.stack([1 - x - y, x, y], dim=1).float(), second


def _tiled(texels: Float[np.ndarray, "texel channel"], pairs: int, columns: int) -> Float[np.ndarray, "h w channel"]:
    """Return the texels of all cells as one image."""
    rows = -(-pairs // columns)
    cells = np.zeros((rows * columns, CELL, CELL, texels.shape[1]), np.float32)
    cells[:pairs] = texels.reshape(pairs, CELL, CELL, -1)
    tiled = cells.reshape(rows, columns, CELL, CELL, -1).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiled.reshape(rows * CELL, columns * CELL, -1))
