"""The photo and the body in it: where a point of the body appears, and whether the photo really shows it there."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.vertex_warp import vertex_warp
from sherf.camera.image import in_frame, nearest, sample_image
from sherf.camera.pinhole import project
from sherf.models.config import Lookup, SherfConfig
from sherf.models.layers.interpolate import weigh
from sherf.models.surface.atlas import Atlas
from sherf.render.raycast import cast
from sherf.scene import Camera, Subject

CROP_MARGIN = 0.12
"""Of the body's extent, around it: room for clothes and hair."""
BEHIND_M, SOFT_M = 0.015, 0.005
"""A point so far behind the first surface is hidden, softly."""
FAR_M = 100.0
"""Depth where nothing is."""
RIM_PX = 1
"""What lies so near beside a nearer surface counts as hidden by it."""
DEPTH_SCALE_M = 0.1
LOOK_FEATURES = 4
LEAST_MASK = 0.05
"""Where the mask is fainter, the photo's colours fade to black."""
MIRROR_X, THROUGH_Z = (-1.0, 1.0, 1.0), (1.0, 1.0, -1.0)


@dataclass(frozen=True)
class Look:
    """What the photo knows of points."""

    pixels: Float[Tensor, "point 2"]
    """Where they appear in the photo."""
    features: Float[Tensor, "point 4"]
    """Depth behind the first surface (clamped), visibility, mask, cosine to the camera."""

    @property
    def visibility(self) -> Float[Tensor, " point"]:
        """In the photo, in the mask, not hidden, not turned away: 0 to 1."""
        return self.features[:, 1]


def premultiplied(subject: Subject) -> Float[Tensor, "4 h w"]:
    """The photo's colour times the mask, and the mask: to be looked up between pixels, and made `straight` again."""
    return torch.cat([subject.image * subject.mask, subject.mask[None]])


def straight(found: Float[Tensor, "point 4"]) -> Float[Tensor, "point 3"]:
    """The person's own colour, also at the outline, of what was found in `premultiplied` layers."""
    return found[:, :3] / found[:, 3:].clamp_min(LEAST_MASK)


def crop_camera(camera: Camera, vertices: Float[Tensor, "vertex 3"], size: int) -> Camera:
    """A square view of the person: the photo's camera, moved and scaled in its own image plane."""
    pixels, _ = project(camera, vertices)
    low, high = pixels.amin(dim=0), pixels.amax(dim=0)
    middle = (low + high) / 2
    side = float((high - low).max()) * (1 + 2 * CROP_MARGIN)
    scale = size / max(side, 1.0)
    K = camera.K.clone()
    K[:2] *= scale
    K[:2, 2] += size / 2 - middle * scale
    return Camera(K, camera.R, camera.T, (size, size))


def cropped(layers: Float[Tensor, "channel h w"], camera: Camera, crop: Camera) -> Float[Tensor, "channel side side"]:
    """Image layers as another camera at the same place shows them; black beyond the image."""
    scale = float(camera.K[0, 0] / crop.K[0, 0])
    factor = max(1, math.floor(scale + 0.25))
    side = crop.size[0]
    if factor > 1:
        layers = F.avg_pool2d(layers[None], factor, ceil_mode=True, count_include_pad=False)[0]
    ticks = torch.arange(side, device=layers.device) + 0.5
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    pixels = (torch.stack([x, y], dim=-1) - crop.K[:2, 2]) * scale + camera.K[:2, 2]
    return sample_image(layers, pixels / factor, "zeros").permute(2, 0, 1)


@dataclass(frozen=True)
class Observed:
    """The observed person, ready to be asked about points of the body's surface."""

    subject: Subject
    crop: Camera
    """The view of the encoder."""
    depth: Float[Tensor, "crop crop"] | None
    """Of the first surface in `crop`, metres, with a margin: what hides what. None: nothing hides anything."""
    tables: dict[Lookup, Float[Tensor, "vertex 15"]]
    """For each look-up and vertex: its place in the photo's world, the rotation canonical -> there, its normal."""

    def look(
        self,
        lookup: Lookup,
        corners: Int[Tensor, "point 3"],
        weights: Float[Tensor, "point 3"],
        offsets: Float[Tensor, "point 3"],
    ) -> Look:
        """Ask about points of the body.

        Args:
            offsets: from the surface point to the point, canonical space, metres.
        """
        found = weigh(self.tables[lookup], corners, weights)
        flip = {"seen": None, "mirrored": MIRROR_X, "opposite": THROUGH_Z}[lookup]
        turned = offsets if flip is None else offsets * offsets.new_tensor(flip)
        points = found[:, :3] + _rotated(found, turned)
        camera = self.subject.camera
        pixels, depth = project(camera, points)
        covered, inside = self._covered(pixels, depth)
        mask = covered * inside
        towards = F.normalize(camera.position - points, dim=1)
        facing = (F.normalize(found[:, 12:], dim=1) * towards).sum(dim=1)
        if self.depth is None:
            return Look(pixels, torch.stack([torch.zeros_like(mask), mask, covered, facing], dim=1))
        behind = depth - nearest(self.depth, project(self.crop, points)[0])
        open_view = torch.sigmoid((BEHIND_M - behind) / SOFT_M)
        straight = ((facing + 0.05) / 0.25).clamp(0, 1)
        features = [(behind / DEPTH_SCALE_M).clamp(-2, 2), mask * open_view * straight, covered, facing]
        return Look(pixels, torch.stack(features, dim=1))

    def reaches(
        self,
        corners: Int[Tensor, "point 3"],
        weights: Float[Tensor, "point 3"],
        normals: Float[Tensor, "point 3"],
        heights: tuple[float, ...],
    ) -> Float[Tensor, "point height"]:
        """Whether the mask still covers what stands off the surface by so much, metres."""
        found = weigh(self.tables["seen"], corners, weights)
        outwards = _rotated(found, normals)
        above = found[:, None, :3] + found.new_tensor(heights)[:, None] * outwards[:, None]
        pixels, depth = project(self.subject.camera, above.flatten(end_dim=1))
        return self._covered(pixels, depth)[0].unflatten(0, (-1, len(heights)))

    def _covered(self, pixels: Float[Tensor, "point 2"], depth: Float[Tensor, " point"]) -> tuple[Tensor, Tensor]:
        """The mask, half beyond the photo's edge, where nobody knows; and whether it is within."""
        inside = in_frame(pixels, self.subject.camera.size, margin=0.5) & (depth > 0)
        return torch.where(inside, sample_image(self.subject.mask[None], pixels)[:, 0], 0.5), inside

    def in_crop(self, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point 2"]:
        """The photo's pixel coordinates in `crop`."""
        camera = self.subject.camera
        return (pixels - camera.K[:2, 2]) * (self.crop.K[0, 0] / camera.K[0, 0]) + self.crop.K[:2, 2]


def _rotated(found: Float[Tensor, "point 15"], vectors: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """Canonical vectors in the photo's world."""
    return (found[:, 3:12].unflatten(1, (3, 3)) * vectors[:, None]).sum(dim=-1)


def first_depth(vertices: Float[Tensor, "vertex 3"], faces: Tensor, crop: Camera) -> Float[Tensor, "crop crop"]:
    """Depth of a mesh's first surface, spread by a rim; `FAR_M` where nothing is."""
    depth = cast(vertices, faces, crop).depth.to(vertices.device).clamp(max=FAR_M)
    return -F.max_pool2d(-depth[None, None], 2 * RIM_PX + 1, 1, RIM_PX)[0, 0]


def lookup_tables(
    config: SherfConfig, body: BodyModel, atlas: Atlas, subject: Subject, vertices: Float[Tensor, "vertex 3"]
) -> dict[Lookup, Float[Tensor, "vertex 15"]]:
    """What `Observed` keeps of each vertex."""
    turn = vertex_warp(atlas.posed, body.pose(subject.pose))[:, :3, :3].flatten(start_dim=1)
    own = torch.cat([vertices, turn, vertex_normals(vertices, body.faces)], dim=1)
    tables: dict[Lookup, Tensor] = {"seen": own}
    if "mirrored" in config.lookups:
        tables["mirrored"] = own[body.mirror]
    if "opposite" in config.lookups:
        tables["opposite"] = atlas.opposite.of(own)
    return tables
