"""What all pictures of one moment show of the person, texel by texel of the atlas: made once, kept in a folder."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.skeleton import joint_index
from sherf.camera.image import in_frame, nearest, sample_image
from sherf.camera.pinhole import project
from sherf.datasets.multiview import View
from sherf.files.output import atomic_output
from sherf.models.surface.atlas import Atlas
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import OnDevice

VERSION = 2
"""Raised whenever other numbers come out."""
HEIGHTS_M = (-0.01, -0.005, 0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15)
"""Where along a texel's normal it is asked whether there is matter."""
FINEST_M = 0.003
"""To which a texel's reach is known."""
CLEAR_M, SOLID_M = 0.004, 0.015
"""Before a view's depth by more than the first is empty; not more behind it than the second is matter."""
SURE, NOBODY = 0.9, 0.05
"""Share of the person in a pixel from which on its depth is the person's; and up to which nobody is there."""
LEGS = [joint_index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee")]
FACING = 0.2
"""A view shows the colour of a texel that faces it so much (cosine)."""


@dataclass(frozen=True)
class Baked(OnDevice):
    """Of each covered texel of an atlas."""

    colour: Float[Tensor, "texel 3"]
    """Mean of the views that show it."""
    weight: Float[Tensor, " texel"]
    """How well it was shown: cosines, summed over views; 0 where no view shows it."""
    empty: Bool[Tensor, "texel height"]
    """No matter at these heights over the body's surface."""
    solid: Bool[Tensor, "texel height"]
    """Matter; what is neither empty nor solid is not known."""
    mirror: Int[Tensor, " texel"]
    """Number of the texel that shows the mirror image, -1 where none does."""

    def mirrored(self) -> "Baked":
        """Left and right swapped."""
        there = self.mirror >= 0
        colour, weight, empty, solid = (x[self.mirror] for x in (self.colour, self.weight, self.empty, self.solid))
        return replace(
            self, colour=colour, weight=weight * there, empty=empty & there[:, None], solid=solid & there[:, None]
        )


def bake(body: BodyModel, atlas: Atlas, views: Sequence[View]) -> Baked:
    """Look at one moment's texels in all its views that know their depths.

    A height counts only as far as the texel is the body's nearest surface point, as in the field.
    """
    vertices = views[0].vertices
    covered = atlas.covered
    vertex_normal = vertex_normals(vertices, body.faces)
    surface = atlas.surface.of(vertices)[covered]
    normal = F.normalize(atlas.surface.of(vertex_normal)[covered], dim=1)
    reach = atlas.surface.of(own_reach(vertices, vertex_normal, body)[:, None])[covered]
    heights = surface.new_tensor(HEIGHTS_M)
    places = (surface[:, None] + heights[:, None] * normal[:, None]).flatten(end_dim=1)
    empty = torch.zeros(len(surface), len(heights), dtype=torch.bool)
    solid = empty.clone()
    knowing = [(view.subject, view.depth) for view in views if view.depth is not None]
    for subject, first in knowing:
        pixels, depth = project(subject.camera, places)
        mask = nearest(subject.mask, pixels)
        behind = depth - nearest(first, pixels)
        inside = in_frame(pixels, subject.camera.size, 0.5)
        outside = inside & ((mask < NOBODY) | ((mask > SURE) & (behind < -CLEAR_M)))
        within = inside & (mask > SURE) & (behind > -CLEAR_M) & (behind < SOLID_M)
        empty |= outside.reshape(empty.shape)
        solid |= within.reshape(empty.shape)
    own = heights < reach
    # what no view looks into lies within: between the legs under a skirt (arms hide what is no cloth)
    between = (atlas.surface.of(body.weights)[covered][:, LEGS].sum(dim=1) > 0.5) & bool(knowing)
    empty, solid = empty & own, (solid | between[:, None]) & ~empty & own
    # the clothed surface: the highest matter below which nothing is empty
    below = torch.cumsum(empty, dim=1) == 0
    top = (solid & below) * torch.arange(1, len(heights) + 1)
    known = top.amax(dim=1) > 0
    clothed = surface + heights[top.amax(dim=1) - 1, None] * normal
    total, weight = torch.zeros_like(surface), torch.zeros_like(surface[:, 0])
    for subject, first in knowing:
        pixels, depth = project(subject.camera, clothed)
        shown = sample_image(torch.cat([subject.image * subject.mask, subject.mask[None]]), pixels)
        facing = (normal * F.normalize(subject.camera.position - clothed, dim=1)).sum(dim=1)
        near = (depth - nearest(first, pixels)).abs() < SOLID_M
        sure = known & near & in_frame(pixels, subject.camera.size, 0.5) & (shown[:, 3] > SURE) & (facing > FACING)
        total += (sure * facing)[:, None] * shown[:, :3]
        weight += sure * facing
    return Baked(total / weight.clamp_min(1e-6)[:, None], weight, empty, solid, mirrored_texels(atlas))


def own_reach(
    vertices: Float[Tensor, "vertex 3"], normals: Float[Tensor, "vertex 3"], body: BodyModel
) -> Float[Tensor, " vertex"]:
    """How far along its normal a vertex stays the body's nearest surface point, metres: by bisection."""
    scene = mesh_scene(vertices, body.faces)
    low, high = torch.zeros_like(vertices[:, 0]), torch.full_like(vertices[:, 0], 2 * HEIGHTS_M[-1])
    while float((high - low).max()) > FINEST_M:
        middle = (low + high) / 2
        distance = scene.compute_distance(as_open3d(vertices + middle[:, None] * normals))
        own = torch.from_numpy(distance.numpy()) > middle - FINEST_M
        low, high = torch.where(own, middle, low), torch.where(own, high, middle)
    return low


def mirrored_texels(atlas: Atlas) -> Int[Tensor, " texel"]:
    """For each covered texel the number of the one that shows its mirror image, -1 where none does."""
    number = torch.full(atlas.covered.shape, -1, dtype=torch.long)
    number[atlas.covered] = torch.arange(int(atlas.covered.sum()))
    return number.flip(-1)[atlas.covered]


class Bakery:
    """Bakes moments when they are asked for, and keeps them in a folder."""

    def __init__(self, body: BodyModel, atlas: Atlas, folder: Path):
        self.body, self.atlas, self.folder = body, atlas, folder / f"v{VERSION}"
        self.mirror = mirrored_texels(atlas)

    def __call__(self, name: str, views: Callable[[], Sequence[View]]) -> Baked:
        """One moment, by its name; `views` reads its pictures where they are needed."""
        path = self.folder / f"{name}.safetensors"
        with suppress(OSError, SafetensorError, KeyError, ValueError):
            return self._read(path)
        baked = bake(self.body, self.atlas, views())
        bits = np.stack([np.packbits(x.numpy(), axis=1) for x in (baked.empty, baked.solid)])
        colour = (baked.colour * 255).round().to(torch.uint8)
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {"colour": colour, "weight": baked.weight.half(), "bits": torch.from_numpy(bits)}
        with atomic_output(path) as partial:
            partial.write_bytes(save(tensors))
        return self._read(path)

    def _read(self, path: Path) -> Baked:
        """What was kept.

        Raises:
            ValueError: it is of another atlas.
        """
        tensors = load_file(path)
        if len(tensors["colour"]) != len(self.mirror):
            raise ValueError(f"{path} is of another atlas")
        unpacked = np.unpackbits(tensors["bits"].numpy(), axis=2, count=len(HEIGHTS_M))
        empty, solid = torch.from_numpy(unpacked).bool()
        return Baked(tensors["colour"].float() / 255, tensors["weight"].float(), empty, solid, self.mirror)
