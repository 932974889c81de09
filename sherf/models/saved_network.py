"""A network's avatar as tensors: its bank, and the part of the network that reads it. Neither photo nor encoder."""

from pathlib import Path

import torch
from torch import Tensor

from sherf.errors import BadInput
from sherf.models.checkpoint import empty_model
from sherf.models.config import SherfConfig
from sherf.models.paper.bank import FeatureBank
from sherf.models.paper.network import Sherf
from sherf.models.paper.sparse import SparseVolume
from sherf.scene import Subject

NETWORK = "network."
AGAIN = "Make it again with `sherf reconstruct`."


def network_tensors(bank: FeatureBank, network: Sherf) -> dict[str, Tensor]:
    """What a file holds of the bank and the network."""
    tensors = {"vertices": bank.vertices}
    maps = {name: x for name in ("planes", "pixels") if (x := getattr(bank, name)) is not None}
    # the published network's are kept to the bit, ours are half as large
    tensors |= {name: x.half() if network.config.anchor == "surface" else x for name, x in maps.items()}
    for scale, volume in enumerate(bank.volumes):
        tensors |= {f"volume{scale}.features": volume.features, f"volume{scale}.sites": volume.sites[:, 1:].int()}
        tensors[f"volume{scale}.shape"] = torch.tensor(volume.shape, dtype=torch.int32)
    reading = {name: x for name, x in network.state_dict().items() if not name.startswith("encoder.")}
    return tensors | {NETWORK + name: x for name, x in reading.items()}


def restore_network(
    path: Path, tensors: dict[str, Tensor], config: SherfConfig, subject: Subject
) -> tuple[FeatureBank, Sherf]:
    """The bank and the network without its encoder.

    Raises:
        BadInput: a tensor is missing, has another shape than the configuration says, or is not made of numbers.
    """
    network = empty_model(path, config, with_encoder=False).eval()
    own = {name: _taken(path, tensors, NETWORK + name, tuple(x.shape)) for name, x in network.state_dict().items()}
    network.load_state_dict(own, assign=True)
    kind = torch.float16 if config.anchor == "surface" else torch.float32
    planes = pixels = None
    if "global" in config.levels:
        planes = _taken(path, tensors, "planes", (config.num_planes, config.token_width, *config.plane_size), kind)
    if "pixel" in config.levels:
        pixels = _taken(path, tensors, "pixels", (config.encoder_width, None, None), kind)
    volumes: tuple[SparseVolume, ...] = ()
    if "point" in config.levels:
        volumes = tuple(_volume(path, tensors, scale, c) for scale, c in enumerate(config.volume_channels))
    vertices = _taken(path, tensors, "vertices", (None, 3))
    return FeatureBank(subject, vertices, planes, volumes, pixels), network


def _volume(path: Path, tensors: dict[str, Tensor], scale: int, channels: int) -> SparseVolume:
    features = _taken(path, tensors, f"volume{scale}.features", (None, channels))
    sites = _taken(path, tensors, f"volume{scale}.sites", (len(features), 3), torch.int32).long()
    shape = tuple(_taken(path, tensors, f"volume{scale}.shape", (3,), torch.int32).tolist())
    in_range = len(sites) == 0 or bool(((sites >= 0) & (sites < torch.tensor(shape))).all())
    if not all(0 < n <= LONGEST_SIDE for n in shape) or not in_range:
        raise BadInput(f"{path}: 'volume{scale}' has sites outside its {shape} voxels. {AGAIN}")
    sites = torch.cat([torch.zeros_like(sites[:, :1]), sites], dim=1)
    return SparseVolume(features, sites, shape, 1)


LONGEST_SIDE = 1024
"""Voxels; a body of 2 m has 400 of the finest."""


def _taken(
    path: Path, tensors: dict[str, Tensor], name: str, shape: tuple[int | None, ...], kind: torch.dtype = torch.float32
) -> Tensor:
    if name not in tensors:
        raise BadInput(f"{path}: the tensor '{name}' is missing. {AGAIN}")
    found = tensors[name]
    fits = found.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, found.shape, strict=True))
    if not fits or found.dtype != kind or not bool(found.float().isfinite().all()):
        raise BadInput(
            f"{path}: the tensor '{name}' has shape {tuple(found.shape)} and type {found.dtype}, or holds values that "
            f"are no numbers; expected {shape} and {kind}. {AGAIN}"
        )
    return found.float() if kind == torch.float16 else found
