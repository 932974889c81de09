"""What `sherf train` does: read the options, open the data, continue or begin, train."""

import logging
import math
import os
import shutil
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from sherf import __version__
from sherf.body.files import load_body_model
from sherf.datasets.open_data import open_data
from sherf.errors import BadInput
from sherf.files.duration import read_duration
from sherf.files.lock import alone_in
from sherf.models.checkpoint import load_checkpoint
from sherf.models.paper.network import Sherf
from sherf.progress import print_status
from sherf.render.devices import Backend, choose_backend
from sherf.training.loop import CHECKPOINT, Duration, Trainer
from sherf.training.options import TrainingOptions
from sherf.training.read_options import read_training, training_record
from sherf.training.state import STATE, read_header
from sherf.training.train_options import TrainOptions
from sherf.training.training_pairs import data_digest
from sherf.training.validation import Validation


def run_training(config: str, options: TrainOptions) -> list[Path]:
    """Train; returns the files to look at.

    Raises:
        BadInput: the configuration, the data or what is in the folder cannot be used.
        OutputError: the folder cannot be written, or another training works in it.
        TrainingError: the numbers are not finite any more.
    """
    training = read_training(config)
    seconds = read_duration(options.duration, "--for") if options.duration else math.inf
    backend = choose_backend(options.device)
    fabric = _fabric(backend.device.type)
    with alone_in(options.out) if fabric.global_rank == 0 else nullcontext():
        return _trained(config, training, options, seconds, backend, fabric)


def _trained(
    config: str, training: TrainingOptions, options: TrainOptions, seconds: float, backend: Backend, fabric: Fabric
) -> list[Path]:
    body = load_body_model(options.body_model or training.model.body_model)
    data = open_data(options.dataset, options.data, body, "train")
    if training.batch % fabric.world_size:
        raise BadInput(f"a batch of {training.batch} cannot be shared by {fabric.world_size} processes: change either.")
    settings = {
        "training": training_record(training),
        "dataset": options.dataset,
        "data_sha256": data_digest(data),
        "people": len(data.subjects),
        "precision": options.precision,
        "tool": f"sherf {__version__}",
    }
    if options.overwrite and (options.out / STATE).exists() and fabric.global_rank == 0:
        _clear(options.out)
    fabric.barrier()
    check_continuing(options.out / STATE, settings, options.changed_data)
    torch.manual_seed(training.seed)
    model = Sherf(training.model)
    if options.begin_with is not None:
        other = load_checkpoint(options.begin_with)
        if other.config != training.model:
            raise BadInput(f"{options.begin_with} holds a network of another configuration than {config}.")
        model.load_state_dict(other.state_dict())
    half = options.precision == "bf16"
    trainer = Trainer(fabric, model, body.to(backend.device), backend, training, options.out, settings, half)
    validation = None
    if options.validation_steps > 0 and fabric.global_rank == 0:
        try:
            looked_at = open_data(options.dataset, options.data, body, "validation")
            validation = Validation(looked_at, options.out, trainer.progress.step)
        except BadInput as error:
            print_status(f"no validation: {error}")
    duration = Duration(seconds, 60 * options.save_minutes, max(options.validation_steps, 1))
    print_status(
        f"{config}: {len(data.subjects)} people, step {trainer.progress.step} of {training.steps}, {backend.name}"
    )
    trainer.train(data, validation, duration)
    return [options.out / CHECKPOINT, options.out / "log.csv"]


def check_continuing(path: Path, settings: dict[str, Any], changed_data: bool) -> None:
    """Refuse to continue another training, or one on other data.

    Raises:
        BadInput: what differs.
    """
    if not path.exists():
        return
    before = read_header(path)["settings"]
    if before.get("training") != settings["training"]:
        flat = [_flat(s.get("training") or {}) for s in (before, settings)]
        different = sorted(k for k in flat[0].keys() | flat[1].keys() if flat[0].get(k) != flat[1].get(k))
        raise BadInput(
            f"{path.parent} holds a training with other options: {', '.join(different)} differ.\n"
            "Choose another --out, or pass --overwrite to begin anew."
        )
    if before.get("data_sha256") != settings["data_sha256"] and not changed_data:
        raise BadInput(
            f"the data set has changed since {path.parent} was trained: it had {before.get('people')} people, now "
            f"{settings['people']}, or their pictures differ.\nBring the old data back, or pass --changed-data to go "
            "on with the new."
        )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _clear(out: Path) -> None:
    for name in (STATE, CHECKPOINT, "checkpoint.json", "log.csv", "validation.csv"):
        (out / name).unlink(missing_ok=True)
    for name in ("tensorboard", "validation"):
        shutil.rmtree(out / name, ignore_errors=True)


def _fabric(device: str) -> Fabric:
    """One process, or all that torchrun started."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    world, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    many = DDPStrategy(find_unused_parameters=True) if world > 1 else "auto"
    fabric = Fabric(
        accelerator=device,
        devices=local if world > 1 else 1,
        num_nodes=max(world // local, 1),
        strategy=many,
    )
    fabric.launch()
    return fabric
