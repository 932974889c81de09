"""Pose a dressed person: linear blend skinning as in the open body, creases, and collision of cloth with skin."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from sherf.body.lbs import joint_transforms
from sherf.body.skeleton import PARENTS, joint_index
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.casting import RayCaster
from sherf.datasets.openpeople.mesh import vertex_normals
from sherf.datasets.openpeople.noise import value_noise
from sherf.datasets.openpeople.part import Part, PosedPerson

CREASED = {"left_elbow": 0, "right_elbow": 0, "left_knee": 1, "right_knee": 1}
"""Joints that crease cloth, and the rest-pose axis along the limb."""
CREASE_M, CREASE_SPACING_M, CREASE_REACH_M = 0.0035, 0.032, 0.06
"""Height of creases per radian of bend, distance between them, and how far from the joint they reach."""
CREASE_FROM_RADIANS = 0.2
"""Smaller bends make no creases."""
SKIN_CLEARANCE_M, LAYER_M = 0.002, 0.002
"""Distance of the innermost cloth from the skin, and of each further layer from the one below."""
TOUCH_M = 0.05
"""Cloth and skin farther apart than this do not collide."""
COVER_REACH_M = 0.3
"""Cloth farther from the skin than this does not cover it."""
LAYERS = {"socks": 0, "bottom": 1, "shoes": 1, "top": 2, "top collar": 3, "outer": 4, "tail": 4, "outer collar": 5}
"""Layer of each garment, from the skin outwards."""


def pose_transforms(figure: Figure, joints: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "24 4 4"]:
    """Return the rest -> posed transform of every joint; the pelvis keeps its rest position.

    Args:
        figure: the body shape.
        joints: parent-relative joint rotations, axis-angle, radians.
    """
    rotations = axis_angle_to_matrix(torch.from_numpy(np.ascontiguousarray(joints, dtype=float)))
    return joint_transforms(rotations, torch.from_numpy(figure.joints), PARENTS).numpy()


def skin_vertices(
    vertices: Float[np.ndarray, "vertex 3"],
    weights: Float[np.ndarray, "vertex 24"],
    T_posed_rest: Float[np.ndarray, "24 4 4"],
) -> Float[np.ndarray, "vertex 3"]:
    """Apply linear blend skinning to rest-pose vertices: SMPL (Loper et al. 2015)."""
    blended = (weights @ T_posed_rest[:, :3].reshape(24, 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]


def pose_person(parts: tuple[Part, ...], figure: Figure, joints: Float[np.ndarray, "24 3"]) -> PosedPerson:
    """Return the person posed and standing on the floor (y = 0).

    The open body coincides with the posed skin when translated by `PosedPerson.joints[0] - figure.joints[0]`.

    Args:
        parts: the person's parts in the rest pose.
        figure: the body shape.
        joints: parent-relative joint rotations, axis-angle, radians.
    """
    T = pose_transforms(figure, joints)
    base = base_mesh()
    skin = skin_vertices(figure.vertices[:NUM_SKIN], base.weights[:NUM_SKIN], T)
    skin_normals = vertex_normals(skin, base.skin_faces)
    posed = []
    for part in parts:
        rest = part.vertices + _crease_offsets(part, figure, joints) if part.is_cloth else part.vertices
        vertices = skin_vertices(rest, part.weights, T)
        if part.is_cloth and part.covers is not None and part.covers.any():
            clearance = SKIN_CLEARANCE_M + LAYER_M * LAYERS.get(part.name, 2)
            vertices = _push_out_of_skin(vertices, skin[part.covers], skin_normals[part.covers], clearance)
        posed.append(vertices)
    return _assemble(parts, posed, pose_joints(figure, T))


def pose_joints(figure: Figure, T_posed_rest: Float[np.ndarray, "24 4 4"]) -> Float[np.ndarray, "24 3"]:
    """Return the posed joint centres, metres, with the pelvis at its rest position."""
    return np.einsum("jik,jk->ji", T_posed_rest[:, :3, :3], figure.joints) + T_posed_rest[:, :3, 3]


def skin_protrusion(posed: PosedPerson, figure: Figure, joints: Float[np.ndarray, "24 3"]) -> float:
    """Measure how far covered skin sticks out of the clothes: the 99.9th percentile over its vertices.

    A covered skin vertex sticks out if a ray along its normal hits no cloth; the distance is its height over the
    nearest cloth vertex.

    Args:
        posed: the person in the pose.
        figure: the body shape.
        joints: the pose's joint rotations, axis-angle, radians.

    Returns:
        Distance in metres, at least 0.
    """
    cloth = np.isin(posed.part_of_face, [i for i, part in enumerate(posed.parts) if part.is_cloth])
    covers = hidden_skin(posed.parts)
    if not cloth.any() or not covers.any():
        return 0.0
    T = pose_transforms(figure, joints)
    skin = skin_vertices(figure.vertices[:NUM_SKIN], base_mesh().weights[:NUM_SKIN], T)
    normals = vertex_normals(skin, base_mesh().skin_faces)[covers]
    skin = (skin + (posed.joints[0] - pose_joints(figure, T)[0]))[covers]
    faces = posed.faces[cloth]
    # Start a little inside the body, so that cloth lying on the skin is hit.
    rays = np.concatenate([skin - 0.001 * normals, normals], axis=1).astype(np.float32)
    bare = ~RayCaster(posed.vertices, faces).is_blocked(rays, 0.0, COVER_REACH_M)
    if not bare.any():
        return 0.0
    used = np.unique(faces)
    nearest = used[cKDTree(posed.vertices[used]).query(skin[bare])[1]]
    height = np.zeros(len(skin))
    height[bare] = ((skin[bare] - posed.vertices[nearest]) * posed.normals[nearest]).sum(axis=1)
    return max(float(np.quantile(height, 0.999)), 0.0)


def arm_penetration(figure: Figure, joints: Float[np.ndarray, "24 3"]) -> float:
    """Measure how deep forearms and hands lie inside the rest of the naked body.

    Args:
        figure: the body shape.
        joints: the pose's joint rotations, axis-angle, radians.

    Returns:
        The greatest depth in metres; 0 without penetration.
    """
    weights = base_mesh().weights[:NUM_SKIN]
    posed = skin_vertices(figure.vertices[:NUM_SKIN], weights, pose_transforms(figure, joints))
    forearm = weights[:, 18:24].sum(axis=1) > 0.5
    other = weights[:, 16:24].sum(axis=1) < 0.05
    normals = vertex_normals(posed, base_mesh().skin_faces)[other]
    distance, nearest = cKDTree(posed[other]).query(posed[forearm], distance_upper_bound=0.1)
    is_near = np.isfinite(distance)
    if not is_near.any():
        return 0.0
    inside = -((posed[forearm][is_near] - posed[other][nearest[is_near]]) * normals[nearest[is_near]]).sum(axis=1)
    return max(float(inside.max()), 0.0)


def _crease_offsets(part: Part, figure: Figure, joints: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "vertex 3"]:
    """Return rest-space offsets of creases: waves across the limb near bent joints, in proportion to the bend."""
    reference = part.reference
    height = np.zeros(len(reference))
    for name, axis in CREASED.items():
        joint = joint_index(name)
        bend = min(float(np.linalg.norm(joints[joint])), 1.6)
        if bend < CREASE_FROM_RADIANS:
            continue
        along = reference[:, axis] - figure.joints[joint, axis]
        near = np.sign(reference[:, 0]) == np.sign(figure.joints[joint, 0])
        drift = 3 * value_noise((reference * 12).astype(np.float32), joint).astype(float)
        wave = np.sin(2 * np.pi * along / CREASE_SPACING_M + drift)
        height += near * bend * CREASE_M * np.exp(-((along / CREASE_REACH_M) ** 2)) * wave
    return vertex_normals(part.vertices, part.faces) * height[:, None]


def _push_out_of_skin(
    vertices: Float[np.ndarray, "vertex 3"],
    skin: Float[np.ndarray, "skin 3"],
    normals: Float[np.ndarray, "skin 3"],
    clearance: float,
) -> Float[np.ndarray, "vertex 3"]:
    """Move cloth that penetrates the skin to `clearance` metres above it."""
    distance, nearest = cKDTree(skin).query(vertices, distance_upper_bound=TOUCH_M)
    is_near = np.isfinite(distance)
    nearest, out = nearest[is_near], vertices.copy()
    height = ((vertices[is_near] - skin[nearest]) * normals[nearest]).sum(axis=1)
    out[is_near] += normals[nearest] * np.maximum(clearance - height, 0)[:, None]
    return out


def _assemble(parts: tuple[Part, ...], posed: list[np.ndarray], joints: Float[np.ndarray, "24 3"]) -> PosedPerson:
    """Merge the parts into one mesh that stands on the floor."""
    normals, faces, numbers, start = [], [], [], 0
    for number, (part, vertices) in enumerate(zip(parts, posed, strict=True)):
        normals.append(_part_normals(vertices, part))
        faces.append(part.faces + start)
        numbers.append(np.full(len(part.faces), number))
        start += len(vertices)
    vertices = np.concatenate(posed)
    up = np.array([0.0, -vertices[:, 1].min(), 0.0])
    uv = [part.uv if part.uv is not None else np.zeros((len(part.vertices), 2)) for part in parts]
    return PosedPerson(
        parts, (vertices + up).astype(np.float32), np.concatenate(normals).astype(np.float32), np.concatenate(faces),
        np.concatenate(numbers), np.concatenate([part.reference for part in parts]).astype(np.float32),
        np.concatenate(uv).astype(np.float32), joints + up,
    )  # fmt: skip


def _part_normals(vertices: Float[np.ndarray, "vertex 3"], part: Part) -> Float[np.ndarray, "vertex 3"]:
    """Return vertex normals, shared along texture seams."""
    if part.weld is None:
        return vertex_normals(vertices, part.faces)
    _, number = np.unique(part.weld, return_inverse=True)
    merged = np.zeros((number.max() + 1, 3))
    merged[number] = vertices
    return vertex_normals(merged, number[part.faces])[number]


def hidden_skin(parts: tuple[Part, ...]) -> Bool[np.ndarray, " 13380"]:
    """Return which base-mesh skin vertices lie under any garment."""
    hidden = np.zeros(NUM_SKIN, bool)
    for part in parts:
        if part.covers is not None:
            hidden |= part.covers
    return hidden
