"""Stand-ins for the published weights, generated from the tensors' names so that no file has to be shipped.

The published code computed the golden numbers with these weights.
"""

import zlib

import numpy as np
import torch
from torch import Tensor

from sherf.models.config import SherfConfig
from sherf.models.paper.network import PaperNetwork
from sherf.models.published.names import from_published, required_tensors


def published_shapes(config: SherfConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published tensors that a network needs."""
    return {published: shape for published, shape in required_tensors(config).values()}


def stand_in(name: str, shape: tuple[int, ...], salt: str = "") -> Tensor:
    """One tensor of the published network."""
    random = np.random.RandomState(zlib.crc32((salt + name).encode()))
    last = name.rsplit(".", 1)[-1]

    def normal(scale: float) -> np.ndarray:
        return random.standard_normal(shape) * scale

    if last == "running_var":
        values = random.uniform(0.6, 1.6, shape)
    elif last == "running_mean":
        values = normal(0.2)
    elif name.startswith("backbone."):
        values = _of_synthesis(name, normal)
    elif name == "decoder.alpha_linear.bias":
        values = np.full(shape, 55.0)
    elif last == "bias":
        values = normal(0.1)
    elif len(shape) == 1:
        values = random.uniform(0.6, 1.4, shape)
    else:
        gain = {"decoder.alpha_linear.weight": 15.0, "decoder.rgb_linear.weight": 0.8}.get(name, np.sqrt(2.0))
        values = normal(gain / np.sqrt(np.prod(shape[1:])))
    return torch.from_numpy(np.asarray(values, np.float32))


def _of_synthesis(name: str, normal) -> np.ndarray:
    if ".mapping.fc" in name and name.endswith("weight"):
        return normal(100.0)
    if name.endswith(".affine.bias"):
        return 1 + normal(0.1).astype(np.float32)
    return normal(0.1 if name.endswith("bias") else 1.0)


def stand_in_tensors(config: SherfConfig, salt: str = "") -> dict[str, Tensor]:
    """All tensors that a network needs, by published name."""
    return {name: stand_in(name, shape, salt) for name, shape in published_shapes(config).items()}


def stand_in_model(config: SherfConfig, salt: str = "") -> PaperNetwork:
    """The network, ready for evaluation."""
    with torch.device("meta"):
        model = PaperNetwork(config)
    model.load_state_dict(from_published(stand_in_tensors(config, salt), config), assign=True)
    return model.eval()
