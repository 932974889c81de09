"""The feature bank of a network whose points hang on the body's surface."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.model import BodyModel
from sherf.config import SherfConfig
from sherf.features.atlas import Atlas, atlas_of
from sherf.features.bank import FeatureBank
from sherf.features.lookup import corners, rows_of_image, weigh
from sherf.features.observed import FAR_M, Observed, crop_camera, cropped, first_depth, lookup_tables
from sherf.features.resnet import ResnetStages
from sherf.features.unwrap import UnwrappedPlanes
from sherf.scene import Subject


class SurfaceEncoder(nn.Module):
    """From the photo to the bank: features of the person cut out, and the photo unwrapped and completed."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        self.config = config
        self.pixels = ResnetStages(1, pool_stem=False, width=config.encoder_width, statistics=config.batch_norm)
        self.planes = (
            UnwrappedPlanes(config.encoder_width, config.unwrap_width, config.token_width)
            if "global" in config.levels
            else None
        )

    def forward(self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"]) -> FeatureBank:
        """Encode one photo; the bank's depth is the bare body's."""
        config = self.config
        crop = crop_camera(subject.camera, vertices, config.observation_size)
        picture = cropped(subject.image * subject.mask, subject.camera, crop)
        pixels = self.pixels(picture[None])[0].float()
        depth = (
            torch.full_like(picture[0], FAR_M)
            if config.occlusion == "none"
            else first_depth(vertices, body.faces, crop)
        )
        bank = FeatureBank(subject, vertices, None, (), pixels if "pixel" in config.levels else None, depth)
        if self.planes is None:
            return bank
        atlas = atlas_of(body, config.plane_resolution)
        observed = observe(config, bank, body, atlas)
        return replace(bank, planes=self.planes(observed, atlas, pixels, config.occlusion != "none"))


def observe(config: SherfConfig, bank: FeatureBank, body: BodyModel, atlas: Atlas) -> Observed:
    """The photo and its body, as a bank holds them."""
    assert bank.depth is not None
    tables = lookup_tables(config, body, atlas, bank.subject, bank.vertices)
    crop = crop_camera(bank.subject.camera, bank.vertices, config.observation_size)
    return Observed(bank.subject, crop, bank.depth, tables)


def plane_rows(planes: Float[Tensor, "2 channel h w"]) -> Float[Tensor, "row channel"]:
    """The table of both maps, row by row."""
    return torch.cat([rows_of_image(plane) for plane in planes])


def read_planes(
    table: Float[Tensor, "row channel"], atlas: Atlas, points: Float[Tensor, "point 3"], front: Float[Tensor, " point"]
) -> Float[Tensor, "point channel"]:
    """What the maps say of canonical points of the surface.

    Args:
        front: the front map's share (`atlas.front_share`).
    """
    side = atlas.resolution
    rows, weights = corners(atlas.places(points), (side, side))
    both = torch.cat([rows, rows + side**2], dim=1)
    return weigh(table, both, torch.cat([weights * front[:, None], weights * (1 - front[:, None])], dim=1))
