"""Data augmentation of training pairs.

Mirroring and exposure change both views alike. The rest changes the observation alone, as photos and fits do: a body
slightly off the person, a mask too wide or too narrow, an occluder, a cropped image.
"""

from dataclasses import replace

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
from sherf.training.options import AugmentOptions
from sherf.training.texture_cache import TexelTargets

FLIP = torch.tensor([-1.0, 1.0, 1.0])
MAX_RIM_PX = 2
"""Largest dilation or erosion of a mask."""
MIN_KEPT = 0.65
"""Smallest share of an image's height or width that cropping leaves."""


def augment(
    pair: Pair, targets: TexelTargets | None, body: BodyModel, options: AugmentOptions, rng: np.random.Generator
) -> tuple[Pair, TexelTargets | None]:
    """Return a training pair, and the texel targets of the observation's pose, with random changes.

    Args:
        pair: world space, both views with the same light.
        targets: of the observation's pose; None if they are not used.
        body: the body model of the pair.
        options: probabilities and amounts.
        rng: the source of all random numbers.

    Returns:
        The changed pair and targets; the arguments stay as they are.
    """
    observed, target = pair.observation, pair.target
    if rng.random() < options.mirror:
        observed, target = mirror_view(observed, body), mirror_view(target, body)
        targets = None if targets is None else targets.mirrored()
    factor = torch.from_numpy(rng.normal(1, options.exposure, 3)).float()
    exponent = float(np.exp(rng.normal(0, options.gamma)))
    observed, target = (_change_exposure(view, factor, exponent) for view in (observed, target))
    if targets is not None:
        targets = replace(targets, colour=(targets.colour**exponent * factor.to(targets.colour)).clamp(0, 1))
    if rng.random() < options.fit:
        observed = _disturb_fit(_disturb_mask(observed, rng), body, options, rng)
    if rng.random() < options.occluded:
        observed = _occlude(observed, rng)
    if rng.random() < options.cut:
        observed = _crop(observed, rng)
    return Pair(observed, target), targets


def mirror_view(view: View, body: BodyModel) -> View:
    """Return the mirror image of a view: world x negated, left and right limbs swapped."""
    subject = view.subject
    camera, pose, flip = subject.camera, subject.pose, FLIP.to(subject.image)
    flip_both = flip[:, None] * flip
    K = camera.K.clone()
    K[0, 2] = camera.size[1] - K[0, 2]
    return replace(
        view,
        subject=replace(
            subject,
            image=subject.image.flip(-1),
            mask=subject.mask.flip(-1),
            camera=Camera(K, camera.R * flip_both, camera.T * flip, camera.size),
            pose=BodyPose(
                pose.betas, mirrored_rotations(pose.joints), pose.R_world_body * flip_both, pose.T_world_body * flip
            ),
        ),
        vertices=view.vertices[body.mirror] * flip,
        depth=None if view.depth is None else view.depth.flip(-1),
        uncertain=None if view.uncertain is None else view.uncertain.flip(-1),
    )


def _change_exposure(view: View, factor: Tensor, exponent: float) -> View:
    """Return the view with another exposure and white balance."""
    image = view.subject.image.clamp(0, 1) ** exponent * factor.to(view.subject.image)[:, None, None]
    return replace(view, subject=replace(view.subject, image=image.clamp(0, 1)))


def _disturb_fit(view: View, body: BodyModel, options: AugmentOptions, rng: np.random.Generator) -> View:
    """Return the view with the body slightly off, as a fit would have it."""
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


def _disturb_mask(view: View, rng: np.random.Generator) -> View:
    """Return the view with a mask too wide, over a plain background, or too narrow."""
    subject, width = view.subject, int(rng.integers(0, MAX_RIM_PX + 1))
    background = torch.from_numpy(rng.random(3)).to(subject.image)[:, None, None]
    image = subject.image * subject.mask + (1 - subject.mask) * background
    mask = subject.mask[None, None]
    grown = F.max_pool2d(mask, 2 * width + 1, 1, width)
    shrunk = -F.max_pool2d(-mask, 2 * width + 1, 1, width)
    # The error varies over the image: one side may be segmented well and the other badly.
    share = torch.from_numpy(rng.random((1, 1, 3, 3))).to(mask)
    share = F.interpolate(share, size=mask.shape[2:], mode="bilinear", align_corners=True)
    return replace(view, subject=replace(subject, image=image, mask=(share * grown + (1 - share) * shrunk)[0, 0]))


def _occlude(view: View, rng: np.random.Generator) -> View:
    """Return the view with an ellipse of the person masked out."""
    mask = view.subject.mask
    height, width = mask.shape
    foreground = (mask > 0.5).nonzero()
    if len(foreground) == 0:
        return view
    centre = foreground[int(rng.integers(len(foreground)))].to(mask)
    radius = torch.from_numpy(rng.uniform(0.02, 0.12, 2)).to(mask) * height
    axes = (torch.arange(n, device=mask.device) for n in (height, width))
    y, x = torch.meshgrid(*axes, indexing="ij")
    offset = (torch.stack([y, x], dim=-1).to(mask) - centre) / radius
    return replace(view, subject=replace(view.subject, mask=mask * (offset.square().sum(dim=-1) > 1)))


def _crop(view: View, rng: np.random.Generator) -> View:
    """Return the view cropped at one side."""
    subject = view.subject
    height, width = subject.mask.shape
    kept = float(rng.uniform(MIN_KEPT, 1.0))
    side = int(rng.choice(4, p=[0.5, 0.1, 0.2, 0.2]))
    top, bottom, first, last = 0, height, 0, width
    match side:
        case 0:
            bottom = round(height * kept)
        case 1:
            top = round(height * (1 - kept) / 2)
        case 2:
            first = round(width * (1 - kept))
        case _:
            last = round(width * kept)
    K = subject.camera.K.clone()
    K[:2, 2] -= torch.tensor([first, top]).to(K)
    camera = Camera(K, subject.camera.R, subject.camera.T, (bottom - top, last - first))
    image, mask = subject.image[:, top:bottom, first:last], subject.mask[top:bottom, first:last]
    depth = None if view.depth is None else view.depth[top:bottom, first:last]
    uncertain = None if view.uncertain is None else view.uncertain[top:bottom, first:last]
    return replace(
        view, subject=replace(subject, image=image, mask=mask, camera=camera), depth=depth, uncertain=uncertain
    )
