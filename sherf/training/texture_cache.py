"""Texture baking for training: what all views of a pose show of each texel of the atlas, cached on disk."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.skeleton import joint_index
from sherf.camera.image import in_frame, sample_image, sample_nearest
from sherf.camera.pinhole import project
from sherf.datasets.multiview import View
from sherf.files.digest import tensors_sha256
from sherf.files.output import atomic_output
from sherf.models.atlas import Atlas
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import OnDevice, Subject

VERSION = 2
"""Increased whenever the baked numbers change."""
HEIGHTS_M = (-0.01, -0.005, 0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15)
"""Heights along a texel's normal at which occupancy is classified."""
REACH_TOLERANCE_M = 0.003
CLEAR_M, SOLID_M = 0.004, 0.015
"""Points nearer than a view's depth by more than the first are empty; up to the second behind it they are solid."""
FOREGROUND_MASK, BACKGROUND_MASK = 0.9, 0.05
"""Pixels whose mask is above the first belong to the person; below the second, to the background."""
TENSORS, SHA256 = ("colour", "weight", "bits"), "sha256"
"""Names of the tensors in a file, and of its entry with their digest, which files of earlier versions lack."""
LEGS = [joint_index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee")]
MIN_COSINE = 0.2
"""A view contributes the colour of texels that face it by at least this cosine."""

DepthViews = list[tuple[Subject, Float[Tensor, "h w"]]]
"""Observations with the depth of the clothed surface."""


@dataclass(frozen=True)
class TexelTargets(OnDevice):
    """Colour and occupancy of each covered texel of an atlas."""

    colour: Float[Tensor, "texel 3"]
    """Mean over the views that show it, sRGB in [0, 1]."""
    weight: Float[Tensor, " texel"]
    """How well it is visible: sum of cosines over the views; 0 where no view shows it."""
    empty: Bool[Tensor, "texel height"]
    """Whether it is known to be empty at each of `HEIGHTS_M` above the body's surface."""
    solid: Bool[Tensor, "texel height"]
    """Whether it is known to be solid there; heights that are neither are unknown."""
    mirror: Int[Tensor, " texel"]
    """Index of the texel that shows the mirror image, -1 where there is none."""

    def mirrored(self) -> "TexelTargets":
        """Return the targets with left and right swapped."""
        exists = self.mirror >= 0
        colour, weight, empty, solid = (x[self.mirror] for x in (self.colour, self.weight, self.empty, self.solid))
        return replace(
            self, colour=colour, weight=weight * exists, empty=empty & exists[:, None], solid=solid & exists[:, None]
        )


def bake_texel_targets(body: BodyModel, atlas: Atlas, views: Sequence[View]) -> TexelTargets:
    """Fuse all views of one pose that have depths into colour and occupancy of each texel.

    A height counts only as far as the texel is the body's nearest surface point, as in the field.

    Args:
        body: the body model of the views.
        atlas: of this body model.
        views: of one pose, on the CPU; those without depth are ignored.

    Returns:
        Targets in the order of the atlas's covered texels.
    """
    vertices = views[0].vertices
    covered = atlas.covered
    vertex_normal = vertex_normals(vertices, body.faces)
    surface = atlas.surface.interpolate(vertices)[covered]
    normal = F.normalize(atlas.surface.interpolate(vertex_normal)[covered], dim=1)
    reach = atlas.surface.interpolate(compute_reach(vertices, vertex_normal, body)[:, None])[covered]
    heights = surface.new_tensor(HEIGHTS_M)
    points = (surface[:, None] + heights[:, None] * normal[:, None]).flatten(end_dim=1)
    with_depth = [(view.subject, view.depth) for view in views if view.depth is not None]
    empty, solid = _classify(points, (len(surface), len(heights)), with_depth)
    is_nearest = heights < reach
    # What no view sees into lies within: between the legs under a skirt (arms hide what is not cloth).
    between = (atlas.surface.interpolate(body.weights)[covered][:, LEGS].sum(dim=1) > 0.5) & bool(with_depth)
    empty, solid = empty & is_nearest, (solid | between[:, None]) & ~empty & is_nearest
    # The clothed surface: the highest solid height without an empty one below it.
    below = torch.cumsum(empty, dim=1) == 0
    top = (solid & below) * torch.arange(1, len(heights) + 1)
    is_known = top.amax(dim=1) > 0
    clothed = surface + heights[top.amax(dim=1) - 1, None] * normal
    colour, weight = _fuse_colours(clothed, normal, is_known, with_depth)
    return TexelTargets(colour, weight, empty, solid, mirror_texels(atlas))


def _classify(
    points: Float[Tensor, "point 3"], shape: tuple[int, int], views: DepthViews
) -> tuple[Bool[Tensor, "texel height"], Bool[Tensor, "texel height"]]:
    """Return which world points any view shows to be empty, and which to be solid, in this (texel, height) shape."""
    empty = torch.zeros(shape, dtype=torch.bool)
    solid = empty.clone()
    for subject, surface_depth in views:
        pixels, depth = project(subject.camera, points)
        mask = sample_nearest(subject.mask, pixels)
        behind = depth - sample_nearest(surface_depth, pixels)
        inside = in_frame(pixels, subject.camera.size, 0.5)
        outside = inside & ((mask < BACKGROUND_MASK) | ((mask > FOREGROUND_MASK) & (behind < -CLEAR_M)))
        within = inside & (mask > FOREGROUND_MASK) & (behind > -CLEAR_M) & (behind < SOLID_M)
        empty |= outside.reshape(shape)
        solid |= within.reshape(shape)
    return empty, solid


def _fuse_colours(
    clothed: Float[Tensor, "texel 3"],
    normal: Float[Tensor, "texel 3"],
    is_known: Bool[Tensor, " texel"],
    views: DepthViews,
) -> tuple[Float[Tensor, "texel 3"], Float[Tensor, " texel"]]:
    """Return the mean colour of surface points over the views that show them, weighted by cosine, and the weights."""
    total, weight = torch.zeros_like(clothed), torch.zeros_like(clothed[:, 0])
    for subject, surface_depth in views:
        pixels, depth = project(subject.camera, clothed)
        sampled = sample_image(torch.cat([subject.image * subject.mask, subject.mask[None]]), pixels)
        facing = (normal * F.normalize(subject.camera.position - clothed, dim=1)).sum(dim=1)
        is_near = (depth - sample_nearest(surface_depth, pixels)).abs() < SOLID_M
        inside = in_frame(pixels, subject.camera.size, 0.5)
        is_visible = is_known & is_near & inside & (sampled[:, 3] > FOREGROUND_MASK) & (facing > MIN_COSINE)
        total += (is_visible * facing)[:, None] * sampled[:, :3]
        weight += is_visible * facing
    return total / weight.clamp_min(1e-6)[:, None], weight


def compute_reach(
    vertices: Float[Tensor, "vertex 3"], normals: Float[Tensor, "vertex 3"], body: BodyModel
) -> Float[Tensor, " vertex"]:
    """Return how far along its normal each vertex stays the body's nearest surface point, metres, by bisection.

    Args:
        vertices: of the posed body, world space, metres.
        normals: unit normals at the vertices.
        body: faces.
    """
    scene = mesh_scene(vertices, body.faces)
    low, high = torch.zeros_like(vertices[:, 0]), torch.full_like(vertices[:, 0], 2 * HEIGHTS_M[-1])
    while float((high - low).max()) > REACH_TOLERANCE_M:
        middle = (low + high) / 2
        distance = scene.compute_distance(as_open3d(vertices + middle[:, None] * normals))
        is_nearest = torch.from_numpy(distance.numpy()) > middle - REACH_TOLERANCE_M
        low, high = torch.where(is_nearest, middle, low), torch.where(is_nearest, high, middle)
    return low


def mirror_texels(atlas: Atlas) -> Int[Tensor, " texel"]:
    """Return for each covered texel the index of the one that shows its mirror image, -1 where there is none."""
    index = torch.full(atlas.covered.shape, -1, dtype=torch.long)
    index[atlas.covered] = torch.arange(int(atlas.covered.sum()))
    return index.flip(-1)[atlas.covered]


class TextureCache:
    """Bakes the targets of a pose when they are first requested, and keeps them in a folder."""

    def __init__(self, body: BodyModel, atlas: Atlas, folder: Path):
        """Open a cache.

        Args:
            body: the body model of the data set, on the CPU.
            atlas: of this body model.
            folder: where the targets are stored; created on first use.
        """
        self.body, self.atlas, self.folder = body, atlas, folder / f"v{VERSION}"
        self.mirror = mirror_texels(atlas)

    def get(self, name: str, read_views: Callable[[], Sequence[View]]) -> TexelTargets:
        """Return the targets of one pose, baked now if they are missing or damaged.

        Args:
            name: of the file, unique for the pose.
            read_views: called for the pose's views if they have to be baked.

        Returns:
            Colours rounded to 8 bits and weights to 16, as stored.

        Raises:
            OutputError: the file cannot be written.
        """
        path = self.folder / f"{name}.safetensors"
        with suppress(OSError, SafetensorError, KeyError, ValueError):
            return self._read(path)
        targets = bake_texel_targets(self.body, self.atlas, read_views())
        bits = np.stack([np.packbits(x.numpy(), axis=1) for x in (targets.empty, targets.solid)])
        colour = (targets.colour * 255).round().to(torch.uint8)
        tensors = {"colour": colour, "weight": targets.weight.half(), "bits": torch.from_numpy(bits)}
        with atomic_output(path) as partial:
            partial.write_bytes(save(tensors, {SHA256: _digest(tensors)}))
        return self._read(path)

    def _read(self, path: Path) -> TexelTargets:
        """Return stored targets.

        Raises:
            ValueError: they are damaged, or belong to another atlas.
        """
        with safe_open(path, framework="pt") as file:
            recorded = (file.metadata() or {}).get(SHA256)
            tensors = {name: file.get_tensor(name) for name in TENSORS}
        if recorded is not None and recorded != _digest(tensors):
            raise ValueError(f"{path} is damaged")
        if len(tensors["colour"]) != len(self.mirror):
            raise ValueError(f"{path} belongs to another atlas")
        unpacked = np.unpackbits(tensors["bits"].numpy(), axis=2, count=len(HEIGHTS_M))
        empty, solid = torch.from_numpy(unpacked).bool()
        return TexelTargets(tensors["colour"].float() / 255, tensors["weight"].float(), empty, solid, self.mirror)


def _digest(tensors: dict[str, Tensor]) -> str:
    return tensors_sha256(*(tensors[name] for name in TENSORS))
