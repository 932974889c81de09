"""The body in a video: the photo's fit over all pictures at once, held together by smoothness."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import axis_angle_to_matrix
from sherf.photo import landmarks as marks
from sherf.photo.detect import Sighting
from sherf.photo.energy import Evidence, Unknowns, body_energy, camera_rotation, gather
from sherf.photo.fit import DEFAULT_FOCAL, initial_orientation, initial_translation, one_thread
from sherf.photo.joint_limits import STANCE
from sherf.progress import progress
from sherf.scene import BodyPose

STEPS = 240
ACCELERATION = 12.0  # m/s^2: what a landmark of a moving person does
TURNING = 60.0  # rad/s^2: likewise a joint
SMOOTH = (0.1, 5.0)
"""Weight of both beside the photo's terms, at first and in the end: pictures that hold each other do not get far."""
RISES = (0.33, 0.8)
"""The shares of the steps between which it grows."""
RATES = {"joints": 0.04, "betas": 0.03, "translation": 0.02, "pitch": 0.01}


@dataclass(frozen=True)
class VideoFit:
    """A body that moves before a camera that stands still."""

    pose: BodyPose
    """Of each picture; the world is y up, its origin where the body model's was in the first picture."""
    seen: Float[Tensor, " frame"]
    """1 where the picture shows the person, 0 where the motion was bridged."""


def fit_video(body: BodyModel, sightings: Sequence[Sighting | None], size: tuple[int, int], fps: float) -> VideoFit:
    """Fit one shape and a pose for each picture; pictures without the person take what lies smoothly between.

    Args:
        sightings: at least one is not None; none before the first or after the last that is not is used.
        size: height and width of the pictures, px.
    """
    there = [i for i, sighting in enumerate(sightings) if sighting is not None]
    shown = sightings[there[0] : there[-1] + 1]
    focal = DEFAULT_FOCAL * max(size)
    evidence, unknowns, seen = _prepared(body, shown, size, focal)
    optimiser = torch.optim.Adam(
        [{"params": [getattr(unknowns, name).requires_grad_()], "lr": rate} for name, rate in RATES.items()]
    )
    with one_thread():
        for step in progress(range(STEPS), "fitting the motion"):
            for group, rate in zip(optimiser.param_groups, RATES.values(), strict=True):
                group["lr"] = rate * (0.02 + 0.98 * (1 + math.cos(math.pi * step / STEPS)) / 2)
            optimiser.zero_grad()
            _energy(body, unknowns, evidence, fps, step / STEPS).backward()
            optimiser.step()
    R = camera_rotation(unknowns.pitch.detach())
    pose = unknowns.pose
    way = (unknowns.translation - unknowns.translation[:1]).detach() @ R
    return VideoFit(BodyPose(pose.betas.detach(), pose.joints.detach(), pose.R_world_body, way), seen)


def _prepared(
    body: BodyModel, sightings: Sequence[Sighting | None], size: tuple[int, int], focal: float
) -> tuple[Evidence, Unknowns, Float[Tensor, " frame"]]:
    """What is known of each picture, and where to begin."""
    single = {i: gather(body, sighting, size, focal) for i, sighting in enumerate(sightings) if sighting is not None}
    there = np.array(list(single))
    # a picture without the person borrows the numbers of the one before, without believing them
    source = [int(there[there <= i].max()) for i in range(len(sightings))]
    seen = torch.tensor([float(i in single) for i in range(len(sightings))])
    frames = [single[i] for i in source]
    stacked = {
        name: torch.stack([getattr(frame, name) for frame in frames])
        for name in ("target", "weight", "directions", "direction_weight", "height", "balance")
    }
    for name in ("weight", "direction_weight", "balance"):
        stacked[name] = stacked[name] * seen.reshape(-1, *[1] * (stacked[name].ndim - 1))
    evidence = replace(frames[0], **stacked)
    joints = STANCE.repeat(len(frames), 1, 1)
    for i, j in enumerate(source):
        sighting = sightings[j]
        assert sighting is not None
        joints[i, 0] = initial_orientation(sighting.world)
    joints[:, 0] = _unwound(joints[:, 0])
    places = torch.stack([initial_translation(body, joints[i], single[i]) for i in single])
    moments = np.arange(len(frames))
    translation = np.stack([np.interp(moments, there, axis) for axis in places.T.numpy()], axis=1)
    return evidence, Unknowns(joints, torch.zeros(10), torch.from_numpy(translation).float(), torch.zeros(())), seen


def _energy(body: BodyModel, unknowns: Unknowns, evidence: Evidence, fps: float, done: float) -> Tensor:
    points, _ = marks.on_body(body, unknowns.pose)
    total = body_energy(unknowns, points, evidence, int(done > RISES[0])).mean()
    smooth = float(np.exp(np.interp(done, RISES, np.log(SMOOTH))))
    in_camera = points @ camera_rotation(unknowns.pitch).T + unknowns.translation[:, None]
    moved = _acceleration(in_camera, fps) / ACCELERATION
    turned = _acceleration(axis_angle_to_matrix(unknowns.joints), fps) / TURNING
    return total + smooth * (moved.square().sum(dim=-1).sum() / 23 + turned.square().sum() / 24) / len(points)


def _acceleration(x: Float[Tensor, "frame *axis"], fps: float) -> Tensor:
    """Second difference in time, per second squared."""
    return (x[2:] - 2 * x[1:-1] + x[:-2]) * fps**2


def _unwound(turns: Float[Tensor, "frame 3"]) -> Float[Tensor, "frame 3"]:
    """The same rotations, each written as near to the one before as it can be."""
    out = [turns[0]]
    for turn in turns[1:]:
        angle = turn.norm().clamp_min(1e-6)
        others = [turn, turn * (1 - 2 * math.pi / angle), turn * (1 + 2 * math.pi / angle)]
        out.append(min(others, key=lambda other: float((other - out[-1]).norm())))
    return torch.stack(out)
