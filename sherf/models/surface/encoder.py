"""The feature bank of a network whose points hang on the body's surface."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.models.config import SherfConfig
from sherf.models.layers.interpolate import corners, weigh
from sherf.models.layers.resnet import ResnetStages
from sherf.models.paper.bank import FeatureBank
from sherf.models.surface.atlas import Atlas, atlas_of
from sherf.models.surface.observed import Observed, crop_camera, cropped, first_depth, lookup_tables
from sherf.models.surface.unwrap import UnwrappedPlanes
from sherf.scene import Subject


class SurfaceEncoder(nn.Module):
    """From the photo to the bank: features of the person cut out, and the photo unwrapped and completed."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        self.config = config
        self.pixels = ResnetStages(1, pool_stem=False, width=config.encoder_width, statistics=config.batch_norm)
        self.planes = (
            UnwrappedPlanes(config.encoder_width, config.unwrap_width, config.unwrap_depth, config.token_width)
            if "global" in config.levels
            else None
        )

    def forward(self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"]) -> FeatureBank:
        """Encode one photo."""
        config = self.config
        atlas = atlas_of(body, *config.plane_size)
        observed = observe(config, subject, vertices, body, atlas, vertices)
        picture = cropped(subject.image * subject.mask, subject.camera, observed.crop)
        pixels = self.pixels(picture[None])[0].float()
        planes = None
        if self.planes is not None:
            planes = self.planes(observed, atlas, pixels)
        return FeatureBank(subject, vertices, planes, (), pixels if "pixel" in config.levels else None)


def observe(
    config: SherfConfig,
    subject: Subject,
    vertices: Float[Tensor, "vertex 3"],
    body: BodyModel,
    atlas: Atlas,
    hiding: Float[Tensor, "vertex 3"],
) -> Observed:
    """The photo and the body in it.

    Args:
        hiding: the surface that hides what lies behind it, the bare or the clothed body, world space.
    """
    crop = crop_camera(subject.camera, vertices, config.observation_size)
    depth = None if config.occlusion == "none" else first_depth(hiding, body.faces, crop)
    return Observed(subject, crop, depth, lookup_tables(config, body, atlas, subject, vertices))


def plane_rows(planes: Float[Tensor, "2 channel h w"], atlas: Atlas) -> Float[Tensor, "row channel"]:
    """The table of both maps: the texels that can be read, in the atlas's order."""
    return planes.transpose(0, 1).flatten(start_dim=1)[:, atlas.texel_of_row].T


def read_planes(
    table: Float[Tensor, "row channel"], atlas: Atlas, points: Float[Tensor, "point 3"], front: Float[Tensor, " point"]
) -> Float[Tensor, "point channel"]:
    """What the maps say of canonical points of the surface.

    Args:
        front: the front map's share (`atlas.front_share`).
    """
    rows, weights = corners(atlas.places(points), atlas.size)
    both = atlas.row_of_texel[torch.cat([rows, rows + math.prod(atlas.size)], dim=1)]
    return weigh(table, both, torch.cat([weights * front[:, None], weights * (1 - front[:, None])], dim=1))
