"""Build the network that a configuration describes.

This is the only place that distinguishes the published network from sherf-small.
"""

from pathlib import Path
from typing import assert_never

import torch

from sherf.errors import BadInput
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


def empty_network(source: Path, config: SherfConfig, with_encoder: bool = True) -> Network:
    """Return a network of a file's configuration on the meta device, without allocating memory.

    Args:
        source: the file, for error messages.
        config: read from the file.
        with_encoder: as for `build_network`.

    Raises:
        BadInput: the numbers of the configuration contradict each other.
    """
    try:
        with torch.device("meta"):
            return build_network(config, with_encoder)
    except Exception as error:  # contradictory numbers can raise anything in the layers
        raise BadInput(
            f"{source}: no network can be built from its 'config' ({error}).\nDownload both files again, or import or "
            "train the network again."
        ) from error
