"""Displace the vertices of a fitted body smoothly, so that it lies on the person in the photo (SMPL+D).

Ten betas and 24 joints miss a person by one to two percent of the height. A displacement of the rest body (Alldieck et
al., "Video Based Reconstruction of 3D People Models", 2018) meets landmarks, face and outline. It is a combination of
few smooth functions on the mesh: sums of handles' influences, low-passed by the mesh's squared Laplacian (Botsch and
Sorkine, "On Linear Variational Surface Deformation Methods", 2008).
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import blend_transforms, vertex_normals
from sherf.body.mesh_graph import mesh_edges, neighbour_mean
from sherf.camera.image import sample_image
from sherf.camera.pinhole import project, resize
from sherf.photo import landmarks as marks
from sherf.photo.clothing import clothing_thickness
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.photo.outline import robust
from sherf.photo.single_thread import single_threaded
from sherf.scene import BodyPose, Camera

HANDLES = 260
"""Number of smooth functions."""
SMOOTH, VERY_SMOOTH = 200.0, 3.0
"""Weights of the squared Laplacian and of its square in the low-pass filter."""
SIDE = 640
"""Longer side of the mask that the outline is taken from, pixels."""
STEPS = 110
RATE = 0.012
"""Step of Adam at the beginning, metres; it decays to a twentieth."""
CONTOUR_POINTS = 1100
RIM_COSINE = 0.45
"""Vertices whose normals are this perpendicular to the line of sight can lie on the outline."""
REFRESH = 10
"""Steps after which it is determined anew which vertices these are."""
VISIBLE = 0.6
"""Landmarks with at least this visibility count."""
OVERSHOOT = 0.25
"""The surface may lie this far outside the mask, % of the height: what is beyond the mask is cut off later."""

# Weights of the terms; lengths are in percent of the person's height.
LANDMARKS, OUTSIDE, UNCOVERED, RIGID, DEPTH, SIZE, SYMMETRY = 0.5, 3.0, 1.0, 14.0, 250.0, 20.0, 60.0
OUTLIER = 8.0
"""Landmarks further away than this count as this far, % of the height."""
FAR_OUTLINE = 4.0
"""Outline points that are much further than this from the body saturate, % of the height."""
NORMAL_PENALTY = 3.0
"""Added to the distance of an outline point and a vertex with opposite normals, % of the height."""


@dataclass(frozen=True)
class _Basis:
    """Smooth functions on a mesh."""

    functions: Float[Tensor, "vertex handle"]
    """Rows sum to 1."""
    edges: Int[Tensor, "edge 2"]
    mirrored: Int[Tensor, " handle"]
    """Handle on the other half of the body."""


@lru_cache(maxsize=2)
def _basis(body: BodyModel) -> _Basis:
    """Return the smooth functions of a body's mesh."""
    vertices, mirror = body.v_template.numpy(), body.mirror.numpy()
    half = _spread(vertices, np.flatnonzero(vertices[:, 0] >= 0), HANDLES // 2)
    handles = np.concatenate([half, mirror[half]])
    count = len(vertices)
    laplacian = sp.eye(count) - neighbour_mean(body.faces.numpy(), count)
    square = laplacian.T @ laplacian
    system = sp.eye(count) + SMOOTH * square + VERY_SMOOTH * square @ square
    # the sources of each handle: the vertices nearer to it than to any other, so that the functions sum to 1
    nearest = np.concatenate(
        [
            ((vertices[some, None] - vertices[handles]) ** 2).sum(-1).argmin(1)
            for some in np.array_split(np.arange(count), 8)
        ]
    )
    sources = np.zeros((count, len(handles)))
    sources[np.arange(count), nearest] = 1
    functions = splu(system.tocsc()).solve(sources)
    functions /= functions.sum(axis=1, keepdims=True)
    half_count = len(half)
    mirrored = torch.cat([torch.arange(half_count) + half_count, torch.arange(half_count)])
    edges = torch.from_numpy(mesh_edges(body.faces.numpy()))
    return _Basis(torch.from_numpy(functions).float(), edges, mirrored)


def _spread(points: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """Return indices of points far from one another: farthest point sampling."""
    chosen = [int(candidates[0])]
    distance = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, ((points[candidates] - points[chosen[-1]]) ** 2).sum(-1))
        chosen.append(int(candidates[distance.argmax()]))
    return np.array(chosen)


@dataclass(frozen=True)
class _Evidence:
    """What the photo says about the surface, in pixels of `camera`."""

    camera: Camera
    height: float
    """Of the person, pixels."""
    outside: Float[Tensor, "1 h w"]
    """Distance to the mask from outside it, pixels."""
    contour: Float[Tensor, "point 2"]
    contour_normals: Float[Tensor, "point 2"]
    """Outward, unit length."""


def _evidence(person: Person, camera: Camera, height: float) -> _Evidence:
    """Return the mask's outline and surroundings at the working size."""
    h, w = camera.size
    scale = min(1.0, SIDE / max(person.box[2] - person.box[0], person.box[3] - person.box[1], 1.0))
    size = (max(round(h * scale), 1), max(round(w * scale), 1))
    mask = F.interpolate(person.mask[None, None], size, mode="area")[0, 0]
    inside = (mask > 0.5).numpy().astype(np.uint8)
    outside = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    contours, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([c[:, 0] for c in contours if len(c) > 24] or [np.zeros((0, 2))]) + 0.5
    margin = 3
    kept = ((points > margin) & (points < np.array(size[::-1]) - margin)).all(axis=1)
    points = points[kept]
    points = points[np.linspace(0, len(points) - 1, min(len(points), CONTOUR_POINTS)).astype(int)]
    blurred = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 2.0)
    slope = np.stack([cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1)])
    contour = torch.from_numpy(points).float()
    normals = -sample_image(torch.from_numpy(slope), contour)
    return _Evidence(
        resize(camera, size), height * scale, torch.from_numpy(outside)[None], contour, F.normalize(normals, dim=1)
    )


def displace_body(body: BodyModel, fit: BodyFit, person: Person) -> BodyPose:
    """Return the fitted pose with a displacement that lays the body on the person.

    The energy: seen landmarks on their points, the clothed surface inside the mask, the mask's outline on the clothed
    surface; as rigid as possible, left and right alike, and little along the line of sight where nothing speaks
    against it.

    Args:
        body: the body model, on the CPU.
        fit: the fitted body and its camera.
        person: landmarks and mask, in the pixels of the photo.
    """
    basis = _basis(body)
    posed = body.pose(fit.pose)
    linear = blend_transforms(posed.weights, posed.T_world_rest)[:, :3, :3]
    points, _ = marks.body_landmarks(body, fit.pose)
    target, visibility = marks.from_blazepose(person.landmarks), marks.from_blazepose(person.visibility)
    rows = project(fit.camera, posed.vertices)[0]
    height = float((rows.amax(0) - rows.amin(0)).max())
    evidence = _evidence(person, fit.camera, height)
    camera, scale = evidence.camera, evidence.height / height
    seen = (visibility > VISIBLE) & marks.available_on(body)
    around = marks.vertices_around(points[seen], posed.vertices)
    goal = target[seen] * scale
    weight = marks.WEIGHTS[seen]
    thickness = clothing_thickness(body.weights)[:, None]
    rest_normals = vertex_normals(body.v_template + posed.offsets, body.faces)
    sight = F.normalize(posed.vertices - camera.position, dim=1)
    along_edges = posed.vertices[basis.edges[:, 0]] - posed.vertices[basis.edges[:, 1]]
    squared_edges = along_edges.square().sum(dim=1) + 1e-5
    percent = 100 / evidence.height
    flip = torch.tensor([-1.0, 1.0, 1.0, 1.0])
    x = torch.zeros(basis.functions.shape[1], 4, requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=RATE)
    with single_threaded():
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = RATE * (0.05 + 0.95 * (1 - step / STEPS))
            moves = basis.functions @ x
            rest = moves[:, :3] + moves[:, 3:] * rest_normals
            shift = torch.einsum("vij,vj->vi", linear, rest)
            vertices = posed.vertices + shift
            if step % REFRESH == 0:
                with torch.no_grad():
                    normals = vertex_normals(vertices, body.faces)
                    rim = ((normals * sight).sum(dim=1).abs() < RIM_COSINE).nonzero()[:, 0]
                    flat = F.normalize((normals[rim] @ camera.R.T)[:, :2], dim=1)
                    opposed = NORMAL_PENALTY * (1 - evidence.contour_normals @ flat.T)
            pixels, _ = project(camera, vertices + thickness * normals)
            marked, _ = project(camera, points[seen] + shift[around].mean(dim=1))
            miss = ((marked - goal).norm(dim=1) * percent).clamp_max(OUTLIER)
            energy = LANDMARKS * (weight * miss.square()).mean()
            beyond = (sample_image(evidence.outside, pixels)[:, 0] * percent - OVERSHOOT).clamp_min(0)
            energy = energy + OUTSIDE * beyond.square().mean()
            if len(evidence.contour) and len(rim):
                distance = torch.cdist(evidence.contour, pixels[rim]) * percent + opposed
                nearest = distance.topk(2, largest=False).values.mean(dim=1)
                energy = energy + UNCOVERED * robust(nearest.square(), FAR_OUTLINE).mean()
            stretch = (shift[basis.edges[:, 0]] - shift[basis.edges[:, 1]]).square().sum(dim=1)
            energy = energy + RIGID * (stretch / squared_edges).mean()
            energy = energy + DEPTH * (shift * sight).sum(dim=1).square().mean() + SIZE * rest.square().sum(1).mean()
            energy = energy + SYMMETRY * (x - flip * x[basis.mirrored]).square().sum(dim=1).mean()
            optimiser.zero_grad()
            energy.backward()
            optimiser.step()
    with torch.no_grad():
        moves = basis.functions @ x
        return replace(fit.pose, displacement=moves[:, :3] + moves[:, 3:] * rest_normals)
