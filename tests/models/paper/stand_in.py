"""Weights that stand in for the published ones: made from a tensor's name, so that there is no file to ship.

The recipe is that with which the golden numbers were computed by the published code.
"""

import zlib

import numpy as np
import torch
from torch import Tensor

from sherf.models.config import SherfConfig
from sherf.models.paper.network import Sherf
from sherf.models.published.names import from_published, published_shapes


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
    """All that a network needs, by published name."""
    return {name: stand_in(name, shape, salt) for name, shape in published_shapes(config).items()}


def stand_in_model(config: SherfConfig, salt: str = "") -> Sherf:
    """The network, ready for evaluation."""
    with torch.device("meta"):
        model = Sherf(config)
    model.load_state_dict(from_published(stand_in_tensors(config, salt), config), assign=True)
    return model.eval()
