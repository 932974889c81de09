"""Fit body shape, pose and camera to a person in a photo, by optimisation over landmarks, silhouette and priors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import joint_index
from sherf.camera.pinhole import intrinsics
from sherf.photo import landmarks as marks
from sherf.photo.adam import Adam
from sherf.photo.clothing import clothed_surface
from sherf.photo.detect import Person
from sherf.photo.energy import (
    Y_UP,
    FitParameters,
    Observations,
    body_energy,
    camera_pitch,
    camera_rotation,
    collect_observations,
    project_to_image,
)
from sherf.photo.joint_limits import STANCE
from sherf.photo.outline import Outline, extract_outline, outline_energy
from sherf.photo.single_thread import single_threaded
from sherf.scene import BodyPose, Camera

DEFAULT_FOCAL = 1.2  # of the longer image side: a 43 mm lens, between phones and portraits


@dataclass(frozen=True)
class FitOptions:
    """How long a body fit runs."""

    landmark_steps: int = 180
    """Optimiser steps on landmarks alone; half as many when starting from an earlier fit."""
    silhouette_steps: int = 90
    """Further steps that also match the outline of the mask."""


@dataclass(frozen=True)
class BodyFit:
    """A fitted body and its camera. World space is y up; its origin is the body model's."""

    pose: BodyPose
    camera: Camera


@dataclass(frozen=True)
class FitConstraints:
    """What a fit starts from and must respect."""

    start: BodyFit | None = None
    """An earlier fit of the same photo."""
    placed: tuple[str, ...] = ()
    """Names of the landmarks that the user placed, and which are therefore certain."""
    fixed_joints: Mapping[str, tuple[float, float, float]] | None = None
    """Joints by name whose rotation is given: axis-angle, parent-relative, radians."""


def fit_body(
    body: BodyModel,
    person: Person,
    size: tuple[int, int],
    focal: float | None,
    options: FitOptions = FitOptions(),
    constraints: FitConstraints = FitConstraints(),
) -> BodyFit:
    """Fit a body to one detected person, in the manner of SMPLify (Bogo et al. 2016).

    The first stage uses landmark reprojection, bone directions from the metric landmarks, a pose prior and balance
    over the feet (which also determines the camera's pitch). The second adds the outline of the mask, which settles
    shape and distance.

    Args:
        body: the body model to fit.
        person: landmarks and mask, in the pixels of the photo.
        size: height and width of the photo, px.
        focal: focal length, px; None assumes a usual lens, and an earlier fit's focal length takes precedence.
        options: numbers of steps.
        constraints: an earlier fit, and the user's corrections.

    Returns:
        The pose in world space, and the camera with its principal point in the middle of the photo.
    """
    start = constraints.start
    if start is not None:
        focal = float(start.camera.K[0, 0])
    observations = collect_observations(body, person, size, focal or DEFAULT_FOCAL * max(size), constraints.placed)
    outline = extract_outline(person.mask, person.box, float(observations.height))
    parameters = _initial_parameters(body, person, observations, start)
    first_step = 0 if start is None else options.landmark_steps // 2
    _optimise(body, parameters, observations, outline, options, constraints, first_step)
    pose = parameters.pose
    return BodyFit(
        BodyPose(pose.betas.detach(), pose.joints.detach(), pose.R_world_body, pose.T_world_body),
        Camera(
            K=intrinsics(observations.focal, size),
            R=camera_rotation(parameters.pitch.detach()),
            T=parameters.translation.detach().clone(),
            size=size,
        ),
    )


def _initial_parameters(
    body: BodyModel, person: Person, observations: Observations, start: BodyFit | None
) -> FitParameters:
    """Return the earlier fit's parameters, or the natural stance where and as the landmarks face."""
    if start is not None:
        camera, pose = start.camera, start.pose
        return FitParameters(pose.joints.clone(), pose.betas.clone(), camera.T.clone(), camera_pitch(camera.R))
    joints = STANCE.clone()
    joints[0] = initial_orientation(person.world)
    translation = initial_translation(body, joints, observations)
    return FitParameters(joints, torch.zeros(10), translation, torch.zeros(()))


def _optimise(
    body: BodyModel,
    parameters: FitParameters,
    observations: Observations,
    outline: Outline,
    options: FitOptions,
    constraints: FitConstraints,
    first_step: int,
) -> None:
    """Minimise the energy with Adam, changing `parameters` in place; fixed joints keep their rotations."""
    rates = {"joints": 0.04, "betas": 0.05, "translation": 0.02 * float(parameters.translation[2]), "pitch": 0.01}
    optimiser = Adam([(getattr(parameters, name), rate) for name, rate in rates.items()])
    fixed, rotations = _fixed_joints(constraints)
    surface = clothed_surface(body)
    with single_threaded():
        for step in range(first_step, options.landmark_steps + options.silhouette_steps):
            with torch.no_grad():
                parameters.joints[fixed] = rotations
            energy = _energy(body, parameters, observations, outline, surface, step, options)
            optimiser.step(energy, _learning_rate_factor(step, options))
    with torch.no_grad():
        parameters.joints[fixed] = rotations


def _fixed_joints(constraints: FitConstraints) -> tuple[list[int], Float[Tensor, "fixed 3"]]:
    """Return indices and rotations of the fixed joints."""
    fixed = constraints.fixed_joints or {}
    return [joint_index(name) for name in fixed], torch.tensor(list(fixed.values())).reshape(-1, 3)


def _energy(
    body: BodyModel,
    parameters: FitParameters,
    observations: Observations,
    outline: Outline,
    surface: marks.OffsetVertices,
    step: int,
    options: FitOptions,
) -> Float[Tensor, ""]:
    """Return the objective at an optimiser step; its lengths are in person heights."""
    with_outline = step >= options.landmark_steps
    phase = 2 if with_outline else int(step >= options.landmark_steps // 2)
    points, vertices = marks.body_landmarks(body, parameters.pose, surface if with_outline else None)
    total = body_energy(parameters, points, observations, phase)
    if with_outline:
        pixels = project_to_image(vertices, camera_rotation(parameters.pitch), parameters, observations)
        total = total + outline_energy(pixels, outline)
    return total


def _learning_rate_factor(step: int, options: FitOptions) -> float:
    """Return the cosine decay over each of the two stages; the second starts lower."""
    if step < options.landmark_steps:
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / options.landmark_steps))
    through = (step - options.landmark_steps) / max(options.silhouette_steps, 1)
    return 0.02 + 0.38 * 0.5 * (1 + math.cos(math.pi * through))


def initial_orientation(world: Float[Tensor, "33 3"]) -> Float[Tensor, " 3"]:
    """Return the trunk's global orientation as axis-angle in a y-up world, radians.

    Args:
        world: BlazePose's metric landmarks, camera axes.
    """
    points = world * Y_UP
    up = F.normalize((points[11] + points[12]) - (points[23] + points[24]), dim=0, eps=1e-6)
    left = (points[11] - points[12]) + (points[23] - points[24])
    left = F.normalize(left - (left @ up) * up, dim=0, eps=1e-6)
    rotation = torch.stack([left, up, torch.linalg.cross(left, up)], dim=1)
    vector, _ = cv2.Rodrigues(rotation.double().numpy())
    return torch.from_numpy(vector[:, 0]).float()


def initial_translation(
    body: BodyModel, joints: Float[Tensor, "24 3"], observations: Observations
) -> Float[Tensor, " 3"]:
    """Return the world-to-camera translation, metres, that best lays the body's landmarks over the observed ones.

    The depth makes both equally large under weak perspective, for a level camera and the mean shape.

    Args:
        body: the body model.
        joints: joint rotations, axis-angle, radians.
        observations: of one frame.
    """
    with torch.no_grad():
        at_origin = FitParameters(joints, torch.zeros(10), torch.zeros(3), torch.zeros(()))
        points, _ = marks.body_landmarks(body, at_origin.pose)
    share = (observations.weight / observations.weight.sum())[:, None]
    flat = (points * Y_UP)[:, :2]
    middle, observed_middle = (share * flat).sum(0), (share * observations.target).sum(0)
    variance = (share * (flat - middle).square()).sum()
    observed_variance = (share * (observations.target - observed_middle).square()).sum()
    depth = observations.focal * (variance / observed_variance).sqrt()
    return torch.cat([(observed_middle - observations.centre) * depth / observations.focal - middle, depth[None]])
