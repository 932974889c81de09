"""A training on disk: everything that continuing needs in one file, written whole or not at all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sherf.errors import BadInput
from sherf.files.output import atomic_output
from sherf.files.versions import check_version

STATE = "state.safetensors"
FORMAT, FORMAT_VERSION = "sherf-training-state", 1
"""States of before the version was written are of version 1."""
REMEDY = "Begin anew in another --out, or with --overwrite."


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Spent in steps, over all runs."""


class RunningAverage:
    """Exponential moving average of a module's weights."""

    def __init__(self, module: nn.Module, share: float):
        self.share = share
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def update(self, module: nn.Module, step: int) -> None:
        """Take up the weights after a step; early on the average is shorter."""
        share = min(self.share, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in module.state_dict().items():
                own = self.weights[name]
                if own.is_floating_point():
                    own.lerp_(value.to(own), 1 - share)
                else:
                    own.copy_(value)


def write_state(
    path: Path,
    settings: dict[str, Any],
    progress: Progress,
    model: nn.Module,
    average: RunningAverage,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write all that continuing needs.

    Raises:
        OutputError: it cannot be written; what was there before stays.
    """
    names = [name for name, _ in model.named_parameters()]
    tensors: dict[str, Tensor] = {f"model.{name}": x for name, x in model.state_dict().items()}
    tensors |= {f"average.{name}": x for name, x in average.weights.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{names[index]}.{slot}": torch.as_tensor(x) for slot, x in slots.items()}
    counted = {"step": progress.step, "seconds": progress.seconds}
    header = {"format": FORMAT, "version": FORMAT_VERSION, "settings": settings, **counted}
    contiguous = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    with atomic_output(path) as partial:
        partial.write_bytes(save(contiguous, {"about": json.dumps(header)}))


def read_header(path: Path) -> dict[str, Any]:
    """What a state says of itself.

    Raises:
        BadInput: it is damaged or something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["about"])
        if header["format"] != FORMAT or not isinstance(header["settings"], dict):
            raise ValueError("not a training's state")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is damaged or no training's state ({error}).\n{REMEDY}") from error
    check_version(path, header.get("version", 1), FORMAT_VERSION)
    return header


def read_state(path: Path, model: nn.Module, average: RunningAverage, optimizer: torch.optim.Optimizer) -> Progress:
    """Take up where a state was written.

    Raises:
        BadInput: it is damaged, or of another network.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model.load_state_dict(_under(tensors, "model."))
        average.weights = {name: x.to(average.weights[name]) for name, x in _under(tensors, "average.").items()}
        slots = _under(tensors, "optimizer.")
        state: dict[int, dict[str, Tensor]] = {}
        for index, (name, _) in enumerate(model.named_parameters()):
            own = {key.removeprefix(name + "."): x for key, x in slots.items() if key.rpartition(".")[0] == name}
            if own:
                state[index] = own
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        return Progress(int(header["step"]), float(header["seconds"]))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path} does not belong to this network, or is damaged ({error}).\n{REMEDY}") from error


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}
