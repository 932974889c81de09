"""Load models by name: the template, a shipped network, or a checkpoint file."""

from pathlib import Path

from sherf.errors import BadInput
from sherf.files.assets import asset_path
from sherf.files.digest import file_sha256
from sherf.models.build import empty_network
from sherf.models.checkpoint import load_checkpoint
from sherf.models.config import SherfConfig
from sherf.models.protocol import Model
from sherf.models.template.model import TemplateModel

TEMPLATE = TemplateModel.name
SHIPPED = ("sherf-small",)
"""Checkpoints that ship with the package, `checkpoints/NAME/NAME.safetensors`."""


def weights_path(name: str) -> Path:
    """Return the path of a model's weights: that of a shipped model by its name, else the name itself as a path.

    Raises:
        MissingAsset: a shipped model's weights are damaged or not installed.
    """
    return asset_path(f"{name}/{name}.safetensors") if name in SHIPPED else Path(name)


def load_model(name: str) -> tuple[Model, str]:
    """Load a model by name or by the path of its checkpoint.

    Returns:
        The model, on the CPU, and an identifier of it and its weights: a SHA-256, or the template's name.

    Raises:
        BadInput: there is no such model, or the file is not a checkpoint.
        MissingAsset: a shipped model's weights are damaged or not installed.
    """
    if name == TEMPLATE:
        return TemplateModel(), TEMPLATE
    path = weights_path(name)
    if not path.is_file():
        raise BadInput(
            f"unknown model {name!r}.\nChoose one of: {', '.join(SHIPPED)}, {TEMPLATE}; or pass the .safetensors file "
            "of a checkpoint, as written by `sherf train` and `sherf import-checkpoint`."
        )
    return load_checkpoint(path), file_sha256(path)


def model_of_avatar(config: SherfConfig | None) -> Model:
    """Return the model that reads an avatar file's bank.

    A network has no weights yet: `Model.unpack` loads them.

    Args:
        config: the network's configuration; None for the template.
    """
    return TemplateModel() if config is None else empty_network(config, with_encoder=False).eval()
