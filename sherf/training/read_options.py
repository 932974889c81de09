"""The options of a training, by name or from a JSON file."""

import json
from pathlib import Path
from typing import Any

from sherf.errors import BadInput
from sherf.files.json_options import options_record, validate_options
from sherf.training.options import TRAININGS, TrainingOptions

MAX_BYTES = 2**20


def read_training(config: str) -> TrainingOptions:
    """Return the options of a training by its name, or from a JSON file.

    The file names what it starts from, and what differs: {"base": "sherf-small", "model": {"blend": false},
    "losses": {"lpips": 0}, "steps": 1000}.

    Args:
        config: sherf-small, sherf-paper, or the path of a JSON file.

    Raises:
        BadInput: there is no such training or file, or an option is unknown or has an impossible value.
    """
    if config in TRAININGS:
        return TRAININGS[config]
    path = Path(config)
    content = _read(path)
    record = training_record(TRAININGS[content.pop("base")])
    for name, value in content.items():
        is_group = isinstance(record.get(name), dict) and isinstance(value, dict)
        record[name] = record[name] | value if is_group else value
    return validate_options(path, TrainingOptions, record, "the training", "Correct the file.")


def training_record(options: TrainingOptions) -> dict[str, Any]:
    """Return the options of a training as JSON values."""
    return options_record(options)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that names a known base.

    Raises:
        BadInput: there is no such file, it is not JSON, or its base is unknown.
    """
    known = ", ".join(TRAININGS)
    if not path.is_file():
        raise BadInput(f"unknown training {str(path)!r}.\nChoose {known}, or give a JSON file.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is too large for a training's options: more than {MAX_BYTES} bytes.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not a JSON file ({error}).") from error
    if not isinstance(content, dict) or content.get("base") not in tuple(TRAININGS):
        raise BadInput(f'{path}: "base" must name what it starts from: {known}.')
    return content
