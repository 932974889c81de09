"""Fit one body shape and a pose per frame to a person in a video: the photo's objective plus temporal smoothness."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.photo import landmarks as marks
from sherf.photo.adam import Adam
from sherf.photo.detect import PersonLandmarks
from sherf.photo.energy import FitParameters, Observations, body_energy, camera_rotation, collect_observations
from sherf.photo.fit import DEFAULT_FOCAL, initial_orientation, initial_translation
from sherf.photo.joint_limits import STANCE
from sherf.photo.single_thread import single_threaded
from sherf.progress import progress
from sherf.scene import BodyPose

STEPS = 240
ACCELERATION = 12.0  # m/s^2: typical of a landmark of a moving person
ANGULAR_ACCELERATION = 60.0  # rad/s^2: typical of a joint
SMOOTHNESS = (0.1, 5.0)
"""Weight of the smoothness terms at first and in the end: frames that are coupled strongly from the start converge
slowly."""
RAMP = (0.33, 0.8)
"""Shares of the steps between which that weight grows."""
RATES = {"joints": 0.04, "betas": 0.03, "translation": 0.02, "pitch": 0.01}


@dataclass(frozen=True)
class VideoFit:
    """A body that moves in front of a static camera."""

    pose: BodyPose
    """Pose in each frame. World space is y up; its origin is the body model's in the first frame."""
    seen: Float[Tensor, " frame"]
    """1 where the frame shows the person, 0 where the motion was interpolated."""


def fit_video(body: BodyModel, people: Sequence[PersonLandmarks | None], size: tuple[int, int], fps: float) -> VideoFit:
    """Fit one shape and a pose per frame; frames without the person get a smooth interpolation.

    Args:
        body: the body model to fit.
        people: the person's landmarks in each frame, None where the person was not found; at least one is needed.
        size: height and width of the frames, px.
        fps: frames a second.

    Returns:
        The fit from the first to the last frame that shows the person.
    """
    present = [i for i, person in enumerate(people) if person is not None]
    people = people[present[0] : present[-1] + 1]
    focal = DEFAULT_FOCAL * max(size)
    single = {i: collect_observations(body, p, size, focal) for i, p in enumerate(people) if p is not None}
    observations, seen = _stack_observations(single, len(people))
    parameters = _initial_parameters(body, people, single)
    optimiser = Adam([(getattr(parameters, name), rate) for name, rate in RATES.items()])
    with single_threaded():
        for step in progress(range(STEPS), "fitting the motion"):
            energy = _energy(body, parameters, observations, fps, step / STEPS)
            optimiser.step(energy, 0.02 + 0.98 * (1 + math.cos(math.pi * step / STEPS)) / 2)
    R = camera_rotation(parameters.pitch.detach())
    pose = parameters.pose
    trajectory = (parameters.translation - parameters.translation[:1]).detach() @ R
    return VideoFit(BodyPose(pose.betas.detach(), pose.joints.detach(), pose.R_world_body, trajectory), seen)


def _stack_observations(single: dict[int, Observations], count: int) -> tuple[Observations, Float[Tensor, " frame"]]:
    """Stack the frames' observations, with zero weights in frames without the person, and return which show it."""
    frames = [single[i] for i in _source_frames(single, count)]
    seen = torch.tensor([float(i in single) for i in range(count)])

    def stack(name: str) -> Tensor:
        return torch.stack([getattr(frame, name) for frame in frames])

    def stack_weights(name: str) -> Tensor:
        values = stack(name)
        return values * seen.reshape(-1, *[1] * (values.ndim - 1))

    return (
        Observations(
            target=stack("target"),
            weight=stack_weights("weight"),
            is_placed=frames[0].is_placed,
            directions=stack("directions"),
            direction_weight=stack_weights("direction_weight"),
            focal=frames[0].focal,
            centre=frames[0].centre,
            height=stack("height"),
            balance=stack_weights("balance"),
        ),
        seen,
    )


def _source_frames(single: dict[int, Observations], count: int) -> list[int]:
    """Return for each frame the last one up to it that shows the person."""
    present = np.array(list(single))
    return [int(present[present <= i].max()) for i in range(count)]


def _initial_parameters(
    body: BodyModel, people: Sequence[PersonLandmarks | None], single: dict[int, Observations]
) -> FitParameters:
    """Return the natural stance, oriented as the landmarks in each frame; translations are interpolated in gaps."""
    joints = STANCE.repeat(len(people), 1, 1)
    for i, source in enumerate(_source_frames(single, len(people))):
        person = people[source]
        assert person is not None
        joints[i, 0] = initial_orientation(person.world)
    joints[:, 0] = _unwrap_rotations(joints[:, 0])
    known = torch.stack([initial_translation(body, joints[i], single[i]) for i in single])
    frames = np.arange(len(people))
    translation = np.stack([np.interp(frames, np.array(list(single)), axis) for axis in known.T.numpy()], axis=1)
    return FitParameters(joints, torch.zeros(10), torch.from_numpy(translation).float(), torch.zeros(()))


def _energy(
    body: BodyModel, parameters: FitParameters, observations: Observations, fps: float, progress_share: float
) -> Float[Tensor, ""]:
    """Return the frames' mean energy plus smoothness; `progress_share` in [0, 1] is how much of the fit is done."""
    points, _ = marks.body_landmarks(body, parameters.pose)
    total = body_energy(parameters, points, observations, int(progress_share > RAMP[0])).mean()
    smooth = float(np.exp(np.interp(progress_share, RAMP, np.log(SMOOTHNESS))))
    in_camera = points @ camera_rotation(parameters.pitch).T + parameters.translation[:, None]
    linear = _acceleration(in_camera, fps) / ACCELERATION
    angular = _acceleration(axis_angle_to_matrix(parameters.joints), fps) / ANGULAR_ACCELERATION
    return total + smooth * (linear.square().sum(dim=-1).sum() / 23 + angular.square().sum() / 24) / len(points)


def _acceleration(x: Float[Tensor, "frame *axis"], fps: float) -> Float[Tensor, "inner_frame *axis"]:
    """Return the second difference in time, per second squared."""
    return (x[2:] - 2 * x[1:-1] + x[:-2]) * fps**2


def _unwrap_rotations(rotations: Float[Tensor, "frame 3"]) -> Float[Tensor, "frame 3"]:
    """Return the same rotations, each as the axis-angle vector nearest to the one before."""
    out = [rotations[0]]
    for rotation in rotations[1:]:
        angle = rotation.norm().clamp_min(1e-6)
        others = [rotation, rotation * (1 - 2 * math.pi / angle), rotation * (1 + 2 * math.pi / angle)]
        out.append(min(others, key=lambda other: float((other - out[-1]).norm())))
    return torch.stack(out)
