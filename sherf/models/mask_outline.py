"""How far a surface is from the outline of the photo's mask, where the two outlines lie beside each other."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.lbs import vertex_normals
from sherf.camera.image import in_frame, sample_image
from sherf.camera.pinhole import project
from sherf.render.raycast import cast
from sherf.scene import Subject

INWARD_M, OUTWARD_M = -0.03, 0.09  # the mask's outline is searched between these distances, metres
STEP_M = 0.0025


def distance_to_outline(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], subject: Subject
) -> tuple[Float[np.ndarray, " vertex"], Float[np.ndarray, " vertex"]]:
    """Return each vertex's distance to the mask's outline along its projected normal.

    Args:
        vertices: of the surface in the photo, world space, metres.
        faces: its triangles.
        subject: the observation.

    Returns:
        Weight (1 for vertices on the surface's outline for which the mask's outline was found, else 0), and distance
        (metres, positive outwards).
    """
    camera = subject.camera
    normals = vertex_normals(vertices, faces)
    pixels, depth = project(camera, vertices)
    metres_per_pixel = depth / camera.K[0, 0]
    away = F.normalize((normals @ camera.R.T)[:, :2], dim=-1)
    to_camera = F.normalize(camera.position - vertices, dim=-1)
    grazing = (normals * to_camera).sum(-1).abs() < 0.35
    silhouette = cast(vertices, faces, camera).hit.float()

    steps = torch.arange(INWARD_M, OUTWARD_M + 0.02, STEP_M)
    positions = pixels[:, None] + away[:, None] * (steps[None, :, None] / metres_per_pixel[:, None, None])
    in_mask, on_body = (sample_image(torch.stack([subject.mask, silhouette]), positions, "zeros") > 0.5).unbind(dim=-1)
    inner = steps <= -0.008
    # On the outline: body just inside, and none further out (an arm in front of the trunk is not on it).
    outline = grazing & on_body[:, inner].float().mean(1).gt(0.6) & ~on_body[:, steps > 0.01].any(1)
    # The first step outside the mask; if there is none within reach, this is another person or a long skirt.
    is_outside = (~in_mask).float()
    first = is_outside.argmax(dim=1)
    found = is_outside.any(dim=1) & in_mask[:, 0]
    weight = (outline & found & in_frame(pixels, camera.size, margin=3.0)).float()
    return weight.double().numpy(), (steps[first] - STEP_M / 2).double().numpy()
