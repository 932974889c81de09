"""Contact sheets: eight moments of a motion, from the front and from the side, to look at."""

from pathlib import Path

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from PIL import Image

from sherf.body.body_model import BodyModel
from sherf.files.output import atomic_output
from sherf.motion.motion import Motion, apply, on_the_spot

MOMENTS = 8
PIXELS = (360, 240)
METRES_HIGH = 2.3
MIDDLE_M = -0.15
"""Height of the picture's middle over the body's origin: room for raised arms."""
CLAY = np.array([0.80, 0.72, 0.66])
LEFT_CLAY = np.array([0.55, 0.68, 0.85])
"""The left half of the body is blue: a mirrored or swapped limb shows."""


def contact_sheet(path: Path, body: BodyModel, motion: Motion, moments: int = MOMENTS) -> None:
    """Write a picture: one column a moment; front view above, view from the subject's left below."""
    pose = apply(on_the_spot(motion), body.rest_pose())
    chosen = [index * len(motion) // moments for index in range(moments)]
    vertices = [body.pose(pose[index]).vertices.numpy() for index in chosen]
    faces = body.faces.numpy()
    left = (body.v_template[:, 0] > 0).numpy()
    columns = [np.concatenate([_clay(posed, faces, left, azimuth) for azimuth in (0.0, 90.0)]) for posed in vertices]
    with atomic_output(path) as partial:
        Image.fromarray(np.concatenate(columns, 1)).save(partial)


def _clay(vertices: NDArray, faces: NDArray, left: NDArray, azimuth: float) -> NDArray:
    """One body in plain clay, orthographic, seen from `azimuth` degrees (0: from +z)."""
    angle = np.radians(azimuth)
    towards = np.array([np.sin(angle), 0, np.cos(angle)])
    right, up = np.array([np.cos(angle), 0, -np.sin(angle)]), np.array([0.0, 1.0, 0.0])
    height, width = PIXELS
    scale = METRES_HIGH / height
    x = (np.arange(width) + 0.5 - width / 2) * scale
    y = MIDDLE_M + METRES_HIGH / 2 - (np.arange(height) + 0.5) * scale
    plane = x[None, :, None] * right + y[:, None, None] * up
    rays = np.concatenate([plane + 3 * towards, np.broadcast_to(-towards, plane.shape)], -1).astype(np.float32)
    scene = o3d.t.geometry.RaycastingScene(nthreads=2)
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    answer = scene.cast_rays(o3d.core.Tensor(rays))
    hit = np.isfinite(answer["t_hit"].numpy())
    normals = answer["primitive_normals"].numpy()
    face = answer["primitive_ids"].numpy()
    light = 0.45 + 0.55 * (normals @ ((towards + 0.6 * up + 0.4 * right) / 1.23)).clip(0, 1)
    picture = np.full((height, width, 3), 0.95)
    albedo = np.where(left[faces[face[hit], 0]][:, None], LEFT_CLAY, CLAY)
    picture[hit] = albedo * light[hit][:, None]
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)
