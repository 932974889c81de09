"""A rigged, textured mesh of an avatar: what GLB, VRM, OBJ and the fast previewer show."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from torch import Tensor

from sherf.avatar.avatar_file import Avatar
from sherf.body.body_model import BodyModel
from sherf.body.lbs import axis_angle_to_matrix, joint_transforms, vertex_normals
from sherf.export.marching_cubes import SPACING_M, extract_surface
from sherf.export.mesh_unwrap import thinned_and_unwrapped
from sherf.export.solid import Solid, solid_of
from sherf.render.backend import Backend
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import BodyPose

INFLUENCES = 4
"""Joints that move a vertex, at most: what real-time engines take."""


@dataclass(frozen=True)
class RiggedMesh:
    """In the rest pose (T-pose), metres, y up, facing +z; where the skeleton's own rest pose has it."""

    vertices: Float[np.ndarray, "vertex 3"]
    normals: Float[np.ndarray, "vertex 3"]
    uv: Float[np.ndarray, "vertex 2"]
    """In [0, 1], from the texture's top left corner."""
    faces: Int[np.ndarray, "face 3"]
    joints: Int[np.ndarray, "vertex influence"]
    weights: Float[np.ndarray, "vertex influence"]
    """Rows sum to 1."""
    texture: Float[np.ndarray, "h w 3"]
    """In [0, 1]."""
    shown: Float[np.ndarray, "h w"]
    """How much of each texel's colour the photo saw."""
    rest_joints: Float[np.ndarray, "24 3"]
    parents: tuple[int, ...]
    seen: float
    """Share of its area whose colour the photo saw."""

    def posed(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """Its vertices in a pose (without a frame axis), world space."""
        rest = torch.from_numpy(self.rest_joints)
        transforms = joint_transforms(axis_angle_to_matrix(pose.joints.cpu()), rest, self.parents)
        weights = torch.from_numpy(self.weights)
        blended = (weights[..., None, None] * transforms[torch.from_numpy(self.joints)]).sum(dim=1)
        moved = torch.einsum("vij,vj->vi", blended[:, :3, :3], torch.from_numpy(self.vertices)) + blended[:, :3, 3]
        return moved @ pose.R_world_body.cpu().T + pose.T_world_body.cpu()


def rigged_mesh(
    avatar: Avatar,
    body: BodyModel,
    backend: Backend,
    triangles: int = 20_000,
    texture: int = 1024,
    spacing: float = SPACING_M,
    watch: Callable[[], None] = lambda: None,
) -> RiggedMesh:
    """Surface, texture and skin of an avatar.

    Args:
        triangles: about so many at most.
        texture: its side, pixels.
        spacing: of the lattice that the surface is found on, metres.
        watch: is called now and then; what it raises ends the work.

    Raises:
        BadInput: the avatar has no surface.
    """
    solid = replace(solid_of(avatar, body, backend), watch=watch)
    vertices, faces, uv = thinned_and_unwrapped(*extract_surface(solid, spacing), triangles, watch)
    picture, shown, seen = baked_texture(solid, vertices, faces, uv, texture)
    joints, weights = skin(solid, body, backend, vertices)
    return RiggedMesh(
        vertices=vertices,
        normals=vertex_normals(torch.from_numpy(vertices), torch.from_numpy(faces)).numpy(),
        uv=uv,
        faces=faces,
        joints=joints,
        weights=weights,
        texture=picture,
        shown=shown,
        rest_joints=body.rest_joints(avatar.bank.subject.pose.betas).cpu().numpy(),
        parents=body.parents,
        seen=seen,
    )


def baked_texture(
    solid: Solid,
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    uv: Float[np.ndarray, "vertex 2"],
    side: int,
) -> tuple[Float[np.ndarray, "side side 3"], Float[np.ndarray, "side side"], float]:
    """The surface's colour, texel by texel, how much of it the photo saw, and that of all of it.

    Texels between the pieces have the nearest piece's colour: nothing else shines in where pictures are made smaller.
    """
    flat = np.pad(uv * side, [(0, 0), (0, 1)])
    scene = mesh_scene(torch.from_numpy(flat), torch.from_numpy(faces))
    ticks = torch.arange(side) + 0.5
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    down = torch.tensor([0.0, 0.0, -1.0]).expand(side, side, 3)
    rays = torch.cat([torch.stack([x, y, torch.ones_like(x)], dim=-1), down], dim=-1)
    answer = scene.cast_rays(as_open3d(rays))
    hit = np.isfinite(answer["t_hit"].numpy())
    if not hit.any():
        return np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32), 0.0
    v, w = np.moveaxis(answer["primitive_uvs"].numpy()[hit], -1, 0)
    corners = vertices[faces[answer["primitive_ids"].numpy()[hit]]]
    points = np.stack([1 - v - w, v, w], axis=1)[:, :, None] * corners
    colour, seen = solid.colour(torch.from_numpy(points.sum(axis=1)).to(solid.grid.low.device))
    layers = np.zeros((side, side, 4), np.float32)
    layers[hit] = np.concatenate([colour.cpu().numpy(), seen.cpu().numpy()[:, None]], axis=1)
    layers = layers[tuple(ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True))]
    return layers[..., :3], layers[..., 3], float(seen.mean())


def skin(
    solid: Solid, body: BodyModel, backend: Backend, vertices: Float[np.ndarray, "vertex 3"]
) -> tuple[Int[np.ndarray, "vertex influence"], Float[np.ndarray, "vertex influence"]]:
    """The joints that move each vertex, and how much: those of the body's nearest surface point, the strongest four."""
    nearest = backend.surface(solid.posed.vertices, body.faces).nearest(torch.from_numpy(vertices).to(backend.device))
    all_weights = (nearest.barycentric[..., None] * body.weights[body.faces[nearest.face]]).sum(dim=1)
    weights, joints = all_weights.topk(INFLUENCES, dim=1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return joints.cpu().numpy(), weights.cpu().numpy()
