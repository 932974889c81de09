"""Lay a fitted body on the person in the photo: turn its head to the face, then displace its vertices (SMPL+D).

Ten betas and 24 joints miss a person by one to two percent of the height. A smooth displacement of the rest body
(Alldieck et al., "Video Based Reconstruction of 3D People Models", 2018) meets landmarks, face and outline.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import blend_transforms, vertex_normals
from sherf.body.skeleton import joint_index
from sherf.camera.image import sample_image
from sherf.camera.pinhole import project, resize
from sherf.photo import landmarks as marks
from sherf.photo.adam import Adam
from sherf.photo.clothing import clothing_thickness
from sherf.photo.detect import Person
from sherf.photo.energy import PLACED_WEIGHT
from sherf.photo.face_mesh import Face, face_points
from sherf.photo.fit import BodyFit
from sherf.photo.outline import robust
from sherf.photo.single_thread import single_threaded
from sherf.photo.smooth_basis import SmoothBasis, smooth_basis
from sherf.scene import BodyPose, Camera, PosedBody

SIDE = 640
"""Longer side of the person in the mask that the outline is taken from, pixels."""
STEPS, RATE = 55, 0.018
"""Steps of Adam, and their size at the beginning, metres; it decays to a twentieth."""
TURN_STEPS, TURN_RATE, TURN_PRIOR = 50, 0.03, 0.3
"""The same for the rotations of neck and head, radians, and the weight that keeps them where they were."""
CONTOUR_POINTS = 600
RIM_COSINE = 0.45
"""Vertices whose normals are this perpendicular to the line of sight can lie on the outline."""
REFRESH = 10
"""Steps after which it is determined anew which vertices these are."""
VISIBLE = 0.6
"""Landmarks with at least this visibility count."""
OVERSHOOT = 0.25
"""The clothed surface may lie this far outside the mask, % of the height: it is cut off there later."""

# Weights of the terms; lengths are in percent of the person's height.
LANDMARKS, FACE, OUTSIDE, UNCOVERED = 0.5, 6.0, 3.0, 1.0
RIGID, DEPTH, SIZE, SYMMETRY = 14.0, 250.0, 20.0, 60.0
OUTLIER = 8.0
"""Landmarks further away than this count as this far, % of the height."""
FAR_OUTLINE = 4.0
"""Outline points that are much further than this from the body saturate, % of the height."""
NORMAL_PENALTY = 3.0
"""Added to the distance of an outline point and a vertex with opposite normals, % of the height."""


@dataclass(frozen=True)
class _Outline:
    """The mask's outline and surroundings, in pixels of `camera`."""

    camera: Camera
    outside: Float[Tensor, "1 h w"]
    """Distance to the mask from outside it, pixels."""
    points: Float[Tensor, "point 2"]
    normals: Float[Tensor, "point 2"]
    """Outward, unit length."""


@dataclass(frozen=True)
class _Marks:
    """Points of the body that were detected: each moves as a weighted mean of vertices."""

    points: Float[Tensor, "mark 3"]
    """On the body as fitted, world space, metres."""
    vertices: Int[Tensor, "mark near"]
    shares: Float[Tensor, "mark near"]
    target: Float[Tensor, "mark 2"]
    """Pixels of the photo."""
    weight: Float[Tensor, " mark"]


def lay_on_person(
    body: BodyModel, fit: BodyFit, person: Person, face: Face | None, placed: tuple[str, ...] = ()
) -> BodyFit:
    """Return the fit with its head turned to the face and its vertices displaced onto the person.

    Args:
        body: the body model, on the CPU.
        fit: the fitted body and its camera.
        person: landmarks and mask, in the pixels of the photo.
        face: the person's face mesh, if one was found.
        placed: names of the landmarks that the user placed.
    """
    with single_threaded():
        if face is not None:
            fit = _turn_head(body, fit, face)
        return replace(fit, pose=_displaced(body, fit, person, face, placed))


def _turn_head(body: BodyModel, fit: BodyFit, face: Face) -> BodyFit:
    """Return the fit with neck and head rotated so that the body's face lies on the face mesh."""
    on_body = face_points(body)
    if on_body is None:
        return fit
    joints = [joint_index("neck"), joint_index("head")]
    used, inverse = on_body.corners.unique(return_inverse=True)
    start = fit.pose.joints[joints]
    rotations = start.clone()
    optimiser = Adam([(rotations, TURN_RATE)])
    for step in range(TURN_STEPS):
        turned = replace(fit.pose, joints=fit.pose.joints.index_put((torch.tensor(joints),), rotations))
        vertices, _, _ = body.pose_vertices(turned, used)
        points = (vertices[inverse] * on_body.weights[..., None]).sum(dim=1)
        pixels, _ = project(fit.camera, points)
        # the shape of the head is not that of the face: compare without position and size
        miss = _normalised(pixels) - _normalised(face.points)
        energy = (on_body.certainty * miss.square().sum(dim=1)).mean()
        energy = energy + TURN_PRIOR / len(pixels) * (rotations - start).square().sum()
        optimiser.step(energy, 1 - 0.95 * step / TURN_STEPS)
    joints_now = fit.pose.joints.index_put((torch.tensor(joints),), rotations.detach())
    return replace(fit, pose=replace(fit.pose, joints=joints_now))


def _normalised(points: Float[Tensor, "point 2"]) -> Float[Tensor, "point 2"]:
    """Return points with mean 0 and mean square 1."""
    centred = points - points.mean(dim=0)
    return centred / centred.square().sum(dim=1).mean().sqrt()


def _displaced(body: BodyModel, fit: BodyFit, person: Person, face: Face | None, placed: tuple[str, ...]) -> BodyPose:
    """Return the pose with the displacement that minimises the energy.

    Its terms: seen landmarks and the face on their points, the clothed surface inside the mask, the mask's outline on
    the clothed surface; as rigid as possible, left and right alike, and little along the line of sight.
    """
    basis, posed = smooth_basis(body), body.pose(fit.pose)
    rows, _ = project(fit.camera, posed.vertices)
    height = float((rows.amax(dim=0) - rows.amin(dim=0)).max())
    outline, found = _outline(person, fit.camera), _marks(body, fit, posed, person, face, placed)
    camera = outline.camera
    percent = 100 * fit.camera.size[0] / camera.size[0] / height
    goal = found.target * (camera.size[0] / fit.camera.size[0])
    thickness = clothing_thickness(body.weights)[:, None]
    linear = blend_transforms(posed.weights, posed.T_world_rest)[:, :3, :3]
    rest_normals = vertex_normals(body.v_template + posed.offsets, body.faces)
    sight = F.normalize(posed.vertices - camera.position, dim=1)
    a, b = basis.edges.unbind(dim=1)
    squared_edges = (posed.vertices[a] - posed.vertices[b]).square().sum(dim=1) + 1e-5
    # three coordinates, and the height along the normals
    x = torch.zeros(basis.functions.shape[1], 4)
    optimiser = Adam([(x, RATE)])
    for step in range(STEPS):
        rest = _rest_displacement(basis, x, rest_normals)
        shift = torch.einsum("vij,vj->vi", linear, rest)
        vertices = posed.vertices + shift
        if step % REFRESH == 0:
            with torch.no_grad():
                normals = vertex_normals(vertices, body.faces)
                rim = ((normals * sight).sum(dim=1).abs() < RIM_COSINE).nonzero()[:, 0]
                flat = F.normalize((normals[rim] @ camera.R.T)[:, :2], dim=1)
                opposed = NORMAL_PENALTY * (1 - outline.normals @ flat.T)
        clothed, _ = project(camera, vertices + thickness * normals)
        moved, _ = project(camera, found.points + (shift[found.vertices] * found.shares[..., None]).sum(dim=1))
        miss = ((moved - goal).norm(dim=1) * percent).clamp_max(OUTLIER)
        energy = (found.weight * miss.square()).sum()
        beyond = (sample_image(outline.outside, clothed)[:, 0] * percent - OVERSHOOT).clamp_min(0)
        energy = energy + OUTSIDE * beyond.square().mean()
        if len(outline.points) and len(rim) > 1:
            with torch.no_grad():
                nearest = (torch.cdist(outline.points, clothed[rim]) * percent + opposed).argmin(dim=1)
            distance = (outline.points - clothed[rim[nearest]]).norm(dim=1) * percent
            distance = distance + opposed.gather(1, nearest[:, None])[:, 0]
            energy = energy + UNCOVERED * robust(distance.square(), FAR_OUTLINE).mean()
        energy = energy + RIGID * ((shift[a] - shift[b]).square().sum(dim=1) / squared_edges).mean()
        energy = energy + DEPTH * (shift * sight).sum(dim=1).square().mean() + SIZE * rest.square().sum(dim=1).mean()
        energy = energy + SYMMETRY * _asymmetry(basis, x)
        optimiser.step(energy, 1 - 0.95 * step / STEPS)
    return replace(fit.pose, displacement=_rest_displacement(basis, x.detach(), rest_normals))


def _rest_displacement(
    basis: SmoothBasis, x: Float[Tensor, "handle 4"], normals: Float[Tensor, "vertex 3"]
) -> Float[Tensor, "vertex 3"]:
    """Return the displacement of the rest body, metres."""
    moves = basis.functions @ x
    return moves[:, :3] + moves[:, 3:] * normals


def _asymmetry(basis: SmoothBasis, x: Float[Tensor, "handle 4"]) -> Float[Tensor, ""]:
    """Return the mean squared difference between the displacement and its mirror image, square metres."""
    flip = x.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return (x - flip * x[basis.mirrored]).square().sum(dim=1).mean()


def _marks(
    body: BodyModel, fit: BodyFit, posed: PosedBody, person: Person, face: Face | None, placed: tuple[str, ...]
) -> _Marks:
    """Return the seen landmarks and the points of the face, with weights that sum to the terms' own."""
    points, _ = marks.body_landmarks(body, fit.pose)
    is_placed = torch.tensor([mark.name in placed for mark in marks.LANDMARKS])
    visibility = marks.from_blazepose(person.visibility)
    seen = ((visibility > VISIBLE) | is_placed) & marks.available_on(body)
    on_body = None if face is None else face_points(body)
    if on_body is not None:
        # the face mesh tells more of the head than the pose's landmarks
        seen &= is_placed | torch.tensor(
            ["nose" not in mark.name and "eye" not in mark.name for mark in marks.LANDMARKS]
        )
    near = marks.vertices_around(points[seen], posed.vertices)
    shares = torch.full(near.shape, 1 / near.shape[1])
    weight = marks.WEIGHTS[seen] * torch.where(is_placed[seen], PLACED_WEIGHT, 1.0)
    weight = LANDMARKS * weight / max(int(seen.sum()), 1)
    target = marks.from_blazepose(person.landmarks)[seen]
    if face is None or on_body is None:
        return _Marks(points[seen], near, shares, target, weight)
    width = near.shape[1] - 3
    on_face = (posed.vertices[on_body.corners] * on_body.weights[..., None]).sum(dim=1)
    return _Marks(
        torch.cat([points[seen], on_face]),
        torch.cat([near, F.pad(on_body.corners, (0, width))]),
        torch.cat([shares, F.pad(on_body.weights, (0, width))]),
        torch.cat([target, face.points]),
        torch.cat([weight, FACE * on_body.certainty / on_body.certainty.sum()]),
    )


def _outline(person: Person, camera: Camera) -> _Outline:
    """Return the mask's outline and surroundings at the working size."""
    h, w = camera.size
    scale = min(1.0, SIDE / max(person.box[2] - person.box[0], person.box[3] - person.box[1], 1.0))
    size = (max(round(h * scale), 1), max(round(w * scale), 1))
    mask = F.interpolate(person.mask[None, None], size, mode="area")[0, 0]
    inside = (mask > 0.5).numpy().astype(np.uint8)
    outside = torch.from_numpy(cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5))
    contours, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([c[:, 0] for c in contours if len(c) > 24] or [np.zeros((0, 2))]) + 0.5
    # where the photo's border cuts the person there is no outline
    points = points[((points > 3) & (points < np.array(size[::-1]) - 3)).all(axis=1)]
    points = points[np.linspace(0, len(points) - 1, min(len(points), CONTOUR_POINTS)).astype(int)]
    blurred = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 2.0)
    slope = np.stack([cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1)])
    on_image = torch.from_numpy(points).float()
    normals = F.normalize(-sample_image(torch.from_numpy(slope), on_image), dim=1)
    return _Outline(resize(camera, size), outside[None], on_image, normals)
