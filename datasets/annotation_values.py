"""Look up and check values of annotation files: errors name the file, the entry, and what was found instead."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sherf.datasets.annotations import COPY_AGAIN
from sherf.errors import BadInput

LARGEST_NUMBER = 1e7
"""Largest magnitude accepted, millimetres included."""
LONGEST_NAME = 200


def get_value(path: Path, content: Any, *keys: str | int) -> Any:
    """Return `content[key][key]...`.

    Args:
        path: the file that `content` comes from, for errors.
        content: nested dicts, lists and arrays.
        *keys: names and indices, outermost first.

    Raises:
        BadInput: a key is missing; names the file and what was found instead.
    """
    value = content
    for depth, key in enumerate(keys):
        try:
            value = value[key]
        except (LookupError, TypeError, ValueError):
            found = ", ".join(map(str, value))[:200] if isinstance(value, dict) else f"a {type(value).__name__}"
            if isinstance(value, list):
                found = f"a list of {len(value)}"
            where = "".join(f"[{k!r}]" for k in keys[: depth + 1])
            raise BadInput(f"{path} has no entry {where}: found {found}.\n{COPY_AGAIN}") from None
    return value


def get_flat_numbers(path: Path, content: Any, key: str, length: int | None) -> Float[np.ndarray, " number"]:
    """Return the numbers under a key, flattened, in double precision.

    Args:
        path: the file that `content` comes from, for errors.
        content: a dict of numbers.
        key: which of them.
        length: how many there must be; None accepts any number.

    Raises:
        BadInput: the entry is missing, has another length, or is not finite numbers.
    """
    return check_numbers(path, key, _to_array(path, key, get_value(path, content, key)).reshape(-1), (length,))


def check_numbers(path: Path, name: str, value: Any, shape: tuple[int | None, ...]) -> Float[np.ndarray, "..."]:
    """Return a value as an array in double precision after checking its shape and range.

    Args:
        path: the file that the value comes from, for errors.
        name: what the value is called there, for errors.
        value: numbers, in nested lists or an array.
        shape: the shape it must have; None accepts any length along that axis.

    Raises:
        BadInput: the value has another shape, or is not finite numbers of a plausible size.
    """
    array = _to_array(path, name, value)
    fits = array.ndim == len(shape) and all(s in (None, n) for s, n in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "fiu" or not fits:
        expected = " x ".join("any" if s is None else str(s) for s in shape)
        raise BadInput(
            f"{path}: {name} has type {array.dtype} and shape {array.shape}; expected {expected} numbers.\n{COPY_AGAIN}"
        )
    checked = array.astype(np.float64)
    if not (np.abs(checked) < LARGEST_NUMBER).all():
        raise BadInput(f"{path}: {name} contains NaN, infinite or implausibly large numbers.\n{COPY_AGAIN}")
    return checked


def count_items(path: Path, name: str, value: Any) -> int:
    """Return the length of a list, dict or array.

    Args:
        path: the file that the value comes from, for errors.
        name: what the value is called there, for errors.
        value: the list, dict or array.

    Raises:
        BadInput: the value is a scalar.
    """
    has_length = value.ndim > 0 if isinstance(value, np.ndarray) else isinstance(value, list | dict)
    if not has_length:
        raise BadInput(f"{path}: {name} is a {type(value).__name__}, not a list.\n{COPY_AGAIN}")
    return len(value)


def resolve_inside(path: Path, folder: Path, name: str) -> Path:
    """Return the path of a file that an annotation names, which must lie in `folder`.

    Args:
        path: the annotation file, for errors.
        folder: where the named file must lie.
        name: a relative path.

    Raises:
        BadInput: the name is empty, absolute, too long or leads out of the folder.
    """
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in name or len(name) > LONGEST_NAME:
        raise BadInput(f"{path} names a file outside its folder: {name[:80]!r}.\n{COPY_AGAIN}")
    return folder / name


def _to_array(path: Path, name: str, value: Any) -> np.ndarray:
    """Return a value as an array of any type.

    Raises:
        BadInput: the value cannot be an array, for example because its rows have different lengths.
    """
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadInput(f"{path}: {name} is not an array of numbers ({error}).\n{COPY_AGAIN}") from error
