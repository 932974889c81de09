"""The body in the photo: shape, pose and camera by optimisation of landmarks, silhouette and a pose prior."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.skeleton import joint_index
from sherf.camera.pinhole import intrinsics
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.energy import (
    Y_UP,
    Evidence,
    Unknowns,
    body_energy,
    camera_pitch,
    camera_rotation,
    gather,
    on_picture,
)
from sherf.photo.joint_limits import STANCE, thickness
from sherf.photo.outline import Outline, outline_energy, outline_of
from sherf.scene import BodyPose, Camera

DEFAULT_FOCAL = 1.2  # of the longer image side: a 43 mm lens, between phones and portraits
SURFACE_STRIDE = 4  # every fourth vertex is compared with the outline


@dataclass(frozen=True)
class FitOptions:
    landmark_steps: int = 180
    """Optimiser steps on landmarks alone; half as many where there is a fit to begin with."""
    silhouette_steps: int = 90
    """Further steps with the outline of the mask."""


@dataclass(frozen=True)
class BodyFit:
    """A body and the camera that sees it; the world's origin is the body model's, y is up."""

    pose: BodyPose
    camera: Camera


@dataclass(frozen=True)
class Known:
    """What a fit begins with and holds."""

    start: BodyFit | None = None
    placed: tuple[str, ...] = ()
    """Landmarks (by name) that are certainly where they are said to be."""
    turned: Mapping[str, tuple[float, float, float]] | None = None
    """Joints (by name) whose rotation is known, axis-angle to the parent, radians."""


def fit_body(
    body: BodyModel,
    person: Person,
    size: tuple[int, int],
    focal: float | None,
    options: FitOptions = FitOptions(),
    known: Known = Known(),
) -> BodyFit:
    """Fit a body to one detected person, in the manner of SMPLify (Bogo et al. 2016).

    First landmark reprojection, bone directions from the metric landmarks, a pose prior and balance over the
    feet (which also tells how far the camera looks down); then the outline of the mask as well, which settles
    shape and distance.

    Args:
        size: height and width of the photo, px.
        focal: of the camera, px; a usual lens where it is not known.
        known: from the user.
    """
    if known.start is not None:
        focal = float(known.start.camera.K[0, 0])
    evidence = gather(body, person, size, focal or DEFAULT_FOCAL * max(size), known.placed)
    outline = outline_of(person.mask, person.box, float(evidence.height))
    unknowns = _begin(body, person, evidence, known.start)
    rates = {"joints": 0.04, "betas": 0.05, "translation": 0.02 * float(unknowns.translation[2]), "pitch": 0.01}
    optimiser = torch.optim.Adam(
        [{"params": [getattr(unknowns, name).requires_grad_()], "lr": rate} for name, rate in rates.items()]
    )
    held, turns = _held(known)
    dressed = _dressed(body)
    with one_thread():
        first = 0 if known.start is None else options.landmark_steps // 2
        for step in range(first, options.landmark_steps + options.silhouette_steps):
            with torch.no_grad():
                unknowns.joints[held] = turns
            for group, rate in zip(optimiser.param_groups, rates.values(), strict=True):
                group["lr"] = rate * _rate(step, options)
            optimiser.zero_grad()
            _energy(body, unknowns, evidence, outline, dressed, step, options).backward()
            optimiser.step()
    with torch.no_grad():
        unknowns.joints[held] = turns
    pose = unknowns.pose
    return BodyFit(
        BodyPose(pose.betas.detach(), pose.joints.detach(), pose.R_world_body, pose.T_world_body),
        Camera(
            K=intrinsics(evidence.focal, size),
            R=camera_rotation(unknowns.pitch.detach()),
            T=unknowns.translation.detach().clone(),
            size=size,
        ),
    )


def _begin(body: BodyModel, person: Person, evidence: Evidence, start: BodyFit | None) -> Unknowns:
    if start is not None:
        camera, pose = start.camera, start.pose
        return Unknowns(pose.joints.clone(), pose.betas.clone(), camera.T.clone(), camera_pitch(camera.R))
    joints = STANCE.clone()
    joints[0] = initial_orientation(person.world)
    return Unknowns(joints, torch.zeros(10), initial_translation(body, joints, evidence), torch.zeros(()))


def _held(known: Known) -> tuple[list[int], Float[Tensor, "held 3"]]:
    turned = known.turned or {}
    return [joint_index(name) for name in turned], torch.tensor(list(turned.values())).reshape(-1, 3)


def _dressed(body: BodyModel) -> marks.Surface:
    """What is compared with the outline: some of the body's vertices, as far out as clothes usually are."""
    some = torch.arange(0, len(body.v_template), SURFACE_STRIDE)
    normals = vertex_normals(body.v_template, body.faces)
    return marks.Surface(some, (thickness(body.weights)[:, None] * normals)[some])


def _energy(
    body: BodyModel,
    unknowns: Unknowns,
    evidence: Evidence,
    outline: Outline,
    dressed: marks.Surface,
    step: int,
    options: FitOptions,
) -> Tensor:
    """What the optimiser makes small; lengths are in heights of the person."""
    with_outline = step >= options.landmark_steps
    phase = 2 if with_outline else int(step >= options.landmark_steps // 2)
    points, vertices = marks.on_body(body, unknowns.pose, dressed if with_outline else None)
    total = body_energy(unknowns, points, evidence, phase)
    if with_outline:
        pixels = on_picture(vertices, camera_rotation(unknowns.pitch), unknowns, evidence)
        total = total + outline_energy(pixels, outline)
    return total


@contextmanager
def one_thread() -> Iterator[None]:
    """The tensors of a fit are small: a second thread gains nothing, and on a busy machine it costs tenfold."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _rate(step: int, options: FitOptions) -> float:
    """Cosine decay over each of the two stages; the second starts lower."""
    if step < options.landmark_steps:
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / options.landmark_steps))
    through = (step - options.landmark_steps) / max(options.silhouette_steps, 1)
    return 0.02 + 0.38 * 0.5 * (1 + math.cos(math.pi * through))


def initial_orientation(world: Float[Tensor, "33 3"]) -> Float[Tensor, " 3"]:
    """Return the trunk's axis-angle in a y-up world, from BlazePose's metric landmarks (camera axes)."""
    points = world * Y_UP
    up = F.normalize((points[11] + points[12]) - (points[23] + points[24]), dim=0, eps=1e-6)
    left = (points[11] - points[12]) + (points[23] - points[24])
    left = F.normalize(left - (left @ up) * up, dim=0, eps=1e-6)
    rotation = torch.stack([left, up, torch.linalg.cross(left, up)], dim=1)
    vector, _ = cv2.Rodrigues(rotation.double().numpy())
    return torch.from_numpy(vector[:, 0]).float()


def initial_translation(body: BodyModel, joints: Float[Tensor, "24 3"], evidence: Evidence) -> Float[Tensor, " 3"]:
    """Place the camera so that the body's landmarks are as large as the observed ones and lie on them."""
    with torch.no_grad():
        at_origin = Unknowns(joints, torch.zeros(10), torch.zeros(3), torch.zeros(()))
        points, _ = marks.on_body(body, at_origin.pose)
    share = (evidence.weight / evidence.weight.sum())[:, None]
    flat = (points * Y_UP)[:, :2]
    middle, observed_middle = (share * flat).sum(0), (share * evidence.target).sum(0)
    spread = (share * (flat - middle).square()).sum()
    observed_spread = (share * (evidence.target - observed_middle).square()).sum()
    depth = evidence.focal * (spread / observed_spread).sqrt()
    return torch.cat([(observed_middle - evidence.centre) * depth / evidence.focal - middle, depth[None]])
