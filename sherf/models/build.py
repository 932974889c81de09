"""Build the network that a configuration describes.

This is the only place that distinguishes the published network from sherf-small.
"""

from typing import assert_never

import torch

from sherf.models.config import SherfConfig
from sherf.models.network import Network
from sherf.models.paper.network import PaperNetwork
from sherf.models.surface.network import SurfaceNetwork


def build_network(config: SherfConfig, with_encoder: bool = True) -> Network:
    """Return a network with random weights.

    Args:
        config: widths, depths and switches.
        with_encoder: False builds only the part that reads feature banks, as saved avatars need it.
    """
    match config.anchor:
        case "vertices":
            return PaperNetwork(config, with_encoder)
        case "surface":
            return SurfaceNetwork(config, with_encoder)
        case _:
            assert_never(config.anchor)


def empty_network(config: SherfConfig, with_encoder: bool = True) -> Network:
    """Return a network on the meta device, without allocating memory.

    Args:
        config: as for `build_network`.
        with_encoder: as for `build_network`.
    """
    with torch.device("meta"):
        return build_network(config, with_encoder)
