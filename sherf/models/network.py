"""The base class of trainable networks: a `Model` with weights, a configuration and readers that keep gradients."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.models.atlas import Atlas
from sherf.models.config import SherfConfig
from sherf.models.packed_tensors import check_vertices, read_tensor
from sherf.models.protocol import Bank, TrainingReader
from sherf.render.backend import Backend
from sherf.scene import Subject

PREFIX = "network."
"""Prefix of the network's weights in an avatar file."""
ENCODER = "encoder."
"""Prefix of the encoder's weights, which avatar files leave out."""


class Network(nn.Module, ABC):
    """A `Model` with weights."""

    encoder: nn.Module | None
    """Encodes a photo into a bank; None in a network restored from an avatar file."""

    def __init__(self, config: SherfConfig):
        """Store the configuration; subclasses build the layers."""
        super().__init__()
        self.config = config

    @property
    def name(self) -> str:
        """Name of the model, from the configuration."""
        return self.config.name

    @property
    def body_model(self) -> str:
        """Name of the body model that the weights were trained with."""
        return self.config.body_model

    @property
    def is_tunable(self) -> bool:
        """Whether the network's banks have maps that can be tuned to their photo (`TunableBank`)."""
        return False

    def for_inference(self, device: torch.device) -> "Network":
        """Return the network in evaluation mode on `device`."""
        return self.to(device).eval()

    @abstractmethod
    def encode(self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"] | None = None) -> Bank:
        """Encode an observation: `Model.encode`."""

    def complete(self, bank: Any, body: BodyModel, backend: Backend) -> Bank:
        """Return the bank as it is: `Model.complete`."""
        return bank

    @abstractmethod
    def reader(self, bank: Any, body: BodyModel, backend: Backend, chunk: int | None = None) -> TrainingReader:
        """Prepare a bank for rendering: `Model.reader`, with gradients."""

    @abstractmethod
    def pack_bank(self, bank: Any) -> dict[str, Tensor]:
        """Return the tensors of a bank for an avatar file, without the subject."""

    @abstractmethod
    def unpack_bank(self, source: Path, tensors: dict[str, Tensor], subject: Subject) -> Bank:
        """Return the bank from the tensors that `pack_bank` returned.

        Args:
            source: the file, for error messages.
            tensors: all tensors of the file.
            subject: the avatar's observation.

        Raises:
            BadInput: a tensor is missing, or its shape or type does not match the configuration.
        """

    @abstractmethod
    def atlas(self, body: BodyModel) -> Atlas | None:
        """Return the atlas of the network's UV feature maps; None for a network without such maps."""

    @abstractmethod
    def half_precision_parts(self) -> list[nn.Module]:
        """Return the modules that may compute in bfloat16: those that do not process geometry."""

    def pack(self, bank: Any) -> dict[str, Tensor]:
        """Return the tensors of an avatar file: the bank and the weights that read it (`Model.pack`)."""
        weights = {PREFIX + name: x for name, x in self.state_dict().items() if not name.startswith(ENCODER)}
        return self.pack_bank(bank) | weights

    def unpack(self, source: Path, tensors: dict[str, Tensor], subject: Subject, body: BodyModel) -> Bank:
        """Return the bank of an avatar file, after loading the network's weights from it: `Model.unpack`.

        Raises:
            BadInput: a tensor is missing, or its shape or type does not match the configuration or the body model.
        """
        weights = {
            name: read_tensor(source, tensors, PREFIX + name, tuple(x.shape)) for name, x in self.state_dict().items()
        }
        self.load_state_dict(weights, assign=True)
        check_vertices(source, tensors, "vertices", body)
        return self.unpack_bank(source, tensors, subject)
