"""A little training on one photo: the maps of its avatar learn to show what the photo shows, sharper than one pass did.

Network, body, camera and shape stay as they are. Only texels that the photo's own rays reach are moved, so that sides
that it does not show keep what the network made of them.
"""

import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from sherf.avatar.avatar_file import Avatar
from sherf.avatar.renderer import make_renderer
from sherf.benchmark.metrics import psnr_of
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import rays as camera_rays
from sherf.datasets.multiview import View
from sherf.models.paper.bank import FeatureBank
from sherf.models.surface.field import SurfaceField, SurfaceTables
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.render.deferred import shade
from sherf.training.losses import Perception
from sherf.training.objective import weighted_losses
from sherf.training.options import LossWeights
from sherf.training.ray_choice import choose_rays

PATCH, SINGLE = 64, 512
STEP_M = 0.01
LEARNING_RATE = 0.01
LOSSES = LossWeights(colour=5.0, mask=0.0, ssim=0.1, lpips=0.2)
SURE = 0.95
"""Share of the person in a pixel from which on its colour is learned."""
CLOSE = 0.05
"""Weight of staying near to what the network said."""
SAY_SECONDS = 10.0


def personalised(
    avatar: Avatar, body: BodyModel, backend: Backend, seconds: float, most_steps: int = 100_000, seed: int = 0
) -> Avatar:
    """The avatar after so many seconds, or steps, of learning its own photo; as it was, if that shows the photo better.

    Args:
        avatar: of a network whose points hang on the body's surface, with planes.
    """
    bank, network = avatar.bank, avatar.network
    assert isinstance(bank, FeatureBank) and network is not None and bank.planes is not None
    bank, body, network = bank.to(backend.device), body.to(backend.device), network.to(backend.device).eval()
    with torch.no_grad():
        before = network.surface_tables(bank, body)
        posed = replace(body.pose(bank.subject.pose), vertices=bank.vertices)
        grid = SurfaceField(before, body, posed, backend).grid()
    view = View(bank.subject, bank.vertices)
    rays = camera_rays(bank.subject.camera)
    planes = nn.Parameter(bank.planes.clone())
    optimiser = torch.optim.Adam([planes], lr=LEARNING_RATE)
    perception, rng = Perception(), np.random.default_rng(seed)
    began = said = time.monotonic()
    steps = 0
    while (done := max((time.monotonic() - began) / seconds, steps / most_steps)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - done)
        chosen = choose_rays(view, rays, PATCH, SINGLE, rng)
        field = SurfaceField(
            _taught(network.surface_tables(replace(bank, planes=planes), body), before), body, posed, backend
        )
        shaded = shade(field, chosen.rays, backend.sample(chosen.rays, grid, STEP_M), backend)
        # at the outline it is the surface that is wrong, not the colour
        sure, seen = chosen.mask > SURE, shaded.colours
        shown = replace(seen, rgb=torch.where(sure[:, None], seen.rgb, chosen.colour))
        losses = weighted_losses(chosen, replace(shaded, colours=shown), LOSSES, perception)
        losses["close"] = CLOSE * (planes - bank.planes).square().mean()
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        steps += 1
        if time.monotonic() - said > SAY_SECONDS:
            said = time.monotonic()
            print_status(f"learning the photo: {said - began:.0f} of {seconds:.0f} s")
    learned = replace(avatar, bank=replace(bank, planes=planes.detach()))
    psnr = [own_view_psnr(one, body, backend) for one in (avatar, learned)]
    kept = learned if psnr[1] > psnr[0] else avatar
    about = {
        "seconds": round(seconds, 1), "steps": steps,
        "psnr_before_after": [round(x, 2) for x in psnr], "kept": kept is learned,
    }  # fmt: skip
    return replace(kept, report={**avatar.report, "personalised": about})


def own_view_psnr(avatar: Avatar, body: BodyModel, backend: Backend) -> float:
    """How near the avatar is to its photo, where that shows the person for sure, dB."""
    assert isinstance(avatar.bank, FeatureBank)
    subject = avatar.bank.subject
    frame = make_renderer(avatar, body, backend).frame(subject.camera, subject.pose, avatar.bank.vertices)
    sure = subject.mask > SURE
    return psnr_of(*(x[:, sure].cpu().numpy() for x in (frame.rgb, subject.image * subject.mask)))


def _taught(tables: SurfaceTables, before: SurfaceTables) -> SurfaceTables:
    """The surface stays where it was, and with it what hides what."""
    tables.offset_rows = before.offset_rows
    tables.__dict__["base"], tables.__dict__["observed"] = before.base, before.observed
    return tables
