"""Pose a dressed person: linear blend skinning as the shipped body does it, creases, and cloth kept off the skin."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from pytorch3d.transforms import axis_angle_to_matrix
from scipy.spatial import cKDTree

from sherf.body.lbs import joint_transforms
from sherf.body.skeleton import PARENTS, joint_index
from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.casting import Caster
from sherf.datasets.openpeople.mesh import vertex_normals
from sherf.datasets.openpeople.noise import value_noise
from sherf.datasets.openpeople.part import Part, PosedPerson

CREASED = {"left_elbow": 0, "right_elbow": 0, "left_knee": 1, "right_knee": 1}
"""Joints that crease cloth, and the axis along the limb."""
CREASE_M, CREASE_SPACING_M, CREASE_REACH_M = 0.0035, 0.032, 0.06
CREASE_FROM_RADIANS = 0.2
SKIN_CLEARANCE_M, LAYER_M = 0.002, 0.002
"""How far the innermost cloth keeps from the skin, and each further layer from the one before."""
TOUCH_M = 0.05
"""Cloth and skin that are farther apart than this do not meet."""
COVER_REACH_M = 0.3
"""Cloth that hangs farther off than this covers nothing."""
LAYERS = {"socks": 0, "bottom": 1, "shoes": 1, "top": 2, "top collar": 3, "outer": 4, "tail": 4, "outer collar": 5}


def transforms(figure: Figure, joints: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "24 4 4"]:
    """Rest -> posed transform of every joint, about the pelvis where it rests."""
    rotations = axis_angle_to_matrix(torch.from_numpy(np.ascontiguousarray(joints, dtype=float)))
    return joint_transforms(rotations, torch.from_numpy(figure.joints), PARENTS).numpy()


def skinned(
    vertices: Float[np.ndarray, "vertex 3"],
    weights: Float[np.ndarray, "vertex 24"],
    T_posed_rest: Float[np.ndarray, "24 4 4"],
) -> Float[np.ndarray, "vertex 3"]:
    """Linear blend skinning (SMPL, Eq. 2)."""
    blended = (weights @ T_posed_rest[:, :3].reshape(24, 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]


def pose_person(parts: tuple[Part, ...], figure: Figure, joints: Float[np.ndarray, "24 3"]) -> PosedPerson:
    """Pose all parts and stand the person on the floor.

    `PosedPerson.joints[0] - figure.joints[0]` is the translation that the open body needs to lie in the same place.
    """
    T = transforms(figure, joints)
    base = base_mesh()
    skin = skinned(figure.vertices[:NUM_SKIN], base.weights[:NUM_SKIN], T)
    skin_normals = vertex_normals(skin, base.skin_faces)
    posed = []
    for part in parts:
        rest = part.vertices + _creases(part, figure, joints) if part.is_cloth else part.vertices
        vertices = skinned(rest, part.weights, T)
        if part.is_cloth and part.covers is not None and part.covers.any():
            clearance = SKIN_CLEARANCE_M + LAYER_M * LAYERS.get(part.name, 2)
            vertices = _pushed_out(vertices, skin[part.covers], skin_normals[part.covers], clearance)
        posed.append(vertices)
    return _assembled(parts, posed, skinned_joints(figure, T))


def skinned_joints(figure: Figure, T_posed_rest: Float[np.ndarray, "24 4 4"]) -> Float[np.ndarray, "24 3"]:
    """Where the joints' centres are."""
    return np.einsum("jik,jk->ji", T_posed_rest[:, :3, :3], figure.joints) + T_posed_rest[:, :3, 3]


def protrusion(posed: PosedPerson, figure: Figure, joints: Float[np.ndarray, "24 3"]) -> float:
    """How far the body sticks out of the clothes that cover it, metres: the farthest of 999 in 1000 vertices.

    A covered skin vertex sticks out where a ray from it along its normal meets no cloth; it does so by its height over
    the nearest cloth.
    """
    cloth = np.isin(posed.part_of_face, [i for i, part in enumerate(posed.parts) if part.is_cloth])
    covers = hidden_skin(posed.parts)
    if not cloth.any() or not covers.any():
        return 0.0
    T = transforms(figure, joints)
    skin = skinned(figure.vertices[:NUM_SKIN], base_mesh().weights[:NUM_SKIN], T)
    normals = vertex_normals(skin, base_mesh().skin_faces)[covers]
    skin = (skin + (posed.joints[0] - skinned_joints(figure, T)[0]))[covers]
    faces = posed.faces[cloth]
    # Start a little inside, so that cloth which lies on the skin is met.
    rays = np.concatenate([skin - 0.001 * normals, normals], axis=1).astype(np.float32)
    bare = ~Caster(posed.vertices, faces).is_blocked(rays, 0.0, COVER_REACH_M)
    if not bare.any():
        return 0.0
    used = np.unique(faces)
    nearest = used[cKDTree(posed.vertices[used]).query(skin[bare])[1]]
    height = np.zeros(len(skin))
    height[bare] = ((skin[bare] - posed.vertices[nearest]) * posed.normals[nearest]).sum(axis=1)
    return max(float(np.quantile(height, 0.999)), 0.0)


def crossing(figure: Figure, joints: Float[np.ndarray, "24 3"]) -> float:
    """How deep forearms and hands lie inside the rest of the naked body, metres."""
    weights = base_mesh().weights[:NUM_SKIN]
    posed = skinned(figure.vertices[:NUM_SKIN], weights, transforms(figure, joints))
    forearm = weights[:, 18:24].sum(axis=1) > 0.5
    other = weights[:, 16:24].sum(axis=1) < 0.05
    normals = vertex_normals(posed, base_mesh().skin_faces)[other]
    distance, nearest = cKDTree(posed[other]).query(posed[forearm], distance_upper_bound=0.1)
    met = np.isfinite(distance)
    if not met.any():
        return 0.0
    inside = -((posed[forearm][met] - posed[other][nearest[met]]) * normals[nearest[met]]).sum(axis=1)
    return max(float(inside.max()), 0.0)


def _creases(part: Part, figure: Figure, joints: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "vertex 3"]:
    """Creases where limbs bend: waves across the limb near the joint, as high as the bend is sharp."""
    chart = part.chart
    height = np.zeros(len(chart))
    for name, axis in CREASED.items():
        joint = joint_index(name)
        bend = min(float(np.linalg.norm(joints[joint])), 1.6)
        if bend < CREASE_FROM_RADIANS:
            continue
        along = chart[:, axis] - figure.joints[joint, axis]
        near = np.sign(chart[:, 0]) == np.sign(figure.joints[joint, 0])
        drift = 3 * value_noise((chart * 12).astype(np.float32), joint).astype(float)
        wave = np.sin(2 * np.pi * along / CREASE_SPACING_M + drift)
        height += near * bend * CREASE_M * np.exp(-((along / CREASE_REACH_M) ** 2)) * wave
    return vertex_normals(part.vertices, part.faces) * height[:, None]


def _pushed_out(
    vertices: Float[np.ndarray, "vertex 3"],
    skin: Float[np.ndarray, "skin 3"],
    normals: Float[np.ndarray, "skin 3"],
    clearance: float,
) -> Float[np.ndarray, "vertex 3"]:
    """Move cloth that lies under the skin to a little over it."""
    distance, nearest = cKDTree(skin).query(vertices, distance_upper_bound=TOUCH_M)
    met = np.isfinite(distance)
    nearest, out = nearest[met], vertices.copy()
    off = ((vertices[met] - skin[nearest]) * normals[nearest]).sum(axis=1)
    out[met] += normals[nearest] * np.maximum(clearance - off, 0)[:, None]
    return out


def _assembled(parts: tuple[Part, ...], posed: list[np.ndarray], joints: Float[np.ndarray, "24 3"]) -> PosedPerson:
    """All parts as one mesh that stands on the floor."""
    normals, faces, numbers, start = [], [], [], 0
    for number, (part, vertices) in enumerate(zip(parts, posed, strict=True)):
        normals.append(_normals(vertices, part))
        faces.append(part.faces + start)
        numbers.append(np.full(len(part.faces), number))
        start += len(vertices)
    vertices = np.concatenate(posed)
    up = np.array([0.0, -vertices[:, 1].min(), 0.0])
    uv = [part.uv if part.uv is not None else np.zeros((len(part.vertices), 2)) for part in parts]
    return PosedPerson(
        parts, (vertices + up).astype(np.float32), np.concatenate(normals).astype(np.float32), np.concatenate(faces),
        np.concatenate(numbers), np.concatenate([part.chart for part in parts]).astype(np.float32),
        np.concatenate(uv).astype(np.float32), joints + up,
    )  # fmt: skip


def _normals(vertices: Float[np.ndarray, "vertex 3"], part: Part) -> Float[np.ndarray, "vertex 3"]:
    """Vertex normals, shared along texture seams."""
    if part.weld is None:
        return vertex_normals(vertices, part.faces)
    _, number = np.unique(part.weld, return_inverse=True)
    merged = np.zeros((number.max() + 1, 3))
    merged[number] = vertices
    return vertex_normals(merged, number[part.faces])[number]


def hidden_skin(parts: tuple[Part, ...]) -> Bool[np.ndarray, " 13380"]:
    """Base-mesh skin that lies under any garment."""
    hidden = np.zeros(NUM_SKIN, bool)
    for part in parts:
        if part.covers is not None:
            hidden |= part.covers
    return hidden
