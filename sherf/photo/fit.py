"""The body in the photo: shape, pose and camera by optimisation of landmarks, silhouette and a pose prior."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.lbs import axis_angle_to_matrix
from sherf.body.model import BodyModel
from sherf.camera import intrinsics
from sherf.image import in_frame, look_up
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.prior import STANCE, pose_energy
from sherf.photo.warp import warp
from sherf.scene import BodyPose, Camera

DEFAULT_FOCAL = 1.2  # of the longer image side: a 43 mm lens, between phones and portraits
PITCH_SPREAD = 0.15  # radians: photographers hold the camera nearly level
UNSEEN, SEEN = 0.2, 0.7  # visibility below which a landmark is not believed, and above which it is wholly
OUTLINE_POINTS = 320
SURFACE_STRIDE = 4  # every fourth vertex is compared with the outline

# Weights of the energy's terms, in three phases: the directions of the bones lead, the landmarks take over, and
# where there is an outline it is trusted more than landmarks, which are off by 1 to 2 % of the height.
DIRECTIONS = (8.0, 0.5, 0.5)
LANDMARKS = (1500.0, 1500.0, 300.0)
LANDMARK_SCALE = (0.3, 0.08, 0.08)  # an error beyond this is believed to be a mistake
OUTSIDE, UNCOVERED = 8000.0, 8000.0
POSE, SHAPE, BALANCE = 0.012, 0.03, 60.0
OUTLINE_SIDE = 256  # px: the silhouettes are compared at this size of the person's surroundings


@dataclass(frozen=True)
class FitOptions:
    landmark_steps: int = 220
    """Optimiser steps on landmarks alone."""
    silhouette_steps: int = 110
    """Further steps with the outline of the mask."""


@dataclass(frozen=True)
class BodyFit:
    """A body and the camera that sees it; the world's origin is the body model's, y is up."""

    pose: BodyPose
    camera: Camera


@dataclass(frozen=True)
class _Outline:
    """A mask prepared for comparison with projected points."""

    distance: Float[Tensor, "1 h w"]
    """Distance to the mask from outside it, in person heights; 0 inside."""
    points: Float[Tensor, "point 2"]
    """The mask's outline, px."""
    corner: Float[Tensor, " 2"]
    """Of the square that the distance map covers, px."""
    zoom: float
    """Pixels of the distance map in one of the photo."""
    height: float
    """Of the person, px."""


@dataclass(frozen=True)
class _Evidence:
    """What the photo says, and how far to believe it."""

    target: Float[Tensor, "landmark 2"]
    """Landmarks, px."""
    weight: Float[Tensor, " landmark"]
    directions: Float[Tensor, "bone 3"]
    """Of the bones, camera axes, unit length."""
    direction_weight: Float[Tensor, " bone"]
    outline: _Outline
    focal: float
    """px."""
    centre: Float[Tensor, " 2"]
    """Principal point, px."""
    height: float
    """Of the person, px."""
    balance: float
    """How far balance over the feet is believed: less where they are not seen and the person may lean or sit."""


@dataclass(frozen=True)
class _Unknowns:
    """What the optimiser changes."""

    joints: Float[Tensor, "24 3"]
    betas: Float[Tensor, " 10"]
    translation: Float[Tensor, " 3"]
    """Of the camera, metres."""
    pitch: Float[Tensor, ""]
    """By which the camera looks down, radians."""


def fit_body(
    body: BodyModel, person: Person, size: tuple[int, int], focal: float | None, options: FitOptions = FitOptions()
) -> BodyFit:
    """Fit a body to one detected person, in the manner of SMPLify (Bogo et al. 2016).

    First landmark reprojection, bone directions from the metric landmarks, a pose prior and balance over the
    feet (which also tells how far the camera looks down); then the outline of the mask as well, which settles
    shape and distance.

    Args:
        size: height and width of the photo, px.
        focal: of the camera, px; a usual lens where it is not known.
    """
    evidence = _gather(body, person, size, focal or DEFAULT_FOCAL * max(size))
    joints = STANCE.clone()
    joints[0] = initial_orientation(person.world)
    translation = _initial_translation(body, joints, evidence)
    unknowns = _Unknowns(joints, torch.zeros(10), translation, torch.zeros(()))
    rates = {"joints": 0.04, "betas": 0.05, "translation": 0.02 * float(translation[2]), "pitch": 0.01}
    optimiser = torch.optim.Adam(
        [{"params": [getattr(unknowns, name).requires_grad_()], "lr": rate} for name, rate in rates.items()]
    )
    with _one_thread():
        for step in range(options.landmark_steps + options.silhouette_steps):
            for group, rate in zip(optimiser.param_groups, rates.values(), strict=True):
                group["lr"] = rate * _rate(step, options)
            optimiser.zero_grad()
            _energy(body, unknowns, evidence, step, options).backward()
            optimiser.step()
    return BodyFit(
        _pose(unknowns.joints.detach(), unknowns.betas.detach()),
        Camera(
            K=intrinsics(evidence.focal, size),
            R=camera_rotation(unknowns.pitch.detach()),
            T=unknowns.translation.detach().clone(),
            size=size,
        ),
    )


def _gather(body: BodyModel, person: Person, size: tuple[int, int], focal: float) -> _Evidence:
    target = marks.observed(person.landmarks)
    extent = target.amax(0) - target.amin(0)
    # From the eyes to the heels, and lying or stretched people by their width.
    height = max(1.08 * float(extent[1]), 0.7 * float(extent[0]))
    # Hidden landmarks are guesses of the detector, and those outside the photo more so: there the prior speaks.
    certainty = ((marks.observed(person.visibility) - UNSEEN) / (SEEN - UNSEEN)).clamp(0.0, 1.0)
    trust = certainty * torch.where(in_frame(target, size), 1.0, 0.05) * marks.known_on(body)
    metric = marks.observed(person.world)
    ankles = [marks.INDEX["left_ankle"], marks.INDEX["right_ankle"]]
    return _Evidence(
        target=target,
        weight=marks.WEIGHTS * trust.clamp_min(1e-4),
        directions=_unit(metric[marks.BONE_ENDS] - metric[marks.BONE_STARTS]),
        direction_weight=torch.minimum(trust[marks.BONE_STARTS], trust[marks.BONE_ENDS]),
        outline=_outline(person.mask, person.box, height),
        focal=focal,
        centre=torch.tensor([size[1] / 2, size[0] / 2]),
        height=height,
        balance=max(0.3, float(trust[ankles].mean())),
    )


def _energy(body: BodyModel, unknowns: _Unknowns, evidence: _Evidence, step: int, options: FitOptions) -> Tensor:
    """What the optimiser makes small; lengths are in heights of the person."""
    joints, betas = unknowns.joints, unknowns.betas
    R = camera_rotation(unknowns.pitch)
    with_outline = step >= options.landmark_steps
    phase = 2 if with_outline else int(step >= options.landmark_steps // 2)
    surface = torch.arange(0, len(body.v_template), SURFACE_STRIDE) if with_outline else None
    points, vertices = marks.on_body(body, _pose(joints, betas), surface)

    error = (_project(points, R, unknowns, evidence) - evidence.target) / evidence.height
    misses = _robust(error.square().sum(-1), LANDMARK_SCALE[phase])
    total = LANDMARKS[phase] * (evidence.weight * misses).sum()
    bones = _unit(points[marks.BONE_ENDS] - points[marks.BONE_STARTS]) @ R.T
    turns = (bones - evidence.directions).square().sum(-1)
    total = total + DIRECTIONS[phase] * (evidence.direction_weight * turns).sum()
    total = total + POSE * pose_energy(joints) + SHAPE * betas.square().sum()
    total = total + 0.5 * (unknowns.pitch / PITCH_SPREAD).square()
    total = total + BALANCE * evidence.balance * _robust(marks.imbalance(points).square().sum(), 0.2)
    if with_outline:
        total = total + _outline_energy(_project(vertices, R, unknowns, evidence), evidence.outline)
    return total


_Y_UP = torch.tensor([1.0, -1.0, -1.0])  # the axes of a level camera in a y-up world: it looks along -z


def camera_rotation(pitch: Float[Tensor, ""]) -> Float[Tensor, "3 3"]:
    """Return the world-to-camera rotation of a camera that looks down by `pitch` radians, in a y-up world."""
    return axis_angle_to_matrix(F.pad(pitch[None], (0, 2))) * _Y_UP


@contextmanager
def _one_thread() -> Iterator[None]:
    """The tensors of a fit are small: a second thread gains nothing, and on a busy machine it costs tenfold."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _pose(joints: Tensor, betas: Tensor) -> BodyPose:
    return BodyPose(betas, joints, torch.eye(3), torch.zeros(3))


def _rate(step: int, options: FitOptions) -> float:
    """Cosine decay over each of the two stages; the second starts lower."""
    if step < options.landmark_steps:
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / options.landmark_steps))
    through = (step - options.landmark_steps) / max(options.silhouette_steps, 1)
    return 0.02 + 0.38 * 0.5 * (1 + math.cos(math.pi * through))


def _project(points: Float[Tensor, "*point 3"], R: Tensor, unknowns: _Unknowns, evidence: _Evidence) -> Tensor:
    """Pixels of world points; what comes too near to the camera is held at 10 cm, with gradients."""
    in_camera = points @ R.T + unknowns.translation
    return evidence.focal * in_camera[..., :2] / in_camera[..., 2:].clamp_min(0.1) + evidence.centre


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def _robust(squared: Tensor, scale: float) -> Tensor:
    """Geman-McClure: quadratic below `scale`, at most scale^2 far beyond it."""
    return squared * scale**2 / (squared + scale**2)


def initial_orientation(world: Float[Tensor, "33 3"]) -> Float[Tensor, " 3"]:
    """Return the trunk's axis-angle in a y-up world, from BlazePose's metric landmarks (camera axes)."""
    points = world * _Y_UP
    up = _unit((points[11] + points[12]) - (points[23] + points[24]))
    left = (points[11] - points[12]) + (points[23] - points[24])
    left = _unit(left - (left @ up) * up)
    rotation = torch.stack([left, up, torch.linalg.cross(left, up)], dim=1)
    vector, _ = cv2.Rodrigues(rotation.double().numpy())
    return torch.from_numpy(vector[:, 0]).float()


def _initial_translation(body: BodyModel, joints: Tensor, evidence: _Evidence) -> Float[Tensor, " 3"]:
    """Place the camera so that the body's landmarks are as large as the observed ones and lie on them."""
    with torch.no_grad():
        points, _ = marks.on_body(body, _pose(joints, torch.zeros(10)))
    share = (evidence.weight / evidence.weight.sum())[:, None]
    flat = (points * _Y_UP)[:, :2]
    middle, observed_middle = (share * flat).sum(0), (share * evidence.target).sum(0)
    spread = (share * (flat - middle).square()).sum()
    observed_spread = (share * (evidence.target - observed_middle).square()).sum()
    depth = evidence.focal * (spread / observed_spread).sqrt()
    return torch.cat([(observed_middle - evidence.centre) * depth / evidence.focal - middle, depth[None]])


def _outline(mask: Float[Tensor, "h w"], box: tuple[float, float, float, float], height: float) -> _Outline:
    """Prepare the outline of a mask around the person's box."""
    x0, y0, x1, y1 = box
    side = 1.5 * max(x1 - x0, y1 - y0)
    corner = np.array([x0 + x1 - side, y0 + y1 - side]) / 2
    zoom = OUTLINE_SIDE / side
    matrix = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]])
    square = (OUTLINE_SIDE, OUTLINE_SIDE)
    inside = (warp(mask.numpy(), matrix, square) > 0.5).astype(np.uint8)
    # Outside the photo anything may be.
    framed = warp(np.ones(mask.shape, np.float32), matrix, square) > 0.5
    distance = framed * cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) / (zoom * height)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)[:, 0] + 0.5 if contours else np.zeros((0, 2))
    pixels = contour / zoom + corner
    # Where the photo's border cuts the person there is no outline of the body.
    edge = 2.0 / zoom
    pixels = pixels[((pixels > edge) & (pixels < np.array(mask.shape[::-1]) - edge)).all(1)]
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), OUTLINE_POINTS)).astype(int)
    return _Outline(
        distance=torch.from_numpy(distance).float()[None],
        points=torch.from_numpy(pixels[chosen]).float(),
        corner=torch.from_numpy(corner).float(),
        zoom=zoom,
        height=height,
    )


def _outline_energy(pixels: Float[Tensor, "vertex 2"], outline: _Outline) -> Float[Tensor, ""]:
    """Return the cost of body points outside the mask, and of outline that no body point comes near to.

    Clothes lie outside the body, so uncovered outline is forgiven sooner than a body outside the mask.
    """
    outside = look_up(outline.distance, (pixels - outline.corner) * outline.zoom)
    cost = OUTSIDE * outside.square().mean()
    if len(outline.points):
        nearest = torch.cdist(outline.points, pixels).min(dim=1).values / outline.height
        cost = cost + UNCOVERED * _robust(nearest.square(), 0.05).mean()
    return cost
