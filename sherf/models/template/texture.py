"""What the photo saw of a surface, and what to believe of the rest."""

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

BEHIND_M = 0.015  # a point this far behind the first surface is hidden
SOFT_M = 0.005
ALONG = 0.01  # how easily colour flows along a limb, against around it
TRUST = 20.0  # of a colour that the photo saw, against its neighbours'
RIM = 0.0035  # of the photo's height: pixels next to an outline carry the background's or another limb's colour


def guarded_depth(depth: Float[Tensor, "h w"], rim: int) -> Float[Tensor, "h w"]:
    """Return the nearest depth within `rim` pixels: what lies beside a nearer surface counts as hidden by it."""
    return -F.max_pool2d(-depth[None, None].nan_to_num(posinf=1e4), 2 * rim + 1, 1, rim)[0, 0]


def guarded_mask(mask: Float[Tensor, "h w"], rim: int) -> Float[Tensor, "h w"]:
    """Return the mask without its rim, softly."""
    padded = F.pad(mask[None, None], (rim,) * 4, mode="replicate")
    eroded = -F.max_pool2d(-padded, 2 * rim + 1, 1)
    return ((eroded[0, 0] - 0.3) / 0.5).clamp(0, 1)


def see(
    points: Float[Tensor, "point 3"],
    facing: Float[Tensor, " point"],
    camera: Camera,
    layers: Float[Tensor, "5 h w"],
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"]]:
    """Return the colour that a photo shows at surface points, and how far it really saw them.

    Args:
        points: on the observed surface, world space.
        facing: cosine between the surface's normal and the direction to the camera.
        layers: the photo (3), its guarded mask and guarded depth.

    Returns:
        Colour, and visibility in [0, 1]: inside the photo and the mask, not hidden, not seen edge-on.
    """
    pixels, depth = project(camera, points)
    sampled = sample_image(layers, pixels)
    inside = in_frame(pixels, camera.size, margin=0.5) & (depth > 0)
    open_view = torch.sigmoid((sampled[:, 4] + BEHIND_M - depth) / SOFT_M * 2)
    straight = ((facing - 0.02) / 0.15).clamp(0, 1)
    return sampled[:, :3], inside * sampled[:, 3] * open_view * straight


def fill_smoothly(
    colour: Float[Tensor, "vertex 3"],
    known: Float[Tensor, " vertex"],
    faces: Int[Tensor, "face 3"],
    rest: Float[Tensor, "vertex 3"],
    weights: Float[Tensor, "vertex 24"],
) -> Float[Tensor, "vertex 3"]:
    """Spread the colours of the known vertices over the others: a harmonic function on the mesh.

    Colour flows around trunk and limbs more easily than along them, for so do clothes: the belt in front is
    believed to go on behind, at the same height.

    Args:
        known: weight of each vertex's own colour, 0 = nothing is known.
        rest: vertices in the rest pose (T-pose: arms along x, trunk and legs along y).
        weights: skinning weights.

    Raises:
        ValueError: nothing is known at any vertex.
    """
    if float(known.max()) <= 0:
        raise ValueError("fill_smoothly() needs at least one vertex of known colour")
    edges = mesh_edges(faces.cpu().numpy())
    position, count = rest.double().cpu().numpy(), len(rest)
    arm = weights[:, ARMS].sum(1).cpu().numpy()[edges].mean(1)
    step = position[edges[:, 1]] - position[edges[:, 0]]
    share_along = np.where(arm > 0.5, step[:, 0], step[:, 1]) ** 2 / (step**2).sum(1).clip(1e-12)
    conductance = ALONG + (1 - ALONG) * (1 - share_along) ** 4
    # A scarf or a collar ends at the head: it does not run up into an unseen face.
    head = weights[:, HEAD].cpu().numpy()[edges] > 0.5
    conductance = np.where(head[:, 0] != head[:, 1], ALONG * 0.1, conductance)
    flow = sp.coo_matrix((conductance, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
    flow = flow + flow.T
    laplacian = sp.diags(np.asarray(flow.sum(1)).ravel()) - flow
    trust = known.double().cpu().numpy() * TRUST
    values = trust[:, None] * colour.double().cpu().numpy()
    solution = splu((sp.diags(trust + 1e-9) + laplacian).tocsc()).solve(values)
    return torch.from_numpy(solution.astype(np.float32)).clamp(0, 1)
