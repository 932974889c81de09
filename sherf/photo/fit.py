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

from sherf.body.model import BodyModel
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.prior import STANCE, pose_energy
from sherf.scene import BodyPose, Camera

DEFAULT_FOCAL = 1.2  # of the longer image side: a 43 mm lens, between phones and portraits
PITCH_SPREAD = 0.15  # radians: photographers hold the camera nearly level
OUTLINE_POINTS = 320
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

    distance: Float[Tensor, "1 1 h w"]
    """Distance to the mask from outside it, in person heights; 0 inside."""
    points: Float[Tensor, "point 2"]
    """The mask's outline, px."""
    corner: Float[Tensor, " 2"]
    """Of the square that the distance map covers, px."""
    side: float
    """Of the same square, px."""
    height: float
    """Of the person, px."""


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
    focal = focal or DEFAULT_FOCAL * max(size)
    centre = torch.tensor([size[1] / 2, size[0] / 2])
    target = marks.observed(person.landmarks)
    height = float(target[:, 1].max() - target[:, 1].min()) * 1.08
    height = max(height, 0.7 * float(target[:, 0].max() - target[:, 0].min()))
    # Hidden landmarks are guesses of the detector, and those outside the photo more so.
    certainty = marks.observed(person.visibility)
    inside = ((target >= 0) & (target <= torch.tensor([size[1], size[0]]))).all(dim=-1)
    weight = marks.WEIGHTS * certainty.clamp(0.05, 1.0).square() * torch.where(inside, 1.0, 0.2)
    metric = marks.observed(person.world)
    directions = _unit(metric[marks.BONE_ENDS] - metric[marks.BONE_STARTS])
    direction_weight = torch.minimum(weight[marks.BONE_STARTS], weight[marks.BONE_ENDS]).sqrt()

    joints = STANCE.clone()
    joints[0] = initial_orientation(person.world)
    betas = torch.zeros(10)
    pitch = torch.zeros(())
    translation = _initial_translation(body, joints, target, weight, focal, centre)
    parameters = [x.requires_grad_() for x in (joints, betas, translation, pitch)]
    outline = _outline(person.mask, person.box, height)
    surface = torch.arange(0, len(body.v_template), 4)

    def energy(step: int) -> Tensor:
        with_outline = step >= options.landmark_steps
        R = camera_rotation(pitch)
        points, vertices = marks.on_body(body, _pose(joints, betas), surface if with_outline else None)
        error = (_project(points, R, translation, focal, centre) - target) / height
        bones = _unit(points[marks.BONE_ENDS] - points[marks.BONE_STARTS]) @ R.T
        total = 1500.0 * (weight * _robust(error.square().sum(-1), 0.08)).sum()
        # The directions in space lead at first, then only keep what the picture cannot tell.
        lead = 1.0 if step < options.landmark_steps // 2 else 0.25
        total = total + 2.0 * lead * (direction_weight * (bones - directions).square().sum(-1)).sum()
        total = total + 0.012 * pose_energy(joints) + 0.03 * betas.square().sum()
        total = total + 0.5 * (pitch / PITCH_SPREAD).square() + 60.0 * balance * marks.imbalance(points).square().sum()
        if with_outline:
            total = total + _outline_energy(_project(vertices, R, translation, focal, centre), outline)
        return total

    # Someone whose feet are not seen may sit or lean on anything.
    balance = float(weight[[marks.INDEX["left_ankle"], marks.INDEX["right_ankle"]]].clamp(max=1).mean())
    rates = (0.04, 0.05, 0.02 * float(translation[2].detach()), 0.01)
    optimiser = torch.optim.Adam([{"params": [x], "lr": lr} for x, lr in zip(parameters, rates, strict=True)])
    with _one_thread():
        for step in range(options.landmark_steps + options.silhouette_steps):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * _rate(step, options)
            optimiser.zero_grad()
            energy(step).backward()
            optimiser.step()

    K = torch.tensor([[focal, 0, float(centre[0])], [0, focal, float(centre[1])], [0, 0, 1.0]])
    return BodyFit(
        _pose(joints.detach(), betas.detach()),
        Camera(K, camera_rotation(pitch.detach()), translation.detach().clone(), size),
    )


_Y_UP = torch.tensor([1.0, -1.0, -1.0])  # the axes of a level camera in a y-up world: it looks along -z


def camera_rotation(pitch: Float[Tensor, ""]) -> Float[Tensor, "3 3"]:
    """Return the world-to-camera rotation of a camera that looks down by `pitch` radians, in a y-up world."""
    one, zero, sine, cosine = pitch.new_ones(()), pitch.new_zeros(()), pitch.sin(), pitch.cos()
    tilt = torch.stack([one, zero, zero, zero, cosine, -sine, zero, sine, cosine]).reshape(3, 3)
    return tilt * _Y_UP


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


def _project(points: Float[Tensor, "*point 3"], R: Tensor, translation: Tensor, focal: float, centre: Tensor) -> Tensor:
    in_camera = points @ R.T + translation
    return focal * in_camera[..., :2] / in_camera[..., 2:].clamp_min(0.1) + centre


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


def _initial_translation(
    body: BodyModel, joints: Tensor, target: Tensor, weight: Tensor, focal: float, centre: Tensor
) -> Float[Tensor, " 3"]:
    """Place the camera so that the body's landmarks are as large as the observed ones and lie on them."""
    with torch.no_grad():
        points, _ = marks.on_body(body, _pose(joints, torch.zeros(10)))
    share = (weight / weight.sum())[:, None]
    flat = (points * _Y_UP)[:, :2]
    centred, observed = flat - (share * flat).sum(0), target - (share * target).sum(0)
    depth = focal * ((share * centred.square()).sum() / (share * observed.square()).sum()).sqrt()
    shift = ((share * target).sum(0) - centre) * depth / focal - (share * flat).sum(0)
    return torch.cat([shift, depth[None]])


def _outline(mask: Float[Tensor, "h w"], box: tuple[float, float, float, float], height: float) -> _Outline:
    """Prepare the outline of a mask around the person's box."""
    x0, y0, x1, y1 = box
    side = 1.5 * max(x1 - x0, y1 - y0)
    corner = np.array([x0 + x1 - side, y0 + y1 - side]) / 2
    zoom = OUTLINE_SIDE / side
    matrix = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]])
    inside = (cv2.warpAffine(mask.numpy(), matrix, (OUTLINE_SIDE, OUTLINE_SIDE)) > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) / (zoom * height)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)[:, 0] + 0.5 if contours else np.zeros((0, 2))
    pixels = contour / zoom + corner
    # Where the photo's border cuts the person there is no outline of the body.
    edge = 2.0 / zoom
    pixels = pixels[((pixels > edge) & (pixels < np.array(mask.shape[::-1]) - edge)).all(1)]
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), OUTLINE_POINTS)).astype(int)
    return _Outline(
        distance=torch.from_numpy(distance).float()[None, None],
        points=torch.from_numpy(pixels[chosen]).float(),
        corner=torch.from_numpy(corner).float(),
        side=side,
        height=height,
    )


def _outline_energy(pixels: Float[Tensor, "vertex 2"], outline: _Outline) -> Float[Tensor, ""]:
    """Return the cost of body points outside the mask, and of outline that no body point comes near to.

    Clothes lie outside the body, so uncovered outline is forgiven sooner than a body outside the mask.
    """
    grid = (pixels - outline.corner) * (2.0 / outline.side) - 1.0
    outside = F.grid_sample(outline.distance, grid[None, None], align_corners=False, padding_mode="border")
    cost = 1500.0 * outside.square().mean()
    if len(outline.points):
        nearest = torch.cdist(outline.points, pixels).min(dim=1).values / outline.height
        cost = cost + 1500.0 * _robust(nearest.square(), 0.05).mean()
    return cost
