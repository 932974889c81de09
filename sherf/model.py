"""SHERF (Hu et al., ICCV 2023): the feature bank of a photo, and the radiance field that a posed body reads from it."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sherf.body.model import BodyModel
from sherf.body.warp import vertex_warp, warp_directions, warp_points
from sherf.config import TOKENS, SherfConfig
from sherf.features.bank import CanonicalSpace, FeatureBank, FeatureEncoder, published_pixels
from sherf.field.decoder import NerfDecoder
from sherf.field.fusion import FusionTransformer
from sherf.field.point_features import Reprojection, Tables
from sherf.scene import PosedBody, Radiance, Subject

NearestVertex = Callable[[Float[Tensor, "point 3"]], Int[Tensor, " point"]]
DENSITY_TOKEN, COLOUR_TOKEN = 0, 1


class Sherf(nn.Module):
    """The network: `encode` a photo, then `tables` once per avatar, then ask `radiance` at canonical points."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        self.config = config
        self.encoder = FeatureEncoder(config)
        self.reprojection = Reprojection(config)
        self.fusion = FusionTransformer(config.token_width, config.heads, config.head_width, config.fusion_depth)
        self.decoder = NerfDecoder(config.token_width, config.decoder_width, config.decoder_depth)

    def encode(self, subject: Subject, body: BodyModel) -> FeatureBank:
        """The feature bank of one photo."""
        return self.encoder([subject], body)[0]

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
        fused = self.fusion(tokens)
        return self.decoder(points, directions, fused[:, DENSITY_TOKEN], fused[:, COLOUR_TOKEN])


class SherfField:
    """Radiance of an avatar in one pose, in world space."""

    def __init__(
        self,
        model: Sherf,
        tables: Tables,
        body: BodyModel,
        posed: PosedBody,
        nearest: Callable[[Float[Tensor, "vertex 3"]], NearestVertex],
        vertices: Float[Tensor, "vertex 3"] | None = None,
    ):
        """Prepare the warps.

        Args:
            nearest: makes the search for a set of vertices.
            vertices: of the posed body where a data set gives them; else `posed` does.
        """
        canonical = body.pose(body.big_pose())
        observed = body.pose(tables.bank.subject.pose)
        self.model, self.tables = model, tables
        self.vertices = posed.vertices if vertices is None else vertices
        self.to_canonical, self.to_observation = vertex_warp(posed, canonical), vertex_warp(canonical, observed)
        self.nearest_posed, self.nearest_canonical = nearest(self.vertices), nearest(canonical.vertices)

    def near(
        self,
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
        vertex: Int[Tensor, " point"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Raw density and colour at world points whose nearest posed vertex is known."""
        canonical = warp_points(points, vertex, self.to_canonical)
        turned = warp_directions(directions, vertex, self.to_canonical)
        observed = warp_points(canonical, self.nearest_canonical(canonical), self.to_observation)
        pixels = published_pixels(self.tables.bank.subject.camera, observed)
        return self.model.radiance(self.tables, canonical, turned, pixels)

    def __call__(self, points: Float[Tensor, "point 3"], directions: Float[Tensor, "point 3"]) -> Radiance:
        """Density (1/m) and colour at world points; empty further than the configured distance from the body."""
        vertex = self.nearest_posed(points)
        far = (points - self.vertices[vertex]).square().sum(dim=1) >= self.model.config.near_body_m**2
        raw, colour = self.near(points, directions, vertex)
        density = torch.where(far, 0.0, F.relu(raw))
        return Radiance(density, colour, torch.zeros_like(density))
