"""The options of a training out of files and the command line."""

import json
import math
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from sherf.errors import BadInput
from sherf.models.config_json import config_record, read_config
from sherf.training.options import TRAININGS, TrainingOptions

MOST_BYTES = 2**20
LARGEST = 2**53
"""Of a whole number."""
AT_LEAST_ONE = {"batch", "steps"}
SHARES = {"decay", "ema", "front", "same_pose", "mirror", "fit", "occluded", "cut"}


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
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no JSON file ({error}).") from error
    if not isinstance(content, dict) or content.get("base") not in tuple(TRAININGS):
        raise BadInput(f'{path}: "base" has to name what it begins with: {", ".join(TRAININGS)}.')
    base = TRAININGS[content.pop("base")]
    model = read_config(path, config_record(base.model) | _part(path, content, "model"))
    losses = _changed(path, base.losses, _part(path, content, "losses"))
    augment = _changed(path, base.augment, _part(path, content, "augment"))
    return _changed(path, replace(base, model=model, losses=losses, augment=augment), content)


def training_record(options: TrainingOptions) -> dict[str, Any]:
    """As JSON holds it."""
    return asdict(options) | {"model": config_record(options.model), "adam": list(options.adam)}


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
        fits = (type(value) is int and abs(value) < LARGEST) or (kinds[name] is float and type(value) is float)
        least, most = int(name in AT_LEAST_ONE), 1 if name in SHARES else math.inf
        if not fits or not math.isfinite(value) or not least <= value <= most:
            limits = f"from {least} to {most}" if name in SHARES else f"from {least} on"
            raise BadInput(f"{path}: '{name}' cannot be {str(value)[:50]}; {kinds[name].__name__} {limits} is needed.")
    return replace(options, **{name: kinds[name](value) for name, value in changes.items()})
