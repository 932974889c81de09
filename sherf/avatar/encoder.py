"""Observation in, avatar out: a loaded model on a device, and the body model that goes with it."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.errors import BadInput
from sherf.models.protocol import Bank, Model
from sherf.render.backend import Backend
from sherf.scene import Subject

DEFAULT_BODY = "openbody"


@dataclass(frozen=True)
class EncodedAvatar:
    """Everything that is needed to render a person, without the photo's file; on the CPU, wherever it was made."""

    bank: Bank
    """What the model made of the photo. Renderers move it to their device."""
    model: Model
    """What reads the bank."""
    report: dict[str, Any]
    """Scores of the fit and provenance, as in report.json."""


@runtime_checkable
class AvatarEncoder(Protocol):
    """Makes avatars of observations."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def body_model(self) -> str | None:
        """Name of the only body model that the weights know; None for any."""
        ...

    @property
    def backend(self) -> Backend:
        """Where it computes."""
        ...

    @property
    def identity(self) -> str:
        """What tells the encoder from others and from other weights."""
        ...

    def encode(
        self,
        subject: Subject,
        body: BodyModel,
        report: dict[str, Any],
        vertices: Float[Tensor, "vertex 3"] | None = None,
    ) -> EncodedAvatar:
        """Encode an observation.

        Args:
            subject: photo, mask, camera and pose.
            body: the body model of the pose.
            report: kept with the avatar.
            vertices: of the body in the photo, world space, where a data set provides them; else the pose decides.
        """
        ...


@dataclass(frozen=True)
class ModelEncoder:
    """An `AvatarEncoder`: a model on a device."""

    model: Model
    backend: Backend
    identity: str

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def body_model(self) -> str | None:
        """Name of the only body model that the weights know; None for any."""
        return self.model.body_model

    def encode(
        self,
        subject: Subject,
        body: BodyModel,
        report: dict[str, Any],
        vertices: Float[Tensor, "vertex 3"] | None = None,
    ) -> EncodedAvatar:
        """Encode an observation: `AvatarEncoder.encode`. No gradients."""
        device = self.backend.device
        model = self.model.for_inference(device)
        with torch.no_grad():
            vertices = None if vertices is None else vertices.to(device)
            body = body.to(device)
            bank = model.complete(model.encode(subject.to(device), body, vertices), body, self.backend)
            return EncodedAvatar(bank.to("cpu"), model, report)


def body_for(encoder: AvatarEncoder, requested: str | None, default: str = DEFAULT_BODY) -> BodyModel:
    """Return the body model that goes with an encoder.

    Args:
        encoder: may know one body model only.
        requested: name or file that the user chose; None leaves the choice to the encoder.
        default: for encoders that take any.

    Raises:
        BadInput: the user's choice is not the encoder's.
        MissingAsset: the body model's file may not ship and was not found.
    """
    body = load_body_model(requested or encoder.body_model or default)
    if encoder.body_model is not None and body.name != encoder.body_model:
        raise BadInput(
            f"the model {encoder.name} was trained with the body model '{encoder.body_model}', but '{body.name}' was "
            "requested.\nShapes and surfaces of different body models are not interchangeable: pass --body-model "
            f"{encoder.body_model}, or another --model."
        )
    return body
