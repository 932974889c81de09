"""A network's configuration as it stands in files: plain JSON values, checked field by field when they come back."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from sherf import __version__
from sherf.errors import BadInput
from sherf.models.config import Level, Lookup, SherfConfig

LARGEST_OPTION = 2**16
"""No width, depth or size in a configuration is larger; the published ones reach 32768."""
MOST_LAYERS = 256
LAYER_OPTIONS = frozenset({"mapping_depth", "fusion_depth", "decoder_depth", "unwrap_depth"})
OPTIONAL_LAYERS = frozenset({"mapping_depth", "fusion_depth"})
LONGEST_TEXT = 100
REMEDY = "Make the file again, or take it once more from where it came from."


def config_record(config: SherfConfig) -> dict[str, Any]:
    """A configuration as JSON holds it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}


def read_config(source: Path, options: Any) -> SherfConfig:
    """The configuration out of a file's JSON; fields that are not there have their defaults.

    Args:
        source: the file, for messages.
        options: what its JSON holds.

    Raises:
        BadInput: with the name of the field that is unknown or has a value which it cannot have.
    """
    known = {field.name for field in fields(SherfConfig)}
    if not isinstance(options, dict):
        raise BadInput(f"{source}: the network's configuration is missing.\n{REMEDY}")
    if unknown := sorted(options.keys() - known):
        raise BadInput(
            f"{source}: the network's configuration has fields that sherf {__version__} does not know: "
            f"{', '.join(unknown)[:200]}.\nInstall a newer sherf."
        )
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    for name, value in values.items():
        if not _fits(name, value):
            raise BadInput(
                f"{source}: '{name}' of the network's configuration cannot be {str(options[name])[:100]}.\n{REMEDY}"
            )
    return SherfConfig(**values)


def _fits(name: str, value: Any) -> bool:
    """Whether a field has its type, and a size that a network can have."""
    least = 0 if name in OPTIONAL_LAYERS else 1

    def whole(n: Any) -> bool:
        return type(n) is int and least <= n <= LARGEST_OPTION

    match name:
        case "name" | "body_model":
            return isinstance(value, str) and 0 < len(value) < LONGEST_TEXT
        case "levels" | "lookups":
            known = get_args(Level if name == "levels" else Lookup)
            return isinstance(value, tuple) and all(item in known for item in value)
        case "blend" | "anchored":
            return isinstance(value, bool)
        case "batch_norm" | "anchor" | "occlusion":
            return value in get_args(get_type_hints(SherfConfig)[name])
        case "volume_channels":
            return isinstance(value, tuple) and len(value) == 3 and all(map(whole, value))
        case "near_body_m":
            return type(value) in (int, float) and 0 < value < LARGEST_OPTION
    return whole(value) and (name not in LAYER_OPTIONS or value <= MOST_LAYERS)
