"""Network configurations in files: JSON values, validated field by field."""

from pathlib import Path
from typing import Any

from sherf.files.json_options import options_record, validate_options
from sherf.models.config import SherfConfig

DESCRIBED = "the network's configuration"
REMEDY = "Create the file again, or download it again."


def config_record(config: SherfConfig) -> dict[str, Any]:
    """Return a configuration as JSON values."""
    return options_record(config)


def read_config(source: Path, record: Any) -> SherfConfig:
    """Return a configuration from the JSON values of a file; missing fields get their defaults.

    Args:
        source: the file, for error messages.
        record: the parsed JSON.

    Raises:
        BadInput: the record is missing, or a field is unknown or has an impossible value; the message names it.
    """
    return validate_options(source, SherfConfig, record, DESCRIBED, REMEDY)
