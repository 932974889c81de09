"""What `sherf train` does: read the options, open the data, continue or begin, train."""

import json
import logging
import math
import os
import re
import shutil
import warnings
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from sherf import __version__
from sherf.body.files import load_body_model
from sherf.checkpoint import load_checkpoint
from sherf.config_file import config_record, read_config
from sherf.datasets.open_data import open_data
from sherf.devices import choose_backend
from sherf.errors import BadInput
from sherf.model import Sherf
from sherf.options import TrainOptions
from sherf.progress import say
from sherf.training.data import data_digest
from sherf.training.loop import CHECKPOINT, Duration, Trainer
from sherf.training.options import TRAININGS, TrainingOptions
from sherf.training.state import STATE, read_header
from sherf.training.validation import Validation

AT_LEAST_ONE = {"batch", "steps"}
SHARES = {"decay", "ema", "front", "same_pose", "mirror", "fit", "occluded", "cut"}
UNITS = {"s": 1, "m": 60, "h": 3600}


def run_training(config: str, options: TrainOptions) -> list[Path]:
    """Train; returns the files to look at.

    Raises:
        BadInput: the configuration, the data or what is in the folder cannot be used.
        TrainingError: the numbers are not finite any more.
    """
    training = read_training(config)
    seconds = read_duration(options.duration)
    backend = choose_backend(options.device)
    fabric = _fabric(backend.device.type)
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
            say(f"no validation: {error}")
    duration = Duration(seconds, 60 * options.save_minutes, max(options.validation_steps, 1))
    say(f"{config}: {len(data.subjects)} people, step {trainer.progress.step} of {training.steps}, {backend.name}")
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


def read_training(config: str) -> TrainingOptions:
    """The options of a training by its name, or out of a JSON file.

    The file names what it begins with, and what is different: {"base": "sherf-small", "model": {"blend": false},
    "losses": {"lpips": 0}, "steps": 1000}.

    Raises:
        BadInput: there is no such name or file, or it holds what cannot be.
    """
    if config in TRAININGS:
        return TRAININGS[config]
    path = Path(config)
    if not path.is_file():
        raise BadInput(f"there is no training {config!r}.\nThere are {', '.join(TRAININGS)}; or give a JSON file.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no JSON file ({error}).") from error
    if not isinstance(content, dict) or content.get("base") not in TRAININGS:
        raise BadInput(f'{path}: "base" has to name what it begins with: {", ".join(TRAININGS)}.')
    base = TRAININGS[content.pop("base")]
    model = read_config(path, config_record(base.model) | _part(path, content, "model"))
    losses = _changed(path, base.losses, _part(path, content, "losses"))
    augment = _changed(path, base.augment, _part(path, content, "augment"))
    return _changed(path, replace(base, model=model, losses=losses, augment=augment), content)


def training_record(options: TrainingOptions) -> dict[str, Any]:
    """As JSON holds it."""
    return asdict(options) | {"model": config_record(options.model), "adam": list(options.adam)}


def read_duration(text: str) -> float:
    """Seconds of 90s, 30m or 2.5h; infinite if empty.

    Raises:
        BadInput: it is none of these.
    """
    if not text:
        return math.inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise BadInput(f"--for {text!r} is no length of time: write 90s, 30m or 2.5h.")
    return float(found[1]) * UNITS[found[2]]


def _part(path: Path, content: dict[str, Any], name: str) -> dict[str, Any]:
    part = content.pop(name, {})
    if not isinstance(part, dict):
        raise BadInput(f'{path}: "{name}" has to be an object of options.')
    return part


def _changed(path: Path, options: Any, changes: dict[str, Any]) -> Any:
    """A dataclass of numbers with some of them changed."""
    kinds = {f.name: type(getattr(options, f.name)) for f in fields(options)}
    for name, value in changes.items():
        if kinds.get(name) not in (int, float):
            known = ", ".join(n for n, kind in kinds.items() if kind in (int, float))
            raise BadInput(f"{path}: there is no option '{name}'. There are: {known}.")
        fits = type(value) is int or (kinds[name] is float and type(value) is float)
        least, most = int(name in AT_LEAST_ONE), 1 if name in SHARES else math.inf
        if not fits or not math.isfinite(value) or not least <= value <= most:
            limits = f"from {least} to {most}" if name in SHARES else f"from {least} on"
            raise BadInput(f"{path}: '{name}' cannot be {str(value)[:50]}; {kinds[name].__name__} {limits} is needed.")
    return replace(options, **{name: kinds[name](value) for name, value in changes.items()})


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
