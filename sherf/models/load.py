"""The models that make avatars: the template, or a network from a checkpoint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.avatar.avatar_file import Avatar
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.errors import BadInput
from sherf.files.assets import asset_path
from sherf.files.digest import file_sha256
from sherf.files.duration import read_duration
from sherf.models.checkpoint import load_checkpoint
from sherf.models.config import SherfConfig
from sherf.models.paper.network import Sherf
from sherf.models.template.bank import encode as encode_template
from sherf.render.devices import Backend
from sherf.scene import Subject

TEMPLATE = "template"
SHIPPED = ("sherf-small",)
"""Checkpoints that come with the package, `checkpoints/NAME/NAME.safetensors`."""
DEFAULT_BODY = "openbody"


@runtime_checkable
class AvatarModel(Protocol):
    """Photo in, avatar out."""

    name: str
    body_model: str | None
    """The only body model that its weights know; None: any."""
    identity: str
    """Tells it from other models and other weights."""

    def encode(
        self, subject: Subject, body: BodyModel, report: dict, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> Avatar:
        """The avatar of an observation.

        Args:
            report: kept beside it.
            vertices: of the body in the photo where a data set gives them; else the pose does.
        """
        ...


class TemplateModel:
    """No learned weights."""

    name, body_model, identity = TEMPLATE, None, TEMPLATE

    def encode(
        self, subject: Subject, body: BodyModel, report: dict, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> Avatar:
        """See `AvatarModel`; the pose says where the body is."""
        with torch.no_grad():
            return Avatar(encode_template(subject, body), report)


@dataclass(frozen=True)
class NetworkModel:
    """A trained network."""

    network: Sherf
    backend: Backend
    identity: str

    @property
    def name(self) -> str:
        """As its configuration calls it."""
        return self.network.config.name

    @property
    def body_model(self) -> str:
        """Whose shapes the weights were trained on."""
        return self.network.config.body_model

    def encode(
        self, subject: Subject, body: BodyModel, report: dict, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> Avatar:
        """See `AvatarModel`."""
        device = self.backend.device
        with torch.no_grad():
            placed = None if vertices is None else vertices.to(device)
            bank = self.network.to(device).encode(subject.to(device), body.to(device), placed)
        return Avatar(bank, report, self.network)


@dataclass(frozen=True)
class PersonalisedModel:
    """A network whose maps learn each photo for a while."""

    model: NetworkModel
    seconds: float

    @property
    def name(self) -> str:
        """The network's."""
        return self.model.name

    @property
    def body_model(self) -> str:
        """The network's."""
        return self.model.body_model

    @property
    def identity(self) -> str:
        """The network's, and for how long."""
        return f"{self.model.identity} personalised {self.seconds:g} s"

    def encode(
        self, subject: Subject, body: BodyModel, report: dict, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> Avatar:
        """See `AvatarModel`."""
        from sherf.training.personalise import personalised

        return personalised(self.model.encode(subject, body, report, vertices), body, self.model.backend, self.seconds)


def load_avatar_model(name: str, backend: Backend, personalise: str = "") -> AvatarModel:
    """A model by name or by the path of its checkpoint.

    Args:
        personalise: for how long its maps learn each photo, as in 60s or 2m; not at all if empty.

    Raises:
        BadInput: there is no such model, the file is no checkpoint, or the model cannot learn a photo.
        MissingAsset: a shipped one is damaged or was not installed.
    """
    model = _load(name, backend)
    if not personalise:
        return model
    seconds = read_duration(personalise, "--personalise")
    if not isinstance(model, NetworkModel) or not can_learn(model.network.config):
        raise BadInput(f"--personalise needs a model with maps that can learn, as sherf-small; {model.name} has none.")
    return PersonalisedModel(model, seconds)


def can_learn(config: SherfConfig) -> bool:
    """Whether a network's avatars have what `personalise` teaches."""
    return config.anchor == "surface" and "global" in config.levels


def _load(name: str, backend: Backend) -> AvatarModel:
    if name == TEMPLATE:
        return TemplateModel()
    path = asset_path(f"{name}/{name}.safetensors") if name in SHIPPED else Path(name)
    if not path.is_file():
        raise BadInput(
            f"there is no model {name!r}.\nThere are {', '.join(SHIPPED)} and {TEMPLATE}; or give the .safetensors "
            "file of a checkpoint, as `sherf train` and `sherf import-checkpoint` write it."
        )
    return NetworkModel(load_checkpoint(path), backend, file_sha256(path))


def body_for(model: AvatarModel, asked: str | None, default: str = DEFAULT_BODY) -> BodyModel:
    """The body model to go with a model of avatars.

    Args:
        asked: name or file that the user chose; None leaves it to the model.
        default: for models that take any.

    Raises:
        BadInput: the user's choice is not the model's.
        MissingAsset: it may not ship and is not there.
    """
    body = load_body_model(asked or model.body_model or default)
    if model.body_model is not None and body.name != model.body_model:
        raise BadInput(
            f"the model {model.name} was trained with the body model '{model.body_model}', but '{body.name}' was asked "
            f"for.\nShapes and surfaces of one body model mean nothing to another: pass --body-model "
            f"{model.body_model}, or another --model."
        )
    return body
