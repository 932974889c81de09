"""Avatar encoders by name, as the options `--model` and `--personalise` choose them."""

from sherf.avatar.encoder import AvatarEncoder, ModelEncoder
from sherf.errors import BadInput
from sherf.files.duration import parse_duration
from sherf.models.load import load_model
from sherf.models.network import Network
from sherf.render.backend import Backend
from sherf.training.personalise import PersonalisingEncoder


def load_encoder(name: str, backend: Backend, personalise: str = "") -> AvatarEncoder:
    """Return the encoder of a model.

    Args:
        name: of a model that ships, or the path of a checkpoint.
        backend: where it computes.
        personalise: how long each avatar is tuned to its photo, as in 60s or 2m; empty for no tuning.

    Raises:
        BadInput: there is no such model, the file is not a checkpoint, or the model cannot be tuned.
        MissingAsset: a shipped model's weights are damaged or not installed.
    """
    model, identity = load_model(name)
    encoder = ModelEncoder(model, backend, identity)
    if not personalise:
        return encoder
    seconds = parse_duration(personalise, "--personalise")
    if not isinstance(model, Network) or not model.is_tunable:
        raise BadInput(
            f"--personalise needs a model with UV feature maps, such as sherf-small; {model.name} does not have any."
        )
    return PersonalisingEncoder(encoder, seconds)
