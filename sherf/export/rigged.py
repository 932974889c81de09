"""A rigged, textured mesh of an avatar, for GLB, VRM, OBJ, PLY and the fast previewer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from torch import Tensor

from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import prepared
from sherf.body.body_model import BodyModel
from sherf.body.lbs import joint_transforms, vertex_normals
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.export.marching_cubes import SPACING_M, extract_surface
from sherf.export.mesh_unwrap import decimate_and_unwrap
from sherf.models.solid import Solid
from sherf.render.backend import Backend
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import BodyPose

INFLUENCES = 4
"""Maximum number of joints per vertex: the limit of real-time engines."""


@dataclass(frozen=True)
class RiggedMesh:
    """A mesh on its skeleton in the rest pose (T-pose): body space, metres, y up, facing +z."""

    vertices: Float[np.ndarray, "vertex 3"]
    normals: Float[np.ndarray, "vertex 3"]
    uv: Float[np.ndarray, "vertex 2"]
    """In [0, 1], from the texture's top-left corner."""
    faces: Int[np.ndarray, "face 3"]
    joints: Int[np.ndarray, "vertex influence"]
    """Joints that move each vertex."""
    weights: Float[np.ndarray, "vertex influence"]
    """Skinning weights of these joints; rows sum to 1."""
    texture: Float[np.ndarray, "h w 3"]
    """sRGB in [0, 1]."""
    visibility: Float[np.ndarray, "h w"]
    """Share of each texel's colour that the photo saw."""
    rest_joints: Float[np.ndarray, "24 3"]
    """Joint positions, body space, metres."""
    parents: tuple[int, ...]
    """Parent of each joint; -1 for the root."""
    visible_share: float
    """Share of the surface whose colour the photo saw."""

    def posed(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """Return the vertices in a pose without a frame axis, by linear blend skinning: world space, metres."""
        rest = torch.from_numpy(self.rest_joints)
        transforms = joint_transforms(axis_angle_to_matrix(pose.joints.cpu()), rest, self.parents)
        weights = torch.from_numpy(self.weights)
        blended = (weights[..., None, None] * transforms[torch.from_numpy(self.joints)]).sum(dim=1)
        moved = torch.einsum("vij,vj->vi", blended[:, :3, :3], torch.from_numpy(self.vertices)) + blended[:, :3, 3]
        return moved @ pose.R_world_body.cpu().T + pose.T_world_body.cpu()


def build_rigged_mesh(
    avatar: EncodedAvatar,
    body: BodyModel,
    backend: Backend,
    triangles: int = 20_000,
    texture: int = 1024,
    spacing: float = SPACING_M,
    watch: Callable[[], None] = lambda: None,
) -> RiggedMesh:
    """Build the rigged mesh of an avatar: extract its surface, bake the texture, and transfer skinning weights.

    Args:
        avatar: of a model with a surface.
        body: the body model that it was made with.
        backend: where to compute.
        triangles: maximum number of triangles, roughly.
        texture: side of the square texture, pixels.
        spacing: of the lattice for marching cubes, metres.
        watch: called repeatedly; raise an exception in it to cancel the work.

    Returns:
        The mesh in the rest pose, with the avatar's shape.

    Raises:
        BadInput: the avatar has no surface.
        SherfError: the process that unwraps the mesh failed.
    """
    solid = replace(rest_solid(avatar, body, backend), watch=watch)
    vertices, faces, uv = decimate_and_unwrap(*extract_surface(solid, spacing), triangles, watch)
    image, visibility, visible_share = bake_texture(solid, vertices, faces, uv, texture)
    joints, weights = transfer_skinning_weights(solid, body, backend, vertices)
    return RiggedMesh(
        vertices=vertices,
        normals=vertex_normals(torch.from_numpy(vertices), torch.from_numpy(faces)).numpy(),
        uv=uv,
        faces=faces,
        joints=joints,
        weights=weights,
        texture=image,
        visibility=visibility,
        rest_joints=body.rest_joints(avatar.bank.subject.pose.betas).numpy(),
        parents=body.parents,
        visible_share=visible_share,
    )


def rest_solid(avatar: EncodedAvatar, body: BodyModel, backend: Backend) -> Solid:
    """Return an avatar's solid in the rest pose of its own shape.

    Raises:
        BadInput: the avatar's model has a density only, without a surface.
    """
    body = body.to(backend.device)
    reader = prepared(avatar, body, backend)
    posed = body.pose(body.at_rest(avatar.bank.subject.pose).to(backend.device))
    with torch.no_grad():
        return reader.field(posed).solid()


def bake_texture(
    solid: Solid,
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    uv: Float[np.ndarray, "vertex 2"],
    side: int,
) -> tuple[Float[np.ndarray, "side side 3"], Float[np.ndarray, "side side"], float]:
    """Bake a solid's colours into a texture.

    Texels outside the UV charts get the nearest chart's colour, so that mipmaps do not bleed.

    Args:
        solid: in the rest pose.
        vertices: of the unwrapped mesh, in the solid's space, metres.
        faces: of the unwrapped mesh.
        uv: in [0, 1], from the texture's top-left corner.
        side: of the texture, pixels.

    Returns:
        The texture (sRGB in [0, 1]), the share of each texel's colour that the photo saw, and the mean of that share
        over the surface.
    """
    flat = np.pad(uv * side, [(0, 0), (0, 1)])
    scene = mesh_scene(torch.from_numpy(flat), torch.from_numpy(faces))
    ticks = torch.arange(side) + 0.5
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    down = torch.tensor([0.0, 0.0, -1.0]).expand(side, side, 3)
    rays = torch.cat([torch.stack([x, y, torch.ones_like(x)], dim=-1), down], dim=-1)
    hits = scene.cast_rays(as_open3d(rays))
    hit = np.isfinite(hits["t_hit"].numpy())
    if not hit.any():
        return np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32), 0.0
    v, w = np.moveaxis(hits["primitive_uvs"].numpy()[hit], -1, 0)
    corners = vertices[faces[hits["primitive_ids"].numpy()[hit]]]
    points = np.stack([1 - v - w, v, w], axis=1)[:, :, None] * corners
    colour, visibility = solid.colour(torch.from_numpy(points.sum(axis=1)).to(solid.grid.low.device))
    layers = np.zeros((side, side, 4), np.float32)
    layers[hit] = np.concatenate([colour.cpu().numpy(), visibility.cpu().numpy()[:, None]], axis=1)
    layers = layers[tuple(ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True))]
    return layers[..., :3], layers[..., 3], float(visibility.mean())


def transfer_skinning_weights(
    solid: Solid, body: BodyModel, backend: Backend, vertices: Float[np.ndarray, "vertex 3"]
) -> tuple[Int[np.ndarray, "vertex influence"], Float[np.ndarray, "vertex influence"]]:
    """Return joints and weights of each vertex: the strongest four at the nearest point of the body's surface.

    Args:
        solid: its posed body is the one in the vertices' space.
        body: faces and skinning weights.
        backend: nearest points.
        vertices: in the solid's space, metres.

    Returns:
        Joints, strongest first, and their weights; rows sum to 1.
    """
    body = body.to(backend.device)
    nearest = backend.surface(solid.posed.vertices, body.faces).nearest(torch.from_numpy(vertices).to(backend.device))
    all_weights = (nearest.barycentric[..., None] * body.weights[body.faces[nearest.face]]).sum(dim=1)
    weights, joints = all_weights.topk(INFLUENCES, dim=1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return joints.cpu().numpy(), weights.cpu().numpy()
