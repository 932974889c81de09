"""Encode the photo into the feature bank of sherf-small, and sample its UV feature maps."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.models.atlas import Atlas, atlas_of
from sherf.models.config import SherfConfig
from sherf.models.layers.interpolate import linear_corners, weighted_rows
from sherf.models.layers.resnet import ResnetStages
from sherf.models.surface.bank import SurfaceBank
from sherf.models.surface.observed import (
    FAR_M,
    FINE_RIM_PX,
    FINE_SIDE,
    RIM_PX,
    FirstSurface,
    Observed,
    build_lookup_tables,
    crop_camera,
    crop_image,
)
from sherf.models.surface.uv_maps import UVFeatureMaps
from sherf.render.raycast import occluder_depth, spread_depth
from sherf.scene import Subject


class SurfaceEncoder(nn.Module):
    """Encodes a photo into a bank: a feature map of the cropped photo, and the photo unwrapped and inpainted."""

    def __init__(self, config: SherfConfig):
        """Create the encoders of the enabled levels."""
        super().__init__()
        self.config = config
        self.pixels = ResnetStages(1, pool_stem=False, width=config.encoder_width, statistics=config.batch_norm)
        self.planes = (
            UVFeatureMaps(config.encoder_width, config.unwrap_width, config.unwrap_depth, config.token_width)
            if "global" in config.levels
            else None
        )

    def forward(self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"]) -> SurfaceBank:
        """Return the bank of one photo.

        Args:
            subject: the observation.
            body: the body model.
            vertices: the body in the photo, world space, metres.
        """
        config = self.config
        atlas = atlas_of(body, *config.plane_size)
        observed = observe(config, subject, vertices, body, atlas, vertices)
        crop = crop_image(subject.image * subject.mask, subject.camera, observed.crop)
        pixels = self.pixels(crop[None])[0].float()
        maps = None if self.planes is None else self.planes(observed, atlas, pixels)
        return SurfaceBank(subject, vertices, maps, pixels if "pixel" in config.levels else None)


def observe(
    config: SherfConfig,
    subject: Subject,
    vertices: Float[Tensor, "vertex 3"],
    body: BodyModel,
    atlas: Atlas,
    occluder: Float[Tensor, "vertex 3"],
) -> Observed:
    """Return the observed person, ready to be sampled at points of the body.

    Args:
        config: the network's configuration.
        subject: the observation.
        vertices: the body in the photo, world space, metres.
        body: the body model.
        atlas: of the body model.
        occluder: vertices of the surface that occludes points behind it, the bare or the clothed body, world space.
    """
    crop = crop_camera(subject.camera, vertices, config.observation_size)
    tables = build_lookup_tables(config, body, atlas, subject, vertices)
    if config.occlusion == "none":
        return Observed(subject, crop, None, None, tables)
    depth = occluder_depth(occluder, body.faces, crop, RIM_PX, FAR_M)
    view = crop_camera(subject.camera, vertices, FINE_SIDE)
    first = occluder_depth(occluder, body.faces, view, 0, FAR_M)
    fine = FirstSurface(view, first, spread_depth(first, FINE_RIM_PX, FAR_M))
    return Observed(subject, crop, depth, fine, tables)


def map_rows(planes: Float[Tensor, "2 channel h w"], atlas: Atlas) -> Float[Tensor, "row channel"]:
    """Return the table of both maps: a row for each readable texel, in the order of `Atlas.texel_of_row`."""
    return planes.transpose(0, 1).flatten(start_dim=1)[:, atlas.texel_of_row].T


def sample_maps(
    table: Float[Tensor, "row channel"], atlas: Atlas, points: Float[Tensor, "point 3"], front: Float[Tensor, " point"]
) -> Float[Tensor, "point channel"]:
    """Return the maps interpolated at canonical points of the surface.

    Args:
        table: the maps' rows, as `map_rows` orders them.
        atlas: of the maps.
        points: canonical space, metres.
        front: weight of the front map (`front_share`).
    """
    rows, weights = linear_corners(atlas.positions(points), atlas.size)
    both = atlas.row_of_texel[torch.cat([rows, rows + math.prod(atlas.size)], dim=1)]
    return weighted_rows(table, both, torch.cat([weights * front[:, None], weights * (1 - front[:, None])], dim=1))
