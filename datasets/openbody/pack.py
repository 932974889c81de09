"""Assemble the two files that ship: the open body in SMPL's layout, and the whole base mesh with the same betas."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d
from jaxtyping import Float, Int

from sherf.body.mesh_graph import neighbour_mean
from sherf.body.skeleton import HEAD, NUM_JOINTS, PARENTS, mirrored_joints
from sherf.datasets.openbody.base_mesh import EYES_AND_TEETH, SKIN, TIGHTS, TONGUE
from sherf.datasets.openbody.regressor import fit_joints_to_betas, regress_joints
from sherf.datasets.openbody.shape_space import ShapeSpace

SMOOTHING_STEPS = 16
"""Widens the blending at joints: with fewer steps, elbows collapse (the candy-wrapper effect)."""
JOINTS_PER_VERTEX = 4
"""As in SMPL."""


@dataclass(frozen=True)
class OpenBody:
    """The finished arrays in SMPL's layout, metres."""

    base_mesh_ids: Int[np.ndarray, " 6890"]
    """Base-mesh index of each vertex."""
    v_template: Float[np.ndarray, "6890 3"]
    shapedirs: Float[np.ndarray, "6890 3 10"]
    J_regressor: Float[np.ndarray, "24 6890"]
    weights: Float[np.ndarray, "6890 24"]
    faces: Int[np.ndarray, "face 3"]


def assemble(
    space: ShapeSpace,
    base_mesh_ids: Int[np.ndarray, " 6890"],
    base_faces: Int[np.ndarray, "face 3"],
    base_weights: Float[np.ndarray, "19158 24"],
    base_mirror: Int[np.ndarray, " 19158"],
) -> OpenBody:
    """Return the open body: vertices renumbered, weights smoothed, joints regressed.

    Args:
        space: shape space over the base mesh.
        base_mesh_ids: base-mesh index of each vertex, in final order.
        base_faces: faces of the decimated mesh, base-mesh indices.
        base_weights: skinning weights of the base mesh.
        base_mirror: mirror image of each base-mesh vertex.
    """
    number_of = np.full(len(base_mirror), -1)
    number_of[base_mesh_ids] = np.arange(len(base_mesh_ids))
    faces, mirror = number_of[base_faces], number_of[base_mirror[base_mesh_ids]]
    template, directions = space.mean[base_mesh_ids], space.directions[base_mesh_ids]
    return OpenBody(
        base_mesh_ids=base_mesh_ids,
        v_template=template,
        shapedirs=directions,
        J_regressor=regress_joints(
            template,
            directions,
            mirror,
            vertices=space.people.vertices[:, base_mesh_ids],
            joints=space.people.joints,
            is_fitted=space.is_fitted,
            joints_of_betas=fit_joints_to_betas(space),
        ),
        weights=smooth_weights(base_weights[base_mesh_ids], faces, mirror),
        faces=faces,
    )


def smooth_weights(
    weights: Float[np.ndarray, "vertex 24"], faces: Int[np.ndarray, "face 3"], mirror: Int[np.ndarray, " vertex"]
) -> Float[np.ndarray, "vertex 24"]:
    """Return weights averaged over the mesh, limited to each vertex's strongest joints, equal on both sides.

    Args:
        weights: skinning weights.
        faces: of the mesh.
        mirror: each vertex's mirror image.
    """
    mean_of_neighbours = neighbour_mean(faces, len(weights))
    for _ in range(SMOOTHING_STEPS):
        weights = 0.5 * weights + 0.5 * (mean_of_neighbours @ weights)
    weakest = np.sort(weights, axis=1)[:, -JOINTS_PER_VERTEX][:, None]
    weights = np.where(weights >= weakest, weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    weights = 0.5 * (weights + weights[mirror][:, mirrored_joints()])
    return weights / weights.sum(axis=1, keepdims=True)


def base_mesh_weights(
    body: OpenBody,
    space: ShapeSpace,
    base_weights: Float[np.ndarray, "19158 24"],
    base_mirror: Int[np.ndarray, " 19158"],
) -> Float[np.ndarray, "19158 24"]:
    """Return weights for all base-mesh vertices: skin and tights follow the body's surface, eyes and mouth the head.

    Args:
        body: the open body.
        space: shape space over the base mesh.
        base_weights: weights of the base mesh, kept for all other vertices.
        base_mirror: mirror image of each base-mesh vertex.
    """
    scene = o3d.t.geometry.RaycastingScene()
    from_numpy = o3d.core.Tensor.from_numpy
    scene.add_triangles(from_numpy(body.v_template.astype(np.float32)), from_numpy(body.faces.astype(np.uint32)))
    nearest = scene.compute_closest_points(from_numpy(space.mean.astype(np.float32)))
    uv = nearest["primitive_uvs"].numpy()
    corners = body.faces[nearest["primitive_ids"].numpy().astype(int)]
    barycentric = np.column_stack([1 - uv.sum(axis=1), uv])
    surface_weights = np.einsum("pk,pkj->pj", barycentric, body.weights[corners])
    weights = base_weights.copy()
    for group in (SKIN, TIGHTS):
        weights[group] = surface_weights[group]
    for group in (TONGUE, EYES_AND_TEETH):
        weights[group] = np.eye(NUM_JOINTS)[HEAD]
    return 0.5 * (weights + weights[base_mirror][:, mirrored_joints()])


def write_body(path: Path, body: OpenBody) -> None:
    """Write an .npz with SMPL's keys, float32, without pose blend shapes, which are zero."""
    np.savez_compressed(
        path,
        v_template=body.v_template.astype(np.float32),
        shapedirs=body.shapedirs.astype(np.float32),
        J_regressor=body.J_regressor.astype(np.float32),
        weights=body.weights.astype(np.float32),
        kintree_table=np.array([PARENTS, range(NUM_JOINTS)], np.int64),
        f=body.faces.astype(np.uint32),
        base_mesh_ids=body.base_mesh_ids.astype(np.int32),
    )


def write_base_mesh(path: Path, body: OpenBody, space: ShapeSpace, weights: Float[np.ndarray, "19158 24"]) -> None:
    """Write an .npz of all base-mesh vertices with the same betas and joints; half precision is 0.1 mm here."""
    np.savez_compressed(
        path,
        v_template=space.mean.astype(np.float32),
        shapedirs=space.directions.astype(np.float16),
        weights=weights.astype(np.float16),
        J_regressor_ids=body.base_mesh_ids.astype(np.int32),
        J_regressor=body.J_regressor.astype(np.float32),
    )
