"""The command `sherf train`: read options, open the data set, start or resume, train."""

import logging
import math
import os
import shutil
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from sherf import __version__
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.datasets.data_digest import data_digest
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.open_data import open_data
from sherf.errors import BadInput
from sherf.files.duration import parse_duration
from sherf.files.lock import lock_folder
from sherf.models.build import build_network
from sherf.models.checkpoint import load_checkpoint
from sherf.models.network import Network
from sherf.progress import print_status
from sherf.render.devices import Backend, choose_backend
from sherf.training.loop import CHECKPOINT, RunLimits, Trainer
from sherf.training.options import TrainingOptions, TrainOptions
from sherf.training.read_options import read_training, training_record
from sherf.training.state import STATE, read_header
from sherf.training.validation import Validation


def run_training(config: str, options: TrainOptions) -> list[Path]:
    """Start a training, or resume the one in the output folder.

    Args:
        config: name of a training (sherf-small, sherf-paper), or the path of a JSON file.
        options: data, output folder and duration.

    Returns:
        The checkpoint and the log.

    Raises:
        BadInput: the configuration, the data set or the contents of the folder cannot be used.
        OutputError: the folder cannot be written, or another process uses it.
        TrainingError: a loss or gradient is not finite.
        KeyboardInterrupt: the user interrupted; the state was saved.
    """
    training = read_training(config)
    seconds = parse_duration(options.duration, "--for") if options.duration else math.inf
    backend = choose_backend(options.device)
    fabric = _launch_fabric(backend.device.type)
    backend = replace(backend, device=fabric.device)  # each process has its own GPU
    with lock_folder(options.out) if fabric.global_rank == 0 else nullcontext():
        return _train(config, training, options, seconds, backend, fabric)


def _train(
    config: str, training: TrainingOptions, options: TrainOptions, seconds: float, backend: Backend, fabric: Fabric
) -> list[Path]:
    """Return the checkpoint and the log, after training in a folder that this process has locked.

    Raises:
        BadInput: the batch cannot be shared by the processes, or the network is not trained in half precision.
    """
    body = load_body_model(options.body_model or training.model.body_model)
    data = open_data(options.dataset, options.data, body, "train")
    if training.batch % fabric.world_size:
        raise BadInput(
            f"a batch of {training.batch} cannot be split evenly among {fabric.world_size} processes: change either."
        )
    settings = _make_settings(training, options, data)
    if options.overwrite and (options.out / STATE).exists() and fabric.global_rank == 0:
        _clear(options.out)
    fabric.barrier()
    check_resumable(options.out / STATE, settings, options.changed_data)
    torch.manual_seed(training.seed)
    model = build_network(training.model)
    if options.begin_with is not None:
        _load_initial_weights(model, options.begin_with, training, config)
    half = options.precision == "bf16"
    if half and not model.half_precision_parts():
        raise BadInput(
            f"--precision bf16 is not available for {config}: as published, it is trained in single precision.\n"
            "Leave the option out."
        )
    trainer = Trainer(fabric, model, body.to(backend.device), backend, training, options.out, settings, half)
    validation = None
    if options.validation_steps > 0 and fabric.global_rank == 0:
        validation = _open_validation(options, body, trainer.progress.step)
    limits = RunLimits(seconds, 60 * options.save_minutes, max(options.validation_steps, 1))
    print_status(
        f"{config}: {len(data.subjects)} people, step {trainer.progress.step} of {training.steps}, {backend.name}"
    )
    trainer.train(data, validation, limits)
    return [options.out / CHECKPOINT, options.out / "log.csv"]


def _make_settings(training: TrainingOptions, options: TrainOptions, data: MultiviewData) -> dict[str, Any]:
    """Return what is stored with the state: options, data set and version."""
    return {
        "training": training_record(training),
        "dataset": options.dataset,
        "data_sha256": data_digest(data),
        "people": len(data.subjects),
        "precision": options.precision,
        "tool": f"sherf {__version__}",
    }


def _load_initial_weights(model: Network, path: Path, training: TrainingOptions, config: str) -> None:
    """Load the weights of a checkpoint into a new network.

    Raises:
        BadInput: the checkpoint is damaged, or its network has another configuration.
    """
    other = load_checkpoint(path)
    if other.config != training.model:
        raise BadInput(f"{path} holds a network of another configuration than {config}.")
    model.load_state_dict(other.state_dict())


def _open_validation(options: TrainOptions, body: BodyModel, after: int) -> Validation | None:
    """Return the validation, or None if the data set has no usable validation split."""
    try:
        return Validation(open_data(options.dataset, options.data, body, "validation"), options.out, after)
    except BadInput as error:
        print_status(f"no validation: {error}")
        return None


def check_resumable(path: Path, settings: dict[str, Any], changed_data: bool) -> None:
    """Refuse to resume a training with other options, or on other data.

    Args:
        path: the state; need not exist.
        settings: of this run, as JSON values.
        changed_data: accept other data.

    Raises:
        BadInput: options or data differ; the message says which. Or the state is damaged.
    """
    if not path.exists():
        return
    before = read_header(path)["settings"]
    if before.get("training") != settings["training"]:
        flat = [_flat(s.get("training") or {}) for s in (before, settings)]
        different = sorted(k for k in flat[0].keys() | flat[1].keys() if flat[0].get(k) != flat[1].get(k))
        raise BadInput(
            f"{path.parent} holds a training with other options: {', '.join(different)} differ.\n"
            "Choose another --out, or pass --overwrite to start again."
        )
    if before.get("data_sha256") != settings["data_sha256"] and not changed_data:
        raise BadInput(
            f"the data set has changed since {path.parent} was trained: it had {before.get('people')} people, now "
            f"{settings['people']}, or their images differ.\nRestore the old data, or pass --changed-data to "
            "resume with the new."
        )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested options as one dict with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _clear(out: Path) -> None:
    """Delete the files of an earlier training."""
    for name in (STATE, CHECKPOINT, "checkpoint.json", "log.csv", "validation.csv"):
        (out / name).unlink(missing_ok=True)
    for name in ("tensorboard", "validation"):
        shutil.rmtree(out / name, ignore_errors=True)


def _launch_fabric(device: str) -> Fabric:
    """Return Lightning Fabric for this process, or for all that torchrun started."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    world, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    strategy = DDPStrategy(find_unused_parameters=True) if world > 1 else "auto"
    fabric = Fabric(
        accelerator=device,
        devices=local if world > 1 else 1,
        num_nodes=max(world // local, 1),
        strategy=strategy,
    )
    fabric.launch()
    return fabric
