"""The state of a training on disk: everything needed to resume, in one file that is written atomically."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sherf.errors import BadInput
from sherf.files.digest import tensors_sha256
from sherf.files.output import atomic_output
from sherf.files.versions import check_version

STATE = "state.safetensors"
FORMAT, FORMAT_VERSION = "sherf-training-state", 1
"""States without a version are of version 1."""
REMEDY = "Start again in another --out, or pass --overwrite."


@dataclass
class Progress:
    """Progress of a training."""

    step: int = 0
    """Completed steps."""
    seconds: float = 0.0
    """Time spent in steps, over all runs."""


class RunningAverage:
    """Exponential moving average of a module's weights."""

    def __init__(self, module: nn.Module, share: float):
        """Start from the module's weights.

        Args:
            module: its parameters and buffers are averaged.
            share: decay per step: the share of the old average that is kept.
        """
        self.share = share
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def update(self, module: nn.Module, step: int) -> None:
        """Update the average with the weights after a step; early on its decay is only (1 + step) / (10 + step)."""
        share = min(self.share, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in module.state_dict().items():
                average = self.weights[name]
                if average.is_floating_point():
                    average.lerp_(value.to(average), 1 - share)
                else:
                    average.copy_(value)


def write_state(
    path: Path,
    settings: dict[str, Any],
    progress: Progress,
    model: nn.Module,
    average: RunningAverage,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write everything that is needed to resume.

    Args:
        path: the .safetensors file.
        settings: of the training, as JSON values.
        progress: steps and seconds so far.
        model: its weights.
        average: running average of the weights.
        optimizer: of the model's parameters, in their order.

    Raises:
        OutputError: the file cannot be written; an earlier state remains.
    """
    names = [name for name, _ in model.named_parameters()]
    tensors: dict[str, Tensor] = {f"model.{name}": x for name, x in model.state_dict().items()}
    tensors |= {f"average.{name}": x for name, x in average.weights.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{names[index]}.{slot}": torch.as_tensor(x) for slot, x in slots.items()}
    counters = {"step": progress.step, "seconds": progress.seconds}
    contiguous = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    described = {"settings": settings, "tensors_sha256": _digest(contiguous)}
    header = {"format": FORMAT, "version": FORMAT_VERSION, **described, **counters}
    with atomic_output(path) as partial:
        partial.write_bytes(save(contiguous, {"about": json.dumps(header)}))


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a state: format, version, settings, step and seconds.

    Raises:
        BadInput: the file is damaged, not a training state, or of a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["about"])
        is_state = header["format"] == FORMAT and isinstance(header["settings"], dict)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{path} is damaged or not a training state ({error}).\n{REMEDY}") from error
    if not is_state:
        raise BadInput(f"{path} is not a training state.\n{REMEDY}")
    check_version(path, header.get("version", 1), FORMAT_VERSION)
    return header


def read_state(path: Path, model: nn.Module, average: RunningAverage, optimizer: torch.optim.Optimizer) -> Progress:
    """Restore model, average and optimiser from a state.

    Args:
        path: the .safetensors file.
        model: gets the weights.
        average: gets the averaged weights.
        optimizer: gets the moments of the model's parameters.

    Returns:
        The progress at which the state was written.

    Raises:
        BadInput: the file is damaged, or belongs to another network.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get("tensors_sha256", digest := _digest(tensors)) != digest:  # earlier versions wrote none
            raise BadInput(f"{path} is damaged: its numbers have changed since it was written.\n{REMEDY}")
        model.load_state_dict(_select(tensors, "model."))
        average.weights = {name: x.to(average.weights[name]) for name, x in _select(tensors, "average.").items()}
        slots = _select(tensors, "optimizer.")
        state: dict[int, dict[str, Tensor]] = {}
        for index, (name, _) in enumerate(model.named_parameters()):
            moments = {key.removeprefix(name + "."): x for key, x in slots.items() if key.rpartition(".")[0] == name}
            if moments:
                state[index] = moments
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        return Progress(int(header["step"]), float(header["seconds"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise BadInput(f"{path} does not belong to this network, or is damaged ({error}).\n{REMEDY}") from error


def _digest(tensors: dict[str, Tensor]) -> str:
    return tensors_sha256(*(tensors[name] for name in sorted(tensors)))


def _select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, without it."""
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}
