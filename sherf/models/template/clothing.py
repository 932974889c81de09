"""How far clothes and hair stand off the body, as the outline of the mask tells."""

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.sparse.linalg import spsolve
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import skin, vertex_normals
from sherf.body.mesh_graph import neighbour_mean
from sherf.body.skeleton import FEET, HANDS, HEAD
from sherf.camera.image import in_frame, sample_image
from sherf.camera.pinhole import project
from sherf.render.raycast import cast
from sherf.scene import PosedBody, Subject

NOMINAL_M = 0.008  # cloth on skin where the outline tells nothing
INWARD_M, OUTWARD_M = -0.03, 0.09  # how far the outline may move the surface
STIFFNESS = 12.0  # of the displacement against bending, relative to the outline's pull
RETURN = 0.0005  # towards NOMINAL_M
BARE_M, BARE_PULL = 0.001, 5.0  # hands and faces keep to the body
SHOE_M = 0.025  # shoes do not stand off further
NORMAL_SMOOTHING = 12  # rounds: ears and toes must not grow into spikes

DETAIL_M = 0.014  # cloth that stands off by this much begins to hide the body's details
DETAIL_ROUNDS = 25


def mesh_laplacian(body: BodyModel) -> sp.csr_matrix:
    """Return the uniform graph Laplacian (identity minus neighbour mean) of a body's mesh."""
    vertices = len(body.v_template)
    return sp.eye(vertices).tocsr() - neighbour_mean(body.faces.cpu().numpy(), vertices)


def stand_off(body: BodyModel, posed: PosedBody, subject: Subject) -> Float[Tensor, " vertex"]:
    """Return each vertex's displacement along its normal that brings the body's outline to the mask's.

    Vertices on the body's own outline look outwards along their projected normal for the edge of the mask;
    the rest follows by smoothness over the mesh and left-right symmetry. Metres.
    """
    pull, displacement = _outline_pull(body, posed, subject)
    # Both sides of a person wear the same: each observation also speaks for its mirror vertex.
    mirror = body.mirror.numpy()
    both = pull + pull[mirror]
    target = (pull * displacement + (pull * displacement)[mirror]) / np.maximum(both, 1e-9)
    laplacian = mesh_laplacian(body)
    bare = _bare(body).double().cpu().numpy()
    both, still = both * (1 - bare), RETURN + BARE_PULL * bare
    system = sp.diags(both + still) + STIFFNESS * (laplacian.T @ laplacian)
    solution = spsolve(system.tocsc(), both * target + still * np.where(bare > 0.5, BARE_M, NOMINAL_M))
    foot = body.weights[:, FEET].sum(1)
    furthest = OUTWARD_M + (SHOE_M - OUTWARD_M) * foot
    return torch.minimum(torch.from_numpy(solution).float().clamp_min(INWARD_M), furthest)


def _bare(body: BodyModel) -> Float[Tensor, " vertex"]:
    """Return how far each vertex belongs to what is not dressed: hands, whose fingers are too thin, and the face."""
    forwards = vertex_normals(body.v_template, body.faces)[:, 2]
    face = body.weights[:, HEAD] * ((forwards - 0.2) / 0.4).clamp(0, 1)
    return (body.weights[:, HANDS].sum(1) + face).clamp(max=1)


def smooth_normals(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], laplacian: sp.spmatrix
) -> Float[Tensor, "vertex 3"]:
    """Return unit normals averaged over a few rings of neighbours: directions in which a whole region can grow."""
    normals = vertex_normals(vertices, faces).double().cpu().numpy()
    return F.normalize(torch.from_numpy(_averaged(normals, laplacian, NORMAL_SMOOTHING)).to(vertices), dim=-1)


def clothed(body: BodyModel, posed: PosedBody, distance: Float[Tensor, " vertex"]) -> Float[Tensor, "vertex 3"]:
    """Return the posed surface displaced along the rest pose's smoothed normals, world space, metres.

    Where it stands far off, it loses the body's details: no ears under a hat, no toes in a shoe.
    """
    rest = body.v_template + posed.offsets
    laplacian = mesh_laplacian(body)
    normals = smooth_normals(rest, body.faces, laplacian)
    moved = (rest + distance[:, None] * normals).double().cpu().numpy()
    loose = ((distance - DETAIL_M) / DETAIL_M).clamp(0, 1).double().cpu().numpy()
    smoothed = _averaged(moved, sp.diags(loose) @ laplacian, DETAIL_ROUNDS)
    # Averaging shrinks limbs as well: what whole regions lost along their normals is given back.
    directions = normals.double().cpu().numpy()
    loss = _averaged(((smoothed - moved) * directions).sum(1), laplacian, DETAIL_ROUNDS)
    moved = smoothed - loss[:, None] * directions
    return skin(torch.from_numpy(moved).to(rest), posed.weights, posed.T_world_rest)


def _averaged(values: np.ndarray, laplacian: sp.spmatrix, rounds: int) -> np.ndarray:
    """Replace each vertex's value by its neighbours' mean, mostly, many times."""
    for _ in range(rounds):
        values = values - 0.7 * (laplacian @ values)
    return values


def _outline_pull(body: BodyModel, posed: PosedBody, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and displacements (metres) of the vertices that lie on the body's outline."""
    camera, vertices = subject.camera, posed.vertices
    normals = vertex_normals(vertices, body.faces)
    pixels, depth = project(camera, vertices)
    metres_per_pixel = depth / camera.K[0, 0]
    away = F.normalize((normals @ camera.R.T)[:, :2], dim=-1)
    to_camera = F.normalize(camera.position - vertices, dim=-1)
    grazing = (normals * to_camera).sum(-1).abs() < 0.35
    silhouette = cast(vertices, body.faces, camera).hit.float()

    # Walk outwards from 3 cm inside to 9 cm outside the bare body.
    steps = torch.arange(INWARD_M, OUTWARD_M + 0.02, 0.0025)
    walk = pixels[:, None] + away[:, None] * (steps[None, :, None] / metres_per_pixel[:, None, None])
    in_mask, on_body = (sample_image(torch.stack([subject.mask, silhouette]), walk, "zeros") > 0.5).unbind(dim=-1)
    inner = steps <= -0.008
    # On the outline: body just inside, and no body further out (an arm before the trunk is no outline).
    outline = grazing & on_body[:, inner].float().mean(1).gt(0.6) & ~on_body[:, steps > 0.01].any(1)
    # The first step outside the mask, counted from inside; none within reach means a neighbour or a long skirt.
    leaves = (~in_mask).float()
    first = leaves.argmax(dim=1)
    found = leaves.any(dim=1) & in_mask[:, 0]
    pull = (outline & found & in_frame(pixels, camera.size, margin=3.0)).float()
    return pull.double().numpy(), (steps[first] - 0.00125).double().numpy()
