"""The open body with all 19,158 base-mesh vertices, in one person's shape: clothes and hair are built on it."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Int

NUM_SKIN = 13380
"""The first base-mesh vertices are skin."""
LEFT_EYE, RIGHT_EYE = slice(14598, 14670), slice(14670, 14742)
"""Base-mesh vertices of the eyeballs."""


@dataclass(frozen=True)
class BaseMesh:
    """The full MakeHuman base mesh, with the shape directions of the shipped open body (same betas)."""

    v_template: Float[np.ndarray, "19158 3"]
    shapedirs: Float[np.ndarray, "19158 3 10"]
    weights: Float[np.ndarray, "19158 24"]
    joint_vertices: Int[np.ndarray, " 6890"]
    """Base-mesh numbers of the open body's vertices, in the open body's order."""
    J_regressor: Float[np.ndarray, "24 6890"]
    skin_faces: Int[np.ndarray, "face 3"]
    skin_uv_faces: Int[np.ndarray, "face 3"]
    eyes_faces: Int[np.ndarray, "eye_face 3"]
    tights_faces: Int[np.ndarray, "tights_face 3"]
    skirt_faces: Int[np.ndarray, "skirt_face 3"]
    uv: Float[np.ndarray, "texture_vertex 2"]
    lips: Int[np.ndarray, "1024 1024"]
    """Mask over the texture coordinates, 0 to 255, first row at v = 1."""
    nails: Int[np.ndarray, "1024 1024"]


@dataclass(frozen=True)
class Figure:
    """One person's naked body in the rest pose: T-pose, y up, facing +z, left at +x, metres."""

    betas: Float[np.ndarray, "10"]
    vertices: Float[np.ndarray, "19158 3"]
    joints: Float[np.ndarray, "24 3"]


@cache
def base_mesh() -> BaseMesh:
    """Load the base mesh in double precision; cached."""
    whole = np.load(str(files("sherf.datasets.openbody") / "full.npz"), allow_pickle=False)
    body = np.load(str(files("sherf.body") / "openbody.npz"), allow_pickle=False)
    surfaces = np.load(str(files("sherf.datasets.openpeople") / "base.npz"), allow_pickle=False)
    arrays = {key: whole[key].astype(float) for key in ("v_template", "shapedirs", "weights")}
    ids = body["base_mesh_ids"].astype(int)
    # full.npz is in half precision: vertices of the shipped body take its more precise values.
    arrays["v_template"][ids] = body["v_template"]
    arrays["shapedirs"][ids] = body["shapedirs"]
    arrays["weights"][ids] = body["weights"]
    arrays["weights"] /= arrays["weights"].sum(axis=1, keepdims=True)
    faces = {name: surfaces[name].astype(int) for name in surfaces.files if name.endswith("faces")}
    painted = {name: surfaces[name].astype(int) for name in ("lips", "nails")}
    return BaseMesh(
        **arrays, **faces, **painted, joint_vertices=ids, J_regressor=body["J_regressor"].astype(float),
        uv=surfaces["uv"].astype(float),
    )  # fmt: skip


def make_figure(betas: Float[np.ndarray, "10"]) -> Figure:
    """Shape the base mesh by betas (SMPL-style linear blend shapes), in the rest pose."""
    base = base_mesh()
    vertices = base.v_template + base.shapedirs @ betas
    return Figure(betas, vertices, base.J_regressor @ vertices[base.joint_vertices])
