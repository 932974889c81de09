"""Sample the photo on a surface, and fill in the colours of its unseen parts."""

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu
from torch import Tensor

from sherf.body.mesh_graph import mesh_edges
from sherf.body.skeleton import ARMS, HEAD
from sherf.camera.image import in_frame, sample_image
from sherf.camera.pinhole import project
from sherf.scene import Camera

BEHIND_M = 0.015  # points further than this behind the first surface are occluded, metres
SOFT_M = 0.005  # width of that soft threshold, metres
ALONG = 0.01  # conductance along a limb, relative to around it
DATA_WEIGHT = 20.0  # weight of a visible colour, relative to smoothness
RIM = 0.0035  # share of the photo's height: pixels this close to an outline may show the background or another limb


def erode_mask(mask: Float[Tensor, "h w"], rim: int) -> Float[Tensor, "h w"]:
    """Return the mask eroded by `rim` pixels, with a soft threshold."""
    padded = F.pad(mask[None, None], (rim,) * 4, mode="replicate")
    eroded = -F.max_pool2d(-padded, 2 * rim + 1, 1)
    return ((eroded[0, 0] - 0.3) / 0.5).clamp(0, 1)


def sample_photo(
    points: Float[Tensor, "point 3"],
    facing: Float[Tensor, " point"],
    camera: Camera,
    layers: Float[Tensor, "5 h w"],
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
    """Return a photo's colour at surface points, and their visibility.

    Args:
        points: on the observed surface, world space, metres.
        facing: cosine between the surface's normal and the direction to the camera.
        camera: the photo's camera.
        layers: the photo (3), its eroded mask, and the surface's depth (metres).

    Returns:
        Colour, and visibility in [0, 1]: high inside the photo and the mask, not occluded, and not at grazing angles.
    """
    pixels, depth = project(camera, points)
    sampled = sample_image(layers, pixels)
    inside = in_frame(pixels, camera.size, margin=0.5) & (depth > 0)
    unoccluded = torch.sigmoid((sampled[:, 4] + BEHIND_M - depth) / SOFT_M * 2)
    not_grazing = ((facing - 0.02) / 0.15).clamp(0, 1)
    return sampled[:, :3], inside * sampled[:, 3] * unoccluded * not_grazing


def fill_smoothly(
    colour: Float[Tensor, "vertex 3"],
    known: Float[Tensor, " vertex"],
    faces: Int[Tensor, "face 3"],
    rest: Float[Tensor, "vertex 3"],
    weights: Float[Tensor, "vertex 24"],
) -> Float[Tensor, "vertex 3"]:
    """Return colours of all vertices, extended smoothly from the known ones: a harmonic function on the mesh.

    The diffusion is anisotropic: colour spreads around trunk and limbs more easily than along them, as clothes do. A
    belt seen in front continues behind at the same height.

    Args:
        colour: of the known vertices.
        known: weight of each vertex's colour, 0 = unknown.
        faces: vertex indices of the triangles.
        rest: vertices in the rest pose (T-pose: arms along x, trunk and legs along y).
        weights: skinning weights.

    Raises:
        ValueError: all weights are 0.
    """
    if float(known.max()) <= 0:
        raise ValueError("fill_smoothly() needs at least one vertex of known colour")
    edges = mesh_edges(faces.cpu().numpy())
    position, count = rest.double().cpu().numpy(), len(rest)
    arm = weights[:, ARMS].sum(1).cpu().numpy()[edges].mean(1)
    step = position[edges[:, 1]] - position[edges[:, 0]]
    share_along = np.where(arm > 0.5, step[:, 0], step[:, 1]) ** 2 / (step**2).sum(1).clip(1e-12)
    conductance = ALONG + (1 - ALONG) * (1 - share_along) ** 4
    # A scarf or a collar ends at the head: its colour must not spread into an unseen face.
    head = weights[:, HEAD].cpu().numpy()[edges] > 0.5
    conductance = np.where(head[:, 0] != head[:, 1], ALONG * 0.1, conductance)
    flow = sp.coo_matrix((conductance, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
    flow = flow + flow.T
    laplacian = sp.diags(np.asarray(flow.sum(1)).ravel()) - flow
    data_weight = known.double().cpu().numpy() * DATA_WEIGHT
    values = data_weight[:, None] * colour.double().cpu().numpy()
    solution = splu((sp.diags(data_weight + 1e-9) + laplacian).tocsc()).solve(values)
    return torch.from_numpy(solution.astype(np.float32)).clamp(0, 1)
