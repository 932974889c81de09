"""The photo and the body in it: where points of the body appear in the photo, and whether they are visible."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.vertex_warp import vertex_warp
from sherf.camera.image import in_frame, sample_image, sample_nearest
from sherf.camera.pinhole import project
from sherf.models.atlas import Atlas
from sherf.models.config import Lookup, SherfConfig
from sherf.models.layers.interpolate import weighted_rows
from sherf.scene import Camera, Subject

CROP_MARGIN = 0.12
"""Margin around the body, as a share of its extent: room for clothes and hair."""
BEHIND_M, SOFT_M = 0.015, 0.005
"""Points further than this behind the first surface are occluded; width of the soft threshold; metres."""
FIRST_BEHIND_M = 0.03
"""In the photo's own direction points count as occluded only this far behind the first surface, metres."""
FINE_SIDE, FINE_RIM_PX = 640, 2
"""Side of the finer depth maps, and by how much nearer surfaces are widened in them, pixels."""
FAR_M = 100.0
"""Depth of the background, metres."""
RIM_PX = 1
"""Points within this many pixels beside a nearer surface count as occluded by it."""
DEPTH_SCALE_M = 0.1
"""Unit of the depth feature, metres."""
SAMPLE_FEATURES = 4
"""Number of features of a `PhotoSample`."""
MIN_MASK = 0.05
"""Below this mask value, colours fade to black."""
MIRROR_X, MIRROR_Z = (-1.0, 1.0, 1.0), (1.0, 1.0, -1.0)
"""Factors that mirror canonical vectors left to right, and front to back."""


@dataclass(frozen=True)
class PhotoSample:
    """Samples of the photo at points of the body."""

    pixels: Float[Tensor, "point 2"]
    """Pixel coordinates in the photo."""
    features: Float[Tensor, "point 4"]
    """Depth behind the first surface (clamped), visibility, mask, cosine between normal and direction to the camera."""
    sight: Float[Tensor, "point 3"]
    """From the camera to the points, world space of the photo, metres."""
    rotation: Float[Tensor, "point 3 3"]
    """Rotation around the points from canonical space to the photo's world."""
    is_inside: Bool[Tensor, " point"]
    """Whether the points lie within the photo and before the camera."""

    @property
    def visibility(self) -> Float[Tensor, " point"]:
        """0 to 1: high for points inside the photo and the mask, not occluded, and facing the camera."""
        return self.features[:, 1]


def premultiply(subject: Subject) -> Float[Tensor, "4 h w"]:
    """Return the photo's colour times the mask, and the mask. Interpolate these layers, then `unpremultiply`."""
    return torch.cat([subject.image * subject.mask, subject.mask[None]])


def unpremultiply(samples: Float[Tensor, "point 4"]) -> Float[Tensor, "point 3"]:
    """Return the person's colour from samples of `premultiply`'s layers, free of background even at the outline."""
    return samples[:, :3] / samples[:, 3:].clamp_min(MIN_MASK)


def crop_camera(camera: Camera, vertices: Float[Tensor, "vertex 3"], size: int) -> Camera:
    """Return a square view of the person: the photo's camera, shifted and scaled in its image plane.

    Args:
        camera: the photo's camera.
        vertices: the body, world space, metres.
        size: side of the view, pixels.
    """
    pixels, _ = project(camera, vertices)
    low, high = pixels.amin(dim=0), pixels.amax(dim=0)
    middle = (low + high) / 2
    side = float((high - low).max()) * (1 + 2 * CROP_MARGIN)
    scale = size / max(side, 1.0)
    K = camera.K.clone()
    K[:2] *= scale
    K[:2, 2] += size / 2 - middle * scale
    return Camera(K, camera.R, camera.T, (size, size))


def crop_image(
    layers: Float[Tensor, "channel h w"], camera: Camera, crop: Camera
) -> Float[Tensor, "channel side side"]:
    """Return image layers resampled to a view of `crop_camera`; black beyond the image.

    Args:
        layers: the image.
        camera: its camera.
        crop: the camera of the view.
    """
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
class FirstSurface:
    """Depth maps of the first surface in a view of the person, finer than the encoder's."""

    view: Camera
    depth: Float[Tensor, "h w"]
    """Along the view's z axis, metres."""
    spread: Float[Tensor, "h w"]
    """The same with nearer surfaces widened by `FINE_RIM_PX`."""

    def visible(self, points: Float[Tensor, "point 3"]) -> tuple[Float[Tensor, " point"], Float[Tensor, " point"]]:
        """Return 1 for points on the first surface and 0 for occluded ones, without and with the widened surfaces.

        Args:
            points: world space of the photo, metres.
        """
        pixels, depth = project(self.view, points)
        first, clear = (
            torch.sigmoid((tolerance - (depth - sample_nearest(layer, pixels))) / SOFT_M)
            for layer, tolerance in ((self.depth, FIRST_BEHIND_M), (self.spread, BEHIND_M))
        )
        return first, clear


@dataclass(frozen=True)
class Observed:
    """The observed person, ready to be sampled at points of the body."""

    subject: Subject
    crop: Camera
    """The encoder's view."""
    depth: Float[Tensor, "crop crop"] | None
    """Depth of the first surface in `crop`, metres, dilated by a margin, for occlusion tests. None: no occlusion."""
    fine: FirstSurface | None
    """The first surface in more detail, for what the photo shows; None: no occlusion."""
    tables: dict[Lookup, Float[Tensor, "vertex 15"]]
    """For each look-up, the vertices' position (3), rotation canonical -> world (9) and normal (3), world space."""

    def sample(
        self,
        lookup: Lookup,
        corners: Int[Tensor, "point 3"],
        weights: Float[Tensor, "point 3"],
        offsets: Float[Tensor, "point 3"],
    ) -> PhotoSample:
        """Return samples of the photo at points around the body's surface.

        Args:
            lookup: whether to sample the points themselves, their mirror images or the opposite points.
            corners: vertices of the surface points' triangles.
            weights: barycentric coordinates of the surface points.
            offsets: from the surface points to the points, canonical space, metres.
        """
        rows = weighted_rows(self.tables[lookup], corners, weights)
        flip = {"seen": None, "mirrored": MIRROR_X, "opposite": MIRROR_Z}[lookup]
        flipped = offsets if flip is None else offsets * offsets.new_tensor(flip)
        points = rows[:, :3] + _rotate_to_world(rows, flipped)
        camera = self.subject.camera
        pixels, depth = project(camera, points)
        covered, inside = self._mask_at(pixels, depth)
        mask = covered * inside
        sight, rotation = points - camera.position, rows[:, 3:12].unflatten(1, (3, 3))
        cosine = -(F.normalize(rows[:, 12:], dim=1) * F.normalize(sight, dim=1)).sum(dim=1)
        if self.depth is None:
            features = torch.stack([torch.zeros_like(mask), mask, covered, cosine], dim=1)
            return PhotoSample(pixels, features, sight, rotation, inside)
        behind = depth - sample_nearest(self.depth, project(self.crop, points)[0])
        unoccluded = torch.sigmoid((BEHIND_M - behind) / SOFT_M)
        facing = ((cosine + 0.05) / 0.25).clamp(0, 1)
        features = torch.stack(
            [(behind / DEPTH_SCALE_M).clamp(-2, 2), mask * unoccluded * facing, covered, cosine], dim=1
        )
        return PhotoSample(pixels, features, sight, rotation, inside)

    def first_surface(self, sample: PhotoSample) -> tuple[Float[Tensor, " point"], Float[Tensor, " point"]]:
        """Return 1 for samples on the first surface and 0 for occluded ones, without and with a margin beside surfaces.

        Args:
            sample: as `sample` returned it.
        """
        if self.fine is None:
            certain = torch.ones_like(sample.visibility)
            return certain, certain
        return self.fine.visible(self.subject.camera.position + sample.sight)

    def probe_mask(
        self,
        corners: Int[Tensor, "point 3"],
        weights: Float[Tensor, "point 3"],
        normals: Float[Tensor, "point 3"],
        heights: tuple[float, ...],
    ) -> Float[Tensor, "point height"]:
        """Return the mask at several heights above surface points: how far clothes and hair extend.

        Args:
            corners: vertices of the surface points' triangles.
            weights: barycentric coordinates of the surface points.
            normals: of the surface points, canonical space.
            heights: above the surface, metres.
        """
        rows = weighted_rows(self.tables["seen"], corners, weights)
        outwards = _rotate_to_world(rows, normals)
        above = rows[:, None, :3] + rows.new_tensor(heights)[:, None] * outwards[:, None]
        pixels, depth = project(self.subject.camera, above.flatten(end_dim=1))
        return self._mask_at(pixels, depth)[0].unflatten(0, (-1, len(heights)))

    def _mask_at(self, pixels: Float[Tensor, "point 2"], depth: Float[Tensor, " point"]) -> tuple[Tensor, Tensor]:
        """Return the mask at pixels, 0.5 (unknown) outside of the photo, and whether they lie within the photo."""
        inside = in_frame(pixels, self.subject.camera.size, margin=0.5) & (depth > 0)
        return torch.where(inside, sample_image(self.subject.mask[None], pixels)[:, 0], 0.5), inside

    def locate(
        self, corners: Int[Tensor, "point 3"], weights: Float[Tensor, "point 3"], offsets: Float[Tensor, "point 3"]
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point 3 3"]]:
        """Return points around the body's surface in the photo's world, metres; arguments as in `sample`.

        Returns:
            The points, and the rotations around them from canonical space to the photo's world.
        """
        rows = weighted_rows(self.tables["seen"], corners, weights)
        return rows[:, :3] + _rotate_to_world(rows, offsets), rows[:, 3:12].unflatten(1, (3, 3))

    def in_crop(self, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point 2"]:
        """Return pixel coordinates of the photo as pixel coordinates of `crop`."""
        camera = self.subject.camera
        return (pixels - camera.K[:2, 2]) * (self.crop.K[0, 0] / camera.K[0, 0]) + self.crop.K[:2, 2]


def _rotate_to_world(rows: Float[Tensor, "point 15"], vectors: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """Rotate canonical vectors to the photo's world space by interpolated rows of a look-up table."""
    return (rows[:, 3:12].unflatten(1, (3, 3)) * vectors[:, None]).sum(dim=-1)


def build_lookup_tables(
    config: SherfConfig, body: BodyModel, atlas: Atlas, subject: Subject, vertices: Float[Tensor, "vertex 3"]
) -> dict[Lookup, Float[Tensor, "vertex 15"]]:
    """Return `Observed.tables`.

    Args:
        config: which look-ups are enabled.
        body: the body model.
        atlas: of the body model.
        subject: the observation.
        vertices: the body in the photo, world space, metres.
    """
    rotation = vertex_warp(atlas.posed, body.pose(subject.pose))[:, :3, :3].flatten(start_dim=1)
    table = torch.cat([vertices, rotation, vertex_normals(vertices, body.faces)], dim=1)
    tables: dict[Lookup, Tensor] = {"seen": table}
    if "mirrored" in config.lookups:
        tables["mirrored"] = table[body.mirror]
    if "opposite" in config.lookups:
        tables["opposite"] = atlas.opposite.interpolate(table)
    return tables
