"""sherf-small: the network that samples UV feature maps and the photo at the body's surface."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.models.atlas import Atlas, atlas_of
from sherf.models.config import SherfConfig
from sherf.models.layers.resnet import ResnetStages
from sherf.models.network import Network
from sherf.models.packed_tensors import read_tensor
from sherf.models.protocol import SamplingOptions, TexelMaps
from sherf.models.surface.bank import SurfaceBank
from sherf.models.surface.complete import own_image, raise_surface
from sherf.models.surface.encoder import SurfaceEncoder
from sherf.models.surface.field import OPTIONS, SurfaceField
from sherf.models.surface.layer import unpack_layer
from sherf.models.surface.layered_field import LayeredField
from sherf.models.surface.tables import SurfaceHeads, SurfaceTables
from sherf.models.surface.uncovered import layer_of_uncovered
from sherf.models.surface.uv_maps import InpaintingUNet
from sherf.render.backend import Backend
from sherf.render.march import MarchOptions
from sherf.scene import PosedBody, Subject


class SurfaceNetwork(Network):
    """A network whose points are anchored to the body's surface (`anchor="surface"`)."""

    encoder: SurfaceEncoder | None

    def __init__(self, config: SherfConfig, with_encoder: bool = True):
        """Create the layers with random weights.

        Args:
            config: widths, depths and switches.
            with_encoder: False leaves out the encoder, which rendering a saved avatar does not need.
        """
        super().__init__(config)
        self.encoder = SurfaceEncoder(config) if with_encoder else None
        self.heads = SurfaceHeads(config)

    @property
    def is_tunable(self) -> bool:
        """Whether there are UV feature maps."""
        return "global" in self.config.levels

    def encode(
        self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> SurfaceBank:
        """Encode an observation: `Model.encode`."""
        assert self.encoder is not None, "this network was restored from an avatar file and has no encoder"
        return self.encoder(subject, body, body.pose(subject.pose).vertices if vertices is None else vertices)

    def complete(self, bank: SurfaceBank, body: BodyModel, backend: Backend) -> SurfaceBank:
        """Return the bank with a surface raised to the mask's outline and a layer for what stands off: no gradients."""
        with torch.no_grad():
            tables = self.tables(bank, body)
            bank = replace(bank, raised=raise_surface(tables, body))
            if backend.make_shell is not None and self.config.anchored:
                bank = replace(bank, levels=tables.levels, mixture=tables.mixture)
            tables = tables.with_bank(bank)
            posed = replace(body.pose(bank.subject.pose), vertices=bank.vertices)
            field = SurfaceField(tables, body, posed, backend, OPTIONS.on(backend))
            clothed = tables.clothed(bank.vertices, vertex_normals(bank.vertices, body.faces))
            image = own_image(field, bank.subject, clothed)
            layer = layer_of_uncovered(image, posed.to("cpu"), body.to("cpu"))
            return replace(bank, layer=None if layer is None else layer.to(bank.vertices.device))

    def reader(self, bank: SurfaceBank, body: BodyModel, backend: Backend, chunk: int | None = None) -> "SurfaceReader":
        """Prepare a bank for rendering: `Model.reader`, with gradients."""
        return SurfaceReader(self.tables(bank, body), body, backend, OPTIONS.on(backend, chunk))

    def tables(self, bank: SurfaceBank, body: BodyModel) -> SurfaceTables:
        """Return the bank prepared for sampling at many points."""
        return SurfaceTables(bank, body, self.config, self.heads)

    def atlas(self, body: BodyModel) -> Atlas:
        """Return the atlas of the UV feature maps."""
        return atlas_of(body, *self.config.plane_size)

    def half_precision_parts(self) -> list[nn.Module]:
        """Return the convolutional networks and the heads."""
        heads = self.heads
        parts = [module for module in self.modules() if isinstance(module, ResnetStages | InpaintingUNet)]
        return [*parts, heads.colour, heads.offset, heads.colour.plane, heads.colour.photo, heads.colour.look]

    def pack_bank(self, bank: SurfaceBank) -> dict[str, Tensor]:
        """Return the tensors of a bank for an avatar file, maps in half precision."""
        maps = {"planes": bank.maps, "pixels": bank.pixels}
        packed = {"vertices": bank.vertices} | {name: x.half() for name, x in maps.items() if x is not None}
        if bank.raised is not None:
            packed["raised"] = bank.raised
        if bank.layer is not None:
            layer = bank.layer
            packed |= {
                "layer.rest": layer.rest,
                "layer.weights": layer.weights.half(),
                "layer.faces": layer.faces.int(),
            }
        return packed

    def unpack_bank(self, source: Path, tensors: dict[str, Tensor], subject: Subject) -> SurfaceBank:
        """Return the bank from the tensors that `pack_bank` returned: `Network.unpack_bank`.

        Raises:
            BadInput: a tensor is missing, or its shape or type does not match the configuration.
        """
        config = self.config
        maps = pixels = None
        if "global" in config.levels:
            shape = (config.num_planes, config.token_width, *config.plane_size)
            maps = read_tensor(source, tensors, "planes", shape, torch.float16)
        if "pixel" in config.levels:
            pixels = read_tensor(source, tensors, "pixels", (config.encoder_width, None, None), torch.float16)
        vertices = read_tensor(source, tensors, "vertices", (None, 3))
        raised = read_tensor(source, tensors, "raised", (len(vertices),)) if "raised" in tensors else None
        return SurfaceBank(subject, vertices, maps, pixels, raised, unpack_layer(source, tensors))


class SurfaceReader:
    """A bank prepared for rendering: `TrainingReader`."""

    def __init__(self, tables: SurfaceTables, body: BodyModel, backend: Backend, options: MarchOptions = OPTIONS):
        """Store what all poses share.

        Args:
            tables: the bank.
            body: the body model, on the backend's device.
            backend: the operations that differ between devices.
            options: how frames are marched.
        """
        self.tables, self.body, self.backend, self.options = tables, body, backend, options

    def field(self, posed: PosedBody) -> SurfaceField | LayeredField:
        """Return the radiance field of a posed body."""
        field = SurfaceField(self.tables, self.body, posed, self.backend, self.options)
        layer = self.tables.bank.layer
        return field if layer is None else LayeredField(field, layer)

    def outline(self, posed: PosedBody) -> Float[Tensor, "point 3"]:
        """Return the clothed surface and the layer, world space, metres."""
        clothed = self.tables.clothed(posed.vertices, vertex_normals(posed.vertices, self.body.faces))
        layer = self.tables.bank.layer
        return clothed if layer is None else torch.cat([clothed, layer.posed(posed)])

    def texels(self) -> TexelMaps:
        """Return colour and displacement of the atlas's covered texels, decoded from the maps alone."""
        return self.tables.texels()

    def training_field(self, posed: PosedBody, sampling: SamplingOptions, rng: np.random.Generator) -> SurfaceField:
        """Return the field of a posed body for one training step: `TrainingReader.training_field`."""
        return SurfaceField(self.tables, self.body, posed, self.backend, self.options, sampling.step_m, False)
