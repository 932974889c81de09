"""Contact sheets for inspecting a motion: eight frames, from the front and from the side."""

from pathlib import Path

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from PIL import Image

from sherf.body.body_model import BodyModel
from sherf.files.output import atomic_output
from sherf.motion.edit import make_in_place
from sherf.motion.motion import Motion
from sherf.motion.playback import apply

COLUMNS = 8
IMAGE_SIZE = (360, 240)
"""Height and width of one image, pixels."""
IMAGE_HEIGHT_M = 2.3
CENTRE_HEIGHT_M = -0.15
"""Height of the image centre above the body's origin: leaves room for raised arms."""
CLAY = np.array([0.80, 0.72, 0.66])
LEFT_CLAY = np.array([0.55, 0.68, 0.85])
"""The left half of the body is blue, to show mirrored or swapped limbs."""


def write_contact_sheet(path: Path, body: BodyModel, motion: Motion, columns: int = COLUMNS) -> None:
    """Write an image with one frame per column: front view above, view from the subject's left below.

    Args:
        path: the image file.
        body: which body to show, in its mean shape.
        motion: what to show, in place.
        columns: number of frames, evenly spaced.
    """
    pose = apply(make_in_place(motion), body.rest_pose())
    frames = [index * len(motion) // columns for index in range(columns)]
    vertices = [body.pose(pose[frame]).vertices.numpy() for frame in frames]
    faces = body.faces.numpy()
    left = (body.v_template[:, 0] > 0).numpy()
    images = [np.concatenate([_render(posed, faces, left, azimuth) for azimuth in (0.0, 90.0)]) for posed in vertices]
    with atomic_output(path) as partial:
        Image.fromarray(np.concatenate(images, 1)).save(partial)


def _render(vertices: NDArray, faces: NDArray, left: NDArray, azimuth: float) -> NDArray:
    """Render a body in plain clay, orthographic, seen from `azimuth` degrees (0: from +z)."""
    angle = np.radians(azimuth)
    towards = np.array([np.sin(angle), 0, np.cos(angle)])
    right, up = np.array([np.cos(angle), 0, -np.sin(angle)]), np.array([0.0, 1.0, 0.0])
    height, width = IMAGE_SIZE
    scale = IMAGE_HEIGHT_M / height
    x = (np.arange(width) + 0.5 - width / 2) * scale
    y = CENTRE_HEIGHT_M + IMAGE_HEIGHT_M / 2 - (np.arange(height) + 0.5) * scale
    plane = x[None, :, None] * right + y[:, None, None] * up
    rays = np.concatenate([plane + 3 * towards, np.broadcast_to(-towards, plane.shape)], -1).astype(np.float32)
    scene = o3d.t.geometry.RaycastingScene(nthreads=2)
    from_numpy = o3d.core.Tensor.from_numpy
    scene.add_triangles(from_numpy(vertices.astype(np.float32)), from_numpy(faces.astype(np.uint32)))
    found = scene.cast_rays(from_numpy(rays))
    hit = np.isfinite(found["t_hit"].numpy())
    normals = found["primitive_normals"].numpy()
    face = found["primitive_ids"].numpy()
    shading = 0.45 + 0.55 * (normals @ ((towards + 0.6 * up + 0.4 * right) / 1.23)).clip(0, 1)
    image = np.full((height, width, 3), 0.95)
    albedo = np.where(left[faces[face[hit], 0]][:, None], LEFT_CLAY, CLAY)
    image[hit] = albedo * shading[hit][:, None]
    return (image.clip(0, 1) * 255).round().astype(np.uint8)
