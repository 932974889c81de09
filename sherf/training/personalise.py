"""Tuning an avatar to its photo: its UV feature maps are optimised until they show what the photo shows.

Network, body, camera and shape stay as they are. Only texels that the photo's own rays reach change, so that the sides
that the photo does not show keep what the network made of them.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.benchmark.metrics import compute_psnr
from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import View
from sherf.models.protocol import SamplingOptions, TrainableField, TrainingReader, TunableBank, TunableField
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.scene import Subject
from sherf.training.losses import PerceptualLoss
from sherf.training.objective import weighted_losses
from sherf.training.options import LossWeights
from sherf.training.ray_choice import choose_rays

PATCH, SINGLE = 64, 512
"""Side of the patch of rays of each step, pixels, and the number of single rays beside it."""
SAMPLING = SamplingOptions(step_m=0.01, density_noise=0.0)
LEARNING_RATE = 0.01
LOSSES = LossWeights(colour=5.0, mask=0.0, ssim=0.1, lpips=0.2)
FOREGROUND_MASK = 0.95
"""Colours are learned where the mask is above this: at the outline the surface is wrong, not the colour."""
CLOSENESS = 0.05
"""Weight of staying close to the maps that the network made."""
STATUS_SECONDS = 10.0


@dataclass(frozen=True)
class PersonalisingEncoder:
    """An `AvatarEncoder` that tunes each avatar to its photo."""

    encoder: ModelEncoder
    seconds: float
    """How long each avatar is tuned."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.encoder.name

    @property
    def body_model(self) -> str | None:
        """Name of the only body model that the weights know."""
        return self.encoder.body_model

    @property
    def backend(self) -> Backend:
        """Where it computes."""
        return self.encoder.backend

    @property
    def identity(self) -> str:
        """The model's identity, and how long avatars are tuned."""
        return f"{self.encoder.identity} personalised {self.seconds:g} s"

    def encode(
        self,
        subject: Subject,
        body: BodyModel,
        report: dict[str, Any],
        vertices: Float[Tensor, "vertex 3"] | None = None,
    ) -> EncodedAvatar:
        """Encode an observation and tune the avatar to it: `AvatarEncoder.encode`."""
        avatar = self.encoder.encode(subject, body, report, vertices)
        return personalise(avatar, body, self.encoder.backend, self.seconds)


def personalise(
    avatar: EncodedAvatar, body: BodyModel, backend: Backend, seconds: float, most_steps: int = 100_000, seed: int = 0
) -> EncodedAvatar:
    """Tune an avatar's maps to its photo; return it unchanged if that does not show the photo better.

    Args:
        avatar: of a network with UV feature maps (`Network.is_tunable`).
        body: the body model that it was made with.
        backend: where to compute.
        seconds: how long.
        most_steps: stop after this many steps even if there is time left.
        seed: of the choice of rays.

    Returns:
        The avatar whose own view is nearer to the photo; its report says which, and by how much (`personalised`).
    """
    bank, body = avatar.bank.to(backend.device), body.to(backend.device)
    assert isinstance(bank, TunableBank) and bank.maps is not None
    model = avatar.model.for_inference(backend.device)
    posed = replace(body.pose(bank.subject.pose), vertices=bank.vertices)
    with torch.no_grad():
        reader = model.reader(bank, body, backend)
    assert isinstance(reader, TrainingReader)
    view, maps = View(bank.subject, bank.vertices), nn.Parameter(bank.maps.clone())
    optimiser = torch.optim.Adam([maps], lr=LEARNING_RATE)
    perception, rng = PerceptualLoss(), np.random.default_rng(seed)
    start = last_status = time.monotonic()
    field, steps = reader.training_field(posed, SAMPLING, rng), 0
    assert isinstance(field, TunableField)
    while (done := max((time.monotonic() - start) / seconds, steps / most_steps)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - done)
        losses = _losses(field.with_maps(maps), view, perception, rng)
        losses["close"] = CLOSENESS * (maps - bank.maps).square().mean()
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        steps += 1
        if time.monotonic() - last_status > STATUS_SECONDS:
            last_status = time.monotonic()
            print_status(f"tuning to the photo: {last_status - start:.0f} of {seconds:.0f} s")
    tuned = replace(avatar, bank=bank.with_maps(maps.detach()).to("cpu"))
    return _better(avatar, tuned, body, backend, {"seconds": round(seconds, 1), "steps": steps})


def own_view_psnr(avatar: EncodedAvatar, body: BodyModel, backend: Backend) -> float:
    """Return the PSNR between the network's own view and the photo, where that surely shows the person, dB.

    What the photo itself contributes to frames (`trust.py`) is left out: it hides what the network makes of the photo.
    """
    bank, body = avatar.bank.to(backend.device), body.to(backend.device)
    assert isinstance(bank, TunableBank)
    posed = replace(body.pose(bank.subject.pose), vertices=bank.vertices)
    with torch.no_grad():
        reader = avatar.model.for_inference(backend.device).reader(bank, body, backend)
        assert isinstance(reader, TrainingReader)
        field = reader.training_field(posed, SAMPLING, np.random.default_rng(0))
        frame = field.render(bank.subject.camera).to("cpu")
    subject = avatar.bank.subject
    sure = subject.mask > FOREGROUND_MASK
    return compute_psnr(*(x[:, sure].numpy() for x in (frame.rgb, subject.image * subject.mask)))


def _losses(
    field: TrainableField, view: View, perception: PerceptualLoss, rng: np.random.Generator
) -> dict[str, Float[Tensor, ""]]:
    """Return the weighted losses of one step by name."""
    chosen = choose_rays(view, field.rays(view.subject.camera), PATCH, SINGLE, rng)
    shaded = field.shade(chosen.rays)
    sure, rendered = chosen.mask > FOREGROUND_MASK, shaded.colours
    colours = replace(rendered, rgb=torch.where(sure[:, None], rendered.rgb, chosen.colour))
    return weighted_losses(chosen, replace(shaded, colours=colours), LOSSES, perception)


def _better(
    avatar: EncodedAvatar, tuned: EncodedAvatar, body: BodyModel, backend: Backend, record: dict[str, float]
) -> EncodedAvatar:
    """Return the avatar that shows the photo better, with a record of the choice in its report."""
    psnr = [own_view_psnr(one, body, backend) for one in (avatar, tuned)]
    kept = tuned if psnr[1] > psnr[0] else avatar
    about = record | {"psnr_before_after": [round(x, 2) for x in psnr], "kept": kept is tuned}
    return replace(kept, report={**avatar.report, "personalised": about})
