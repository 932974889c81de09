"""SHERF (Hu et al., ICCV 2023): the feature bank of a photo, and the radiance field that a posed body reads from it."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.vertex_warp import vertex_warp
from sherf.models.config import TOKENS, SherfConfig
from sherf.models.layers.fusion import FusionTransformer
from sherf.models.paper.bank import CanonicalSpace, FeatureBank, FeatureEncoder, divide, published_projection
from sherf.models.paper.decoder import NerfDecoder
from sherf.models.paper.point_features import Reprojection, Tables
from sherf.models.surface.encoder import SurfaceEncoder
from sherf.models.surface.field import SurfaceHeads, SurfaceTables
from sherf.render.backend import MakeNearestVertex
from sherf.scene import PosedBody, Radiance, Subject

DENSITY_TOKEN, COLOUR_TOKEN = 0, 1


class Sherf(nn.Module):
    """The network: `encode` a photo, then `tables` once per avatar, then ask `radiance` at canonical points."""

    def __init__(self, config: SherfConfig, with_encoder: bool = True):
        """Draw the weights.

        Args:
            with_encoder: else `encode` is not possible: all that rendering a saved avatar needs.
        """
        super().__init__()
        self.config = config
        self.encoder: nn.Module | None = None
        if config.anchor == "surface":
            self.encoder = SurfaceEncoder(config) if with_encoder else None
            self.heads = SurfaceHeads(config)
            return
        self.encoder = FeatureEncoder(config) if with_encoder else None
        self.reprojection = Reprojection(config)
        self.fusion = FusionTransformer(config.token_width, config.heads, config.head_width, config.fusion_depth)
        self.decoder = NerfDecoder(config.token_width, config.decoder_width, config.decoder_depth)

    def encode(
        self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> FeatureBank:
        """The feature bank of one photo.

        Args:
            vertices: of the body in the photo, world space, where a data set gives them; else the pose does.
        """
        assert self.encoder is not None, "this network came with an avatar and has no encoder"
        if isinstance(self.encoder, SurfaceEncoder):
            return self._encode_on_surface(self.encoder, subject, body, vertices)
        return self.encoder([subject], body, None if vertices is None else vertices[None])[0]

    def _encode_on_surface(
        self, encoder: SurfaceEncoder, subject: Subject, body: BodyModel, vertices: Tensor | None
    ) -> FeatureBank:
        if vertices is None:
            vertices = body.pose(subject.pose).vertices
        return encoder(subject, body, vertices)

    def surface_tables(self, bank: FeatureBank, body: BodyModel) -> SurfaceTables:
        """The bank, ready to be read at many points of the body's surroundings."""
        return SurfaceTables(bank, body, self.config, self.heads)

    def tables(self, bank: FeatureBank, space: CanonicalSpace) -> Tables:
        """The bank, ready to be read at many points."""
        return Tables(bank, space, self.reprojection)

    def radiance(
        self,
        tables: Tables,
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
        pixels: Float[Tensor, "point 2"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Raw density (1/m before its ReLU) and colour.

        Args:
            points: canonical space, metres.
            directions: carried to canonical space, not normalised.
            pixels: where the photo shows the points, published convention.
        """
        return self.decode(tables.tokens(points, pixels), points, directions)

    def decode(
        self,
        tokens: Float[Tensor, "point 3 width"],
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """The bare network per point: fusion and decoder."""
        assert tokens.shape[1] == TOKENS
        fused = self.fusion(tokens, max(DENSITY_TOKEN, COLOUR_TOKEN) + 1)
        return self.decoder(points, directions, fused[:, DENSITY_TOKEN], fused[:, COLOUR_TOKEN])


class SherfField:
    """Radiance of an avatar in one pose, in world space."""

    def __init__(
        self,
        model: Sherf,
        tables: Tables,
        body: BodyModel,
        posed: PosedBody,
        nearest_vertex: MakeNearestVertex,
        density_noise: float = 0.0,
    ):
        """Prepare the warps. `posed` may carry a data set's own vertices in place of the body model's.

        Args:
            density_noise: standard deviation of what is added to raw densities, as in the published training, 1/m.
        """
        self.density_noise = density_noise
        subject = tables.bank.subject
        canonical = body.pose(body.big_pose())
        self.model, self.tables = model, tables
        self.vertices = posed.vertices
        self.to_canonical = vertex_warp(posed, canonical)[:, :3]
        self.to_pixels = published_projection(subject.camera) @ vertex_warp(canonical, body.pose(subject.pose))
        self.nearest_posed = nearest_vertex(self.vertices, model.config.near_body_m)
        self.nearest_canonical = nearest_vertex(canonical.vertices, math.inf)

    def near(
        self,
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
        vertex: Int[Tensor, " point"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Raw density and colour at world points whose nearest posed vertex is known.

        Args:
            directions: published: of depth 1 along the target camera's axis, not of unit length.
        """
        warp = self.to_canonical[vertex]
        canonical, turned = _carry(warp, points), (warp[:, :, :3] * directions[:, None]).sum(dim=-1)
        pixels = divide(_carry(self.to_pixels[self.nearest_canonical(canonical)], canonical))
        return self.model.radiance(self.tables, canonical, turned, pixels)

    def __call__(self, points: Float[Tensor, "point 3"], directions: Float[Tensor, "point 3"]) -> Radiance:
        """Density (1/m) and colour at world points; empty further than the configured distance from the body.

        Args:
            directions: as `near` wants them.
        """
        vertex = self.nearest_posed(points)
        squared = (points - self.vertices[vertex]).square().sum(dim=1)
        near = (squared < self.model.config.near_body_m**2).nonzero()[:, 0]
        density, colour = torch.zeros_like(squared), torch.zeros_like(points)
        if len(near):
            raw, seen = self.near(points[near], directions[near], vertex[near])
            if self.density_noise > 0:
                raw = raw + self.density_noise * torch.randn_like(raw)
            density, colour = density.index_put((near,), F.relu(raw)), colour.index_put((near,), seen)
        return Radiance(density, colour, torch.zeros_like(density))


def _carry(warp: Float[Tensor, "point 3 4"], points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """Each point by its own affine map: elementwise, several times as fast as half a million tiny products."""
    return (warp[:, :, :3] * points[:, None]).sum(dim=-1) + warp[:, :, 3]
