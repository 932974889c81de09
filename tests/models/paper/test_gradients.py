"""Gradients of the colours and opacities of rays reach every weight."""

from pathlib import Path

import torch
from golden_file import Golden
from published_compositing import EMPTY_DENSITY, composite_published, published_depths
from stages import use_statistics

from sherf.body.body_model import BodyModel
from sherf.models.paper.bank import CanonicalSpace
from sherf.models.paper.field import PaperField
from sherf.models.paper.network import PaperNetwork
from sherf.render.devices import cpu_backend

GOLDEN = Path(__file__).parents[2] / "golden"
EVERY = 31
"""Every 31st of the rays that show the body is used."""


def test_gradients_of_colour_and_opacity_reach_every_weight(network: PaperNetwork, stand_in_body: BodyModel) -> None:
    golden = Golden(GOLDEN / "same_pose_frame.npz")
    inputs = golden.inputs
    buffers = {name: values.clone() for name, values in network.named_buffers()}
    use_statistics(network, "frame")
    network.train()
    try:
        bank = network.encoder([inputs.subject], stand_in_body, inputs.observed_vertices[None])[0]
        tables = network.tables(bank, CanonicalSpace.of(stand_in_body))
        field = PaperField(network, tables, stand_in_body, stand_in_body.pose(inputs.pose), cpu_backend())
        rays = (golden["out/weights_image"].flatten() > 0.1).nonzero()[::EVERY, 0]
        depths = published_depths(inputs.near[rays], inputs.far[rays], network.config.samples)
        directions = inputs.directions[rays]
        points = (inputs.origins[rays, None] + depths[..., None] * directions[:, None]).flatten(end_dim=1)
        vertex = field.nearest_posed(points)
        near = (points - field.vertices[vertex]).norm(dim=1) < network.config.near_body_m
        ray = torch.arange(len(rays)).repeat_interleave(network.config.samples)
        raw, near_colour = field.near(points[near], directions[ray[near]], vertex[near])
        density = torch.full_like(near, EMPTY_DENSITY, dtype=torch.float32).masked_scatter(near, raw)
        colour = torch.zeros_like(points).masked_scatter(near[:, None], near_colour)
        result = composite_published(density.view_as(depths), colour.view(*depths.shape, 3), depths, directions)
        target = (golden["in/img_all"][0, 0].flatten(start_dim=1).T)[rays]
        loss = (result.rgb - target).square().mean() + (result.opacity - 1).square().mean()
        loss.backward()
        unreached = [
            name for name, x in network.named_parameters() if x.grad is None or not x.grad.any() or x.grad.isnan().any()
        ]
        infinite = [name for name, x in network.named_parameters() if not x.grad.isfinite().all()]
        assert not unreached and not infinite
        moved = [name for name, values in network.named_buffers() if not torch.equal(values, buffers[name])]
        assert len(moved) == len(buffers), "training updates all running statistics"
    finally:
        network.eval().zero_grad(set_to_none=True)
        for name, values in network.named_buffers():
            values.copy_(buffers[name])
