"""The objective of training: people in other views and poses, rendered from one photo."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import View
from sherf.models.network import Network
from sherf.models.protocol import SamplingOptions, TexelMaps, TrainableField, TrainingReader
from sherf.render.backend import Backend
from sherf.render.deferred import UNREACHED_M, Shaded
from sherf.training.augment import augment
from sherf.training.losses import PerceptualLoss, structural_similarity
from sherf.training.options import LossWeights, TrainingOptions
from sherf.training.ray_choice import ChosenRays, choose_rays
from sherf.training.texture_cache import HEIGHTS_M, TexelTargets
from sherf.training.training_pairs import TrainingPair

CLEAR_M, SOLID_M = 0.002, 0.015
"""Points closer to the known surface than the first are not supervised; up to the second behind it, they are solid."""
LOGIT_M = 0.008
"""Depth below the surface that counts as one unit of a logit."""
TALL_M = 0.02
"""Height above the body at which occupancy counts twice: skirts, hats and hair cover few of the texels."""
MAX_WEIGHT = 2.0
"""Largest weight of a texel, however many views show it."""
FOREGROUND_MASK = 0.9
"""Pixels whose mask is above this have the person's depth."""


class Objective(nn.Module):
    """A network with its losses: the module that data-parallel training wraps."""

    def __init__(self, model: Network, body: BodyModel, backend: Backend, options: TrainingOptions, half: bool = False):
        """Prepare the losses.

        Args:
            model: what is trained.
            body: the body model of the data set.
            backend: where to compute.
            options: losses and sampling.
            half: compute the network's convolutions and linear layers in bfloat16.
        """
        super().__init__()
        self.model, self.options = model, options
        self.body, self.backend = body, backend
        self.perception = PerceptualLoss(options.rescale_lpips)
        if half:
            # Layers alone: bodies, cameras and rays in half precision would be millimetres off.
            for module in [*model.half_precision_parts(), self.perception]:
                module.forward = torch.autocast(backend.device.type, torch.bfloat16)(module.forward)

    def forward(self, batch: list[TrainingPair], maps_alone: bool) -> dict[str, Float[Tensor, ""]]:
        """Return the weighted losses by name, means over the batch; their sum is minimised.

        Args:
            batch: pairs of views, on the backend's device.
            maps_alone: do not render; supervise the UV feature maps alone.
        """
        each = [self._losses(pair, maps_alone) for pair in batch]
        return {name: torch.stack([losses[name] for losses in each]).mean() for name in each[0]}

    def _losses(self, unchanged: TrainingPair, maps_alone: bool) -> dict[str, Float[Tensor, ""]]:
        rng = np.random.default_rng(unchanged.seed)
        pair, targets = augment(unchanged.pair, unchanged.targets, self.body, self.options.augment, rng)
        weights, observed = self.options.losses, pair.observation
        bank = self.model.encode(observed.subject, self.body, observed.vertices)
        reader = self.model.reader(bank, self.body, self.backend)
        texels = None if targets is None else reader.texels()
        losses = {} if targets is None or texels is None else map_losses(texels, targets, weights)
        if maps_alone:
            return losses
        field, chosen, shaded = self._shade(reader, pair.target, rng)
        losses |= weighted_losses(chosen, shaded, weights, self.perception)
        if weights.surface > 0:
            depth = self._surface_depth(field, chosen)
            depth = chosen.colour.new_zeros(1) if depth is None else depth / LOGIT_M
            losses["surface"] = weights.surface * F.smooth_l1_loss(depth, torch.zeros_like(depth))
        return losses

    def _shade(
        self, reader: TrainingReader, target: View, rng: np.random.Generator
    ) -> tuple[TrainableField, ChosenRays, Shaded]:
        """Render some rays of the target view with gradients."""
        options = self.options
        posed = replace(self.body.pose(target.subject.pose), vertices=target.vertices)
        field = reader.training_field(posed, SamplingOptions(options.step_m, options.density_noise), rng)
        chosen = choose_rays(target, field.rays(target.subject.camera), options.patch, options.rays, rng)
        return field, chosen, field.shade(chosen.rays, chosen.distance, rng)

    def _surface_depth(self, field: TrainableField, chosen: ChosenRays) -> Float[Tensor, " point"] | None:
        """Return how far below the field's surface the data set's surface lies, metres; None if it is unknown."""
        if chosen.distance is None:
            return None
        hit = ((chosen.distance > 0) & (chosen.mask > FOREGROUND_MASK)).nonzero()[:, 0]
        if len(hit) == 0:
            return None
        rays = chosen.rays
        return field.surface_depth(rays.origins[hit] + chosen.distance[hit, None] * rays.directions[hit])


def weighted_losses(
    chosen: ChosenRays, shaded: Shaded, weights: LossWeights, perception: PerceptualLoss
) -> dict[str, Float[Tensor, ""]]:
    """Return the weighted losses of rendered rays by name (SHERF, section 3.5); their sum is minimised.

    Args:
        chosen: rays, and what the target view shows along them.
        shaded: what was rendered along them.
        weights: of the losses; those of weight 0 are skipped.
        perception: LPIPS.
    """
    rendered, hits = shaded.colours, chosen.rays.far > chosen.rays.near
    losses = {
        "colour": weights.colour * (rendered.rgb - chosen.colour)[hits].square().mean(),
        "mask": weights.mask * (rendered.opacity - chosen.mask)[hits].square().mean(),
    }
    rows, columns = chosen.shape
    image, target = (x[: rows * columns].T.reshape(1, 3, rows, columns) for x in (rendered.rgb, chosen.colour))
    if weights.ssim > 0:
        losses["ssim"] = weights.ssim * (1 - structural_similarity(image, target))
    if weights.lpips > 0:
        losses["lpips"] = weights.lpips * perception(image, target)
    if weights.occupancy > 0 and chosen.distance is not None and shaded.inside is not None:
        losses["occupancy"] = weights.occupancy * occupancy_loss(chosen, chosen.distance, shaded, shaded.inside)
    return losses


def map_losses(texels: TexelMaps, targets: TexelTargets, weights: LossWeights) -> dict[str, Float[Tensor, ""]]:
    """Return the losses of the UV feature maps alone, of the whole person at once, without rays.

    Args:
        texels: colour and displacement of each covered texel according to the maps.
        targets: the same according to all views of the pose.
        weights: of the losses.
    """
    visibility = targets.weight.clamp(max=MAX_WEIGHT)
    texture = (
        (visibility[:, None] * (texels.colour - targets.colour).square()).sum() / 3 / visibility.sum().clamp_min(1.0)
    )
    known = targets.empty | targets.solid
    inside = (texels.displacement[:, None] - visibility.new_tensor(HEIGHTS_M)) / LOGIT_M
    counts = (1 + visibility.new_tensor(HEIGHTS_M).clamp_min(0) / TALL_M).expand_as(inside)[known]
    heights = F.binary_cross_entropy_with_logits(inside[known], targets.solid[known].float(), counts, reduction="sum")
    displacement = weights.stand_off * heights / known.sum().clamp_min(1)
    return {"texture": weights.texture * texture, "stand_off": displacement}


def occupancy_loss(
    chosen: ChosenRays, distance: Float[Tensor, " ray"], shaded: Shaded, inside: Float[Tensor, " sample"]
) -> Float[Tensor, ""]:
    """Return the cross entropy of samples that must be empty (before the known surface) or solid (right behind it).

    Args:
        chosen: the rays.
        distance: of the known surface along them, metres, 0 where they miss.
        shaded: the samples.
        inside: depth of the samples below the field's surface, metres.
    """
    ray = shaded.samples.ray
    surface, mask = distance[ray], chosen.mask[ray]
    behind = shaded.samples.position - surface
    known = (surface > 0) & (mask > FOREGROUND_MASK)
    empty = (known & (behind < -CLEAR_M)) | (mask == 0)
    solid = known & (behind > CLEAR_M) & (behind < SOLID_M)
    supervised = (empty | solid) & (inside > UNREACHED_M)
    if not bool(supervised.any()):
        return inside.sum() * 0
    return F.binary_cross_entropy_with_logits(inside[supervised] / LOGIT_M, solid[supervised].float())
