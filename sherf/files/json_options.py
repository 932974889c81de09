"""Options in JSON files: dataclasses validated by pydantic, with errors that name the field."""

import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from sherf.errors import BadInput

Options = TypeVar("Options")
MOST_SHOWN = 100
"""Characters of a wrong value in a message."""


def options_record(options: Any) -> dict[str, Any]:
    """Return a dataclass of options as JSON values: tuples become lists."""
    return json.loads(json.dumps(asdict(options)))


def validate_options(source: Path, kind: type[Options], record: Any, described: str, remedy: str) -> Options:
    """Return a dataclass of options built from JSON values; missing fields get their defaults.

    Args:
        source: the file, for messages.
        kind: the dataclass; its annotations say which values are possible.
        record: what the file holds.
        described: what the options are called in messages, such as "the network's configuration".
        remedy: what to do about a wrong value.

    Raises:
        BadInput: the record is missing, or a field is unknown or has an impossible value; the message names it.
    """
    if not isinstance(record, dict):
        raise BadInput(f"{source}: {described} is missing.\n{remedy}")
    _refuse_unknown(source, kind, record, described)
    try:
        return TypeAdapter(kind).validate_json(json.dumps(record), strict=True)
    except (ValidationError, RecursionError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise BadInput(f"{source}: {described} cannot be read ({error}).\n{remedy}") from error
        first = error.errors(include_url=False)[0]
        name, value = _field(first["loc"], record)
        if first["type"] == "value_error":  # of a dataclass: its fields contradict each other
            wrong, message = f"{described} is impossible", first["ctx"]["error"]
        else:
            wrong, message = f"'{name}' of {described} cannot be {str(value)[:MOST_SHOWN]}", first["msg"]
        raise BadInput(f"{source}: {wrong}: {message}.\n{remedy}") from error


def _refuse_unknown(source: Path, kind: type[Any], record: dict[str, Any], described: str) -> None:
    """Refuse fields that a dataclass, or one inside it, does not have.

    Raises:
        BadInput: names the unknown fields and the known ones.
    """
    known = {field.name for field in fields(kind)}
    if unknown := sorted(map(str, record.keys() - known)):
        raise BadInput(
            f"{source}: {described} has no option {', '.join(map(repr, unknown))[: 2 * MOST_SHOWN]}; this version of "
            f"sherf does not know it.\nChoose from {', '.join(sorted(known))}, or install a newer sherf."
        )
    hints = get_type_hints(kind)
    for name, value in record.items():
        if is_dataclass(hints[name]) and isinstance(hints[name], type) and isinstance(value, dict):
            _refuse_unknown(source, hints[name], value, described)


def _field(location: tuple[int | str, ...], record: dict[str, Any]) -> tuple[str, Any]:
    """Return the name and the value of the innermost named field of an error's location."""
    name = ""
    value: Any = record
    current: Any = record
    for part in location:
        if not isinstance(part, str) or not isinstance(current, dict):
            break
        name, current = part, current.get(part)
        value = current
    return name, value
