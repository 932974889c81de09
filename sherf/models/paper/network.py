"""SHERF as published (Hu et al., ICCV 2023): the network that encodes a photo and decodes its feature bank."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput
from sherf.models.atlas import Atlas
from sherf.models.config import TOKENS, SherfConfig
from sherf.models.layers.fusion import FusionTransformer
from sherf.models.network import Network
from sherf.models.packed_tensors import REMEDY, read_tensor
from sherf.models.paper.bank import CanonicalSpace, FeatureBank
from sherf.models.paper.decoder import NerfDecoder
from sherf.models.paper.encoder import FeatureEncoder
from sherf.models.paper.field import PaperReader
from sherf.models.paper.point_features import Reprojection, TokenTables
from sherf.models.paper.sparse import SparseVolume
from sherf.render.backend import Backend
from sherf.scene import Subject

DENSITY_TOKEN, COLOUR_TOKEN = 0, 1
"""The fused tokens from which the decoder reads density and colour."""
MAX_VOLUME_SIDE = 1024
"""Maximum number of voxels along a side of a saved volume; a body of 2 m spans 400 of the finest."""


class PaperNetwork(Network):
    """The published network: `encode` a photo, build `tables` once per avatar, then query `radiance`."""

    encoder: FeatureEncoder | None

    def __init__(self, config: SherfConfig, with_encoder: bool = True):
        """Create the layers with random weights.

        Args:
            config: widths, depths and levels.
            with_encoder: False leaves out the encoder, which rendering a saved avatar does not need.
        """
        super().__init__(config)
        self.encoder = FeatureEncoder(config) if with_encoder else None
        self.reprojection = Reprojection(config)
        self.fusion = FusionTransformer(config.token_width, config.heads, config.head_width, config.fusion_depth)
        self.decoder = NerfDecoder(config.token_width, config.decoder_width, config.decoder_depth)

    def encode(
        self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> FeatureBank:
        """Encode an observation: `Model.encode`."""
        assert self.encoder is not None, "this network was restored from an avatar file and has no encoder"
        return self.encoder([subject], body, None if vertices is None else vertices[None])[0]

    def reader(self, bank: FeatureBank, body: BodyModel, backend: Backend, chunk: int | None = None) -> PaperReader:
        """Prepare a bank for rendering: `Model.reader`, with gradients."""
        return PaperReader(self, bank, body, backend, PaperReader.OPTIONS.on(backend, chunk))

    def atlas(self, body: BodyModel) -> Atlas | None:
        """Return None: the published network has tri-planes instead of UV feature maps."""
        return None

    def half_precision_parts(self) -> list[nn.Module]:
        """Return an empty list: the published network is trained in single precision."""
        return []

    def tables(self, bank: FeatureBank, space: CanonicalSpace) -> TokenTables:
        """Return the bank prepared for sampling at many points."""
        return TokenTables(bank, space, self.reprojection)

    def radiance(
        self,
        tables: TokenTables,
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
        pixels: Float[Tensor, "point 2"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Return the raw density (1/m, before its ReLU) and the colour of canonical points.

        Args:
            tables: the bank, as returned by `tables`.
            points: canonical space, metres.
            directions: view directions warped to canonical space, not normalised.
            pixels: projections of the points into the photo, in the published convention (`projection.py`).
        """
        return self.decode(tables.tokens(points, pixels), points, directions)

    def decode(
        self,
        tokens: Float[Tensor, "point 3 width"],
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Return raw density (1/m, before its ReLU) and colour from tokens: fusion transformer and decoder.

        Args:
            tokens: tokens of each point.
            points: canonical space, metres.
            directions: view directions warped to canonical space, not normalised.
        """
        assert tokens.shape[1] == TOKENS
        fused = self.fusion(tokens, max(DENSITY_TOKEN, COLOUR_TOKEN) + 1)
        return self.decoder(points, directions, fused[:, DENSITY_TOKEN], fused[:, COLOUR_TOKEN])

    def pack_bank(self, bank: FeatureBank) -> dict[str, Tensor]:
        """Return the tensors of a bank for an avatar file, lossless."""
        tensors = {"vertices": bank.vertices}
        tensors |= {name: x for name in ("planes", "pixels") if (x := getattr(bank, name)) is not None}
        for scale, volume in enumerate(bank.volumes):
            tensors |= {f"volume{scale}.features": volume.features, f"volume{scale}.sites": volume.sites[:, 1:].int()}
            tensors[f"volume{scale}.shape"] = torch.tensor(volume.shape, dtype=torch.int32)
        return tensors

    def unpack_bank(self, source: Path, tensors: dict[str, Tensor], subject: Subject) -> FeatureBank:
        """Return the bank from the tensors that `pack_bank` returned: `Network.unpack_bank`.

        Raises:
            BadInput: a tensor is missing, or its shape or type does not match the configuration.
        """
        config = self.config
        planes = pixels = None
        if "global" in config.levels:
            planes = read_tensor(source, tensors, "planes", (config.num_planes, config.token_width, *config.plane_size))
        if "pixel" in config.levels:
            pixels = read_tensor(source, tensors, "pixels", (config.encoder_width, None, None))
        volumes: tuple[SparseVolume, ...] = ()
        if "point" in config.levels:
            volumes = tuple(_volume(source, tensors, scale, c) for scale, c in enumerate(config.volume_channels))
        vertices = read_tensor(source, tensors, "vertices", (None, 3))
        return FeatureBank(subject, vertices, planes, volumes, pixels)


def _volume(source: Path, tensors: dict[str, Tensor], scale: int, channels: int) -> SparseVolume:
    features = read_tensor(source, tensors, f"volume{scale}.features", (None, channels))
    sites = read_tensor(source, tensors, f"volume{scale}.sites", (len(features), 3), torch.int32).long()
    z, y, x = read_tensor(source, tensors, f"volume{scale}.shape", (3,), torch.int32).tolist()
    shape = (z, y, x)
    in_range = len(sites) == 0 or bool(((sites >= 0) & (sites < torch.tensor(shape))).all())
    if not all(0 < n <= MAX_VOLUME_SIDE for n in shape) or not in_range:
        raise BadInput(f"{source}: 'volume{scale}' has sites outside its {shape} voxels. {REMEDY}")
    sites = torch.cat([torch.zeros_like(sites[:, :1]), sites], dim=1)
    return SparseVolume(features, sites, shape, 1)
