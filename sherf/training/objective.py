"""What a step minimises: pictures of people in other views and poses, rendered from one photo."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import rays as camera_rays
from sherf.datasets.multiview import View
from sherf.datasets.pairs import Pair
from sherf.models.layers.resnet import ResnetStages
from sherf.models.paper.bank import CanonicalSpace
from sherf.models.paper.network import Sherf, SherfField
from sherf.models.surface.field import NOWHERE_M, SurfaceField, SurfaceTables
from sherf.models.surface.unwrap import Completion
from sherf.render.backend import Backend
from sherf.render.box import box_rays, box_samples
from sherf.render.deferred import Shaded, shade
from sherf.render.march import MarchOptions, follow
from sherf.render.sampling import OccupancyGrid
from sherf.scene import PosedBody, RaySamples
from sherf.training.augment import augmented
from sherf.training.losses import Perception, structural_similarity
from sherf.training.options import LossWeights, TrainingOptions
from sherf.training.ray_choice import ChosenRays, choose_rays
from sherf.training.texture_cache import HEIGHTS_M, Baked
from sherf.training.training_pairs import Drawn

CLEAR_M, SOLID_M = 0.002, 0.015
"""How near to the surface nothing is asked, and how far behind it matter is expected."""
BEYOND_M = 0.03
"""Rays are not followed further behind the surface."""
LOGIT_M = 0.008
TALL_M = 0.02
"""At such a height over the body matter counts twice: skirts, hats and hair are few among many texels."""
MOST_WEIGHT = 2.0
"""A texel that many views show counts no more than this."""
SURE = 0.9
"""Share of the person in a pixel from which on its depth is the person's."""


class Objective(nn.Module):
    """The model with its losses: what data-parallel training wraps."""

    def __init__(self, model: Sherf, body: BodyModel, backend: Backend, options: TrainingOptions, half: bool = False):
        super().__init__()
        self.model, self.options = model, options
        self.body, self.backend = body, backend
        self.perception = Perception(options.rescale_lpips)
        if half:
            # Only what is nothing but network: bodies, cameras and rays in half precision would be millimetres off.
            for module in [*_networks(model), self.perception]:
                module.forward = torch.autocast(backend.device.type, torch.bfloat16)(module.forward)

    def forward(self, batch: list[Drawn], maps_alone: bool) -> dict[str, Float[Tensor, ""]]:
        """The weighted losses by name, means over the batch; their sum is minimised.

        Args:
            maps_alone: render nothing, look at the planes alone.
        """
        each = [self._losses(drawn, maps_alone) for drawn in batch]
        return {name: torch.stack([losses[name] for losses in each]).mean() for name in each[0]}

    def _losses(self, drawn: Drawn, maps_alone: bool) -> dict[str, Float[Tensor, ""]]:
        rng = np.random.default_rng(drawn.seed)
        pair, baked = augmented(drawn.pair, drawn.baked, self.body, self.options.augment, rng)
        weights = self.options.losses
        if self.model.config.anchor != "surface":
            return weighted_losses(*self._follow_vertices(pair, rng), weights, self.perception)
        observed = pair.observation
        tables = self.model.surface_tables(self.model.encode(observed.subject, self.body, observed.vertices), self.body)
        losses = {} if baked is None else map_losses(tables, baked, weights)
        if maps_alone:
            return losses
        field, chosen, shaded = self._shade_surface(tables, pair.target, rng)
        losses |= weighted_losses(chosen, shaded, weights, self.perception)
        if weights.surface > 0:
            off = self._on_surface(field, chosen)
            off = chosen.colour.new_zeros(1) if off is None else off / LOGIT_M
            losses["surface"] = weights.surface * F.smooth_l1_loss(off, torch.zeros_like(off))
        return losses

    def _shade_surface(
        self, tables: SurfaceTables, target: View, rng: np.random.Generator
    ) -> tuple[SurfaceField, ChosenRays, Shaded]:
        chosen = choose_rays(target, camera_rays(target.subject.camera), self.options.patch, self.options.rays, rng)
        field = SurfaceField(tables, self.body, self._posed(target), self.backend)
        samples = self.backend.sample(chosen.rays, field.grid(), self.options.step_m)
        return field, chosen, shade(field, chosen.rays, _thinned(samples, chosen, rng), self.backend)

    def _on_surface(self, field: SurfaceField, chosen: ChosenRays) -> Float[Tensor, " point"] | None:
        """How far the field's surface is from where the data set knows it, metres."""
        if chosen.distance is None:
            return None
        hit = ((chosen.distance > 0) & (chosen.mask > SURE)).nonzero()[:, 0]
        if len(hit) == 0:
            return None
        rays = chosen.rays
        places = field.places(rays.origins[hit] + chosen.distance[hit, None] * rays.directions[hit])
        reached = (places.distance < self.model.config.near_body_m).nonzero()[:, 0]
        return field.inside(places[reached], everywhere=True) if len(reached) else None

    def _follow_vertices(self, pair: Pair, rng: np.random.Generator) -> tuple[ChosenRays, Shaded]:
        """As published."""
        torch.manual_seed(int(rng.integers(2**31)))  # the density's noise: continuing has to draw the same
        observed, target = pair.observation, pair.target
        rays = box_rays(target.subject.camera, target.vertices)
        chosen = choose_rays(replace(target, depth=None), rays, self.options.patch, self.options.rays, rng)
        bank = self.model.encode(observed.subject, self.body, observed.vertices)
        tables = self.model.tables(bank, CanonicalSpace.of(self.body))
        config, noise = self.model.config, self.options.density_noise
        field = SherfField(self.model, tables, self.body, self._posed(target), self.backend.nearest_vertex, noise)
        grid = OccupancyGrid.around(target.vertices, self.body.faces, config.near_body_m)
        samples = box_samples(chosen.rays, grid, config.samples)
        options = MarchOptions(block=config.samples, stop=0.0, points_per_chunk=2**18)
        nothing = target.vertices.new_zeros(0)
        colours = follow(field, chosen.rays, samples, self.backend, options)
        return chosen, Shaded(colours, samples, nothing)

    def _posed(self, target: View) -> PosedBody:
        return replace(self.body.pose(target.subject.pose), vertices=target.vertices)


def _networks(model: Sherf) -> list[nn.Module]:
    """The parts that know no geometry."""
    if model.config.anchor != "surface":
        return []
    parts = [module for module in model.modules() if isinstance(module, ResnetStages | Completion)]
    heads = model.heads
    return [
        *parts,
        heads.colour,
        heads.offset,
        heads.colour.plane,
        heads.colour.photo,
        heads.colour.look,
    ]


def _thinned(samples: RaySamples, chosen: ChosenRays, rng: np.random.Generator) -> RaySamples:
    """Places jittered within their intervals; nothing far behind a known surface."""
    keep = torch.ones_like(samples.ray, dtype=torch.bool)
    if chosen.distance is not None:
        surface = torch.where(chosen.distance > 0, chosen.distance, torch.inf)
        keep = samples.start < (surface + BEYOND_M)[samples.ray]
    ray, start, end = samples.ray[keep], samples.start[keep], samples.end[keep]
    jitter = torch.from_numpy(rng.random(len(ray), dtype=np.float32)).to(start)
    return RaySamples(ray, start, end, samples.num_rays, start + jitter * (end - start))


def weighted_losses(
    chosen: ChosenRays, shaded: Shaded, weights: LossWeights, perception: Perception
) -> dict[str, Float[Tensor, ""]]:
    """By name; their sum is minimised."""
    seen, meets = shaded.colours, chosen.rays.far > chosen.rays.near
    losses = {
        "colour": weights.colour * (seen.rgb - chosen.colour)[meets].square().mean(),
        "mask": weights.mask * (seen.opacity - chosen.mask)[meets].square().mean(),
    }
    rows, columns = chosen.shape
    picture, wanted = (x[: rows * columns].T.reshape(1, 3, rows, columns) for x in (seen.rgb, chosen.colour))
    if weights.ssim > 0:
        losses["ssim"] = weights.ssim * (1 - structural_similarity(picture, wanted))
    if weights.lpips > 0:
        losses["lpips"] = weights.lpips * perception(picture, wanted)
    if weights.occupancy > 0 and chosen.distance is not None:
        losses["occupancy"] = weights.occupancy * occupancy_loss(chosen, shaded)
    return losses


def map_losses(tables: SurfaceTables, baked: Baked, weights: LossWeights) -> dict[str, Float[Tensor, ""]]:
    """The planes' own colours and stand-off are what all views show: of the whole person at once, without rays."""
    shown = baked.weight.clamp(max=MOST_WEIGHT)
    texture = (shown[:, None] * (tables.painted() - baked.colour).square()).sum() / 3 / shown.sum().clamp_min(1.0)
    asked = baked.empty | baked.solid
    inside = (tables.stand_off()[:, None] - shown.new_tensor(HEIGHTS_M)) / LOGIT_M
    counts = (1 + shown.new_tensor(HEIGHTS_M).clamp_min(0) / TALL_M).expand_as(inside)[asked]
    heights = F.binary_cross_entropy_with_logits(inside[asked], baked.solid[asked].float(), counts, reduction="sum")
    return {"texture": weights.texture * texture, "stand_off": weights.stand_off * heights / asked.sum().clamp_min(1)}


def occupancy_loss(chosen: ChosenRays, shaded: Shaded) -> Float[Tensor, ""]:
    """Empty before the surface that the data set knows, solid right behind it."""
    assert chosen.distance is not None
    ray = shaded.samples.ray
    surface, mask = chosen.distance[ray], chosen.mask[ray]
    behind = shaded.samples.place - surface
    known = (surface > 0) & (mask > SURE)
    empty = (known & (behind < -CLEAR_M)) | (mask == 0)
    solid = known & (behind > CLEAR_M) & (behind < SOLID_M)
    asked = (empty | solid) & (shaded.inside > NOWHERE_M)
    if not bool(asked.any()):
        return shaded.inside.sum() * 0
    return F.binary_cross_entropy_with_logits(shaded.inside[asked] / LOGIT_M, solid[asked].float())
