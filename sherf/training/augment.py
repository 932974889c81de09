"""What a photo and its fit get wrong, and what else could have been: changes to a pair that training sees.

Mirroring and exposure change all pictures alike. Everything else befalls the observation alone: a body that lies a
little beside the person, a mask with a rim of background or without the person's own rim, something in the way, a
picture that ends too early.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import mirrored_rotations
from sherf.body.skeleton import HANDS
from sherf.datasets.multiview import View
from sherf.datasets.pairs import Pair
from sherf.scene import BodyPose, Camera
from sherf.training.texture_cache import Baked

FLIP = torch.tensor([-1.0, 1.0, 1.0])
MOST_RIM_PX = 2
LEAST_LEFT = 0.65
"""Of a picture that is cut off."""


@dataclass(frozen=True)
class AugmentOptions:
    """How often, and how much."""

    mirror: float = 0.5
    """Share of pairs in which left and right are swapped."""
    exposure: float = 0.06
    """Standard deviation of each channel's factor."""
    gamma: float = 0.1
    """Standard deviation of the logarithm of the exponent."""
    fit: float = 0.3
    """Share of observations whose body and mask are as a fit to a photo makes them."""
    joints: float = 0.02
    """Standard deviation of the joints' rotations, radians."""
    betas: float = 0.25
    depth: float = 0.012
    """Standard deviation of the distance, as a share of it."""
    aside_m: float = 0.006
    occluded: float = 0.1
    """Share of observations with something in the way."""
    cut: float = 0.1
    """Share of observations that end within the person."""


def augmented(
    pair: Pair, baked: Baked | None, body: BodyModel, options: AugmentOptions, rng: np.random.Generator
) -> tuple[Pair, Baked | None]:
    """A pair, and what is known of the observation's moment, as training sees them."""
    observed, target = pair.observation, pair.target
    if rng.random() < options.mirror:
        observed, target = mirrored(observed, body), mirrored(target, body)
        baked = None if baked is None else baked.mirrored()
    factor = torch.from_numpy(rng.normal(1, options.exposure, 3)).float()
    exponent = float(np.exp(rng.normal(0, options.gamma)))
    observed, target = (_exposed(view, factor, exponent) for view in (observed, target))
    if baked is not None:
        baked = replace(baked, colour=(baked.colour**exponent * factor).clamp(0, 1))
    if rng.random() < options.fit:
        observed = _misfit(_rimmed(observed, rng), body, options, rng)
    if rng.random() < options.occluded:
        observed = _occluded(observed, rng)
    if rng.random() < options.cut:
        observed = _cut(observed, rng)
    return Pair(observed, target), baked


def mirrored(view: View, body: BodyModel) -> View:
    """The view in a mirror: world x turned round, left and right limbs swapped."""
    subject = view.subject
    camera, pose, flip = subject.camera, subject.pose, FLIP.to(subject.image)
    both = flip[:, None] * flip
    K = camera.K.clone()
    K[0, 2] = camera.size[1] - K[0, 2]
    return replace(
        view,
        subject=replace(
            subject,
            image=subject.image.flip(-1),
            mask=subject.mask.flip(-1),
            camera=Camera(K, camera.R * both, camera.T * flip, camera.size),
            pose=BodyPose(
                pose.betas, mirrored_rotations(pose.joints), pose.R_world_body * both, pose.T_world_body * flip
            ),
        ),
        vertices=view.vertices[body.mirror] * flip,
        depth=None if view.depth is None else view.depth.flip(-1),
        unsure=None if view.unsure is None else view.unsure.flip(-1),
    )


def _exposed(view: View, factor: Tensor, exponent: float) -> View:
    """Colours as another exposure and white balance would show them."""
    image = view.subject.image.clamp(0, 1) ** exponent * factor.to(view.subject.image)[:, None, None]
    return replace(view, subject=replace(view.subject, image=image.clamp(0, 1)))


def _misfit(view: View, body: BodyModel, options: AugmentOptions, rng: np.random.Generator) -> View:
    """The body where a fit might have put it."""
    subject = view.subject
    camera, pose = subject.camera, subject.pose

    def noise(deviation: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(0, deviation, shape)).to(pose.joints)

    joints = pose.joints + noise(options.joints, *pose.joints.shape)
    joints[list(HANDS)] = joints[list(HANDS)] + noise(2 * options.joints, len(HANDS), 3)
    joints[0] = pose.joints[0] + noise(options.joints / 2, 3)
    away = (view.vertices.mean(dim=0) - camera.position) * noise(options.depth, 1)
    moved = BodyPose(
        pose.betas + noise(options.betas, 10),
        joints,
        pose.R_world_body,
        pose.T_world_body + away + noise(options.aside_m, 3),
    )
    return replace(view, subject=replace(subject, pose=moved), vertices=body.pose(moved).vertices)


def _rimmed(view: View, rng: np.random.Generator) -> View:
    """A mask too wide, with a background, or too narrow."""
    subject, width = view.subject, int(rng.integers(0, MOST_RIM_PX + 1))
    background = torch.from_numpy(rng.random(3)).to(subject.image)[:, None, None]
    image = subject.image * subject.mask + (1 - subject.mask) * background
    mask = subject.mask[None, None]
    grown = F.max_pool2d(mask, 2 * width + 1, 1, width)
    shrunk = -F.max_pool2d(-mask, 2 * width + 1, 1, width)
    # one side of the person may be cut well and the other badly
    share = torch.from_numpy(rng.random((1, 1, 3, 3))).to(mask)
    share = F.interpolate(share, size=mask.shape[2:], mode="bilinear", align_corners=True)
    return replace(view, subject=replace(subject, image=image, mask=(share * grown + (1 - share) * shrunk)[0, 0]))


def _occluded(view: View, rng: np.random.Generator) -> View:
    """An ellipse of the person is hidden."""
    mask = view.subject.mask
    height, width = mask.shape
    on = (mask > 0.5).nonzero()
    if len(on) == 0:
        return view
    middle = on[int(rng.integers(len(on)))].to(mask)
    radius = torch.from_numpy(rng.uniform(0.02, 0.12, 2)).to(mask) * height
    axes = (torch.arange(n, device=mask.device) for n in (height, width))
    y, x = torch.meshgrid(*axes, indexing="ij")
    offset = (torch.stack([y, x], dim=-1).to(mask) - middle) / radius
    return replace(view, subject=replace(view.subject, mask=mask * (offset.square().sum(dim=-1) > 1)))


def _cut(view: View, rng: np.random.Generator) -> View:
    """The picture ends at one side within the person."""
    subject = view.subject
    height, width = subject.mask.shape
    left = float(rng.uniform(LEAST_LEFT, 1.0))
    side = int(rng.choice(4, p=[0.5, 0.1, 0.2, 0.2]))
    top, bottom, first, last = 0, height, 0, width
    match side:
        case 0:
            bottom = round(height * left)
        case 1:
            top = round(height * (1 - left) / 2)
        case 2:
            first = round(width * (1 - left))
        case _:
            last = round(width * left)
    K = subject.camera.K.clone()
    K[:2, 2] -= torch.tensor([first, top]).to(K)
    camera = Camera(K, subject.camera.R, subject.camera.T, (bottom - top, last - first))
    image, mask = subject.image[:, top:bottom, first:last], subject.mask[top:bottom, first:last]
    depth = None if view.depth is None else view.depth[top:bottom, first:last]
    unsure = None if view.unsure is None else view.unsure[top:bottom, first:last]
    return replace(view, subject=replace(subject, image=image, mask=mask, camera=camera), depth=depth, unsure=unsure)
