"""Read annotation files of the published data sets as untrusted input: no code runs, sizes are bounded.

Their `.npy` files often hold one pickled dict of lists and arrays. The restricted unpickler of SMPL's files reads them:
it accepts plain containers, numbers and NumPy arrays, and refuses every other name. Errors name the file.
"""

import io
import json
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sherf.body.pickles import Array, BufferArray, Scalar, read_any_pickle, resolve_array
from sherf.errors import BadInput
from sherf.files.plain_arrays import parse_npy, unpack_npz

MOST_BYTES = 512 * 2**20
"""Largest file that is read: far more than any annotation file of the four data sets."""
MOST_PIXELS = 64_000_000
MOST_VALUES = 1_000_000
"""Most lists, numbers and arrays in one pickled object; shared ones count every time."""
CACHED_FILES = 64
COPY_AGAIN = "Copy or download it again."

Read = TypeVar("Read")


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file of at most `MOST_BYTES`.

    Raises:
        BadInput: the file is missing, too large or unreadable.
    """
    try:
        if not path.is_file():
            raise BadInput(f"{path} is missing.\n{COPY_AGAIN}")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BadInput(f"{path} has {size / 2**20:.0f} MB; the limit is {MOST_BYTES // 2**20} MB.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.\n{COPY_AGAIN}") from error


def read_npy(path: Path) -> Any:
    """Return the array of an .npy file, or the containers and arrays that it holds as one pickled object.

    Raises:
        BadInput: the file is missing or truncated, declares more than it can hold, or contains anything but containers,
            numbers and arrays.
    """
    return _name_file_in_errors(path, lambda: _parse_npy(read_bytes(path)))


def read_npz(path: Path) -> dict[str, Any]:
    """Return all members of an .npz file by name, each as `read_npy` returns it.

    Raises:
        BadInput: as for `read_npy`.
    """
    return _name_file_in_errors(path, lambda: _parse_npz(read_bytes(path)))


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        BadInput: the file is missing, too large or not JSON.
    """
    content = read_bytes(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON ({error}).\n{COPY_AGAIN}") from error


@lru_cache(maxsize=CACHED_FILES)
def read_cached(read: Callable[[Path], Any], path: Path) -> Any:
    """Return `read(path)`, keeping the files read last in memory: annotations of a subject serve all of its views.

    The result is shared: do not change it. Nothing is kept when `read` raises.
    """
    return read(path)


def read_image(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Return a colour image as sRGB.

    Raises:
        BadInput: the file is missing, truncated, too large or not an image.
    """
    return np.array(_open_image(path).convert("RGB"))


def read_mask(path: Path) -> UInt8[np.ndarray, "h w"]:
    """Return a mask: 255 where the first channel is not 0, as in the published readers, else 0.

    Raises:
        BadInput: the file is missing, truncated, too large or not an image.
    """
    image = _open_image(path)
    if image.mode in ("1", "P"):
        image = image.convert("L")
    pixels = np.array(image)
    pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
    return (255 * (pixels != 0)).astype(np.uint8)


def _name_file_in_errors(path: Path, read: Callable[[], Read]) -> Read:
    """Return `read()`; turn every error of damaged content into a `BadInput` that names the file.

    Raises:
        BadInput: `read` failed.
    """
    try:
        return read()
    except BadInput as error:
        if str(path) in str(error):
            raise
        raise BadInput(f"{path}: {error}.\n{COPY_AGAIN}") from error
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise BadInput(f"{path} is damaged or of another format ({error}).\n{COPY_AGAIN}") from error


def _parse_npy(content: bytes) -> Any:
    npy = parse_npy(content)
    return _to_plain(read_any_pickle(npy.content), npy.shape) if npy.dtype.hasobject else npy.array()


def _parse_npz(content: bytes) -> dict[str, Any]:
    return {name: _parse_npy(member) for name, member in unpack_npz(content, MOST_BYTES).items()}


def _to_plain(value: Any, shape: tuple[int, ...] = ()) -> Any:
    """Convert the unpickler's placeholders to containers, numbers, text and arrays."""
    _check_value_count(value)
    return _convert(value, shape)


def _check_value_count(value: Any) -> None:
    """Refuse the expansion of few bytes to too many values: the same list nested in itself again and again.

    Raises:
        BadInput: there are more than `MOST_VALUES`.
    """
    waiting, seen = [value], 1
    while waiting:
        item = waiting.pop()
        inside = item.state[4] if isinstance(item, Array) and _holds_objects(item) else item
        if isinstance(inside, dict | list | tuple):
            seen += len(inside)
            if seen > MOST_VALUES:
                raise BadInput(f"it contains more than {MOST_VALUES} values")
            waiting.extend(inside.values() if isinstance(inside, dict) else inside)


def _convert(value: Any, shape: tuple[int, ...] = ()) -> Any:
    """Return one value and all that it contains, converted.

    Raises:
        BadInput: an object is not a container, number or array.
    """
    match value:
        case Array() if _holds_objects(value):
            items = [_convert(item) for item in value.state[4]]
            return items[0] if shape == () and len(items) == 1 else items
        case Array() | BufferArray() | Scalar():
            return resolve_array(value)
        case dict():
            return {key: _convert(item) for key, item in value.items() if isinstance(key, str | int)}
        case list() | tuple():
            return [_convert(item) for item in value]
        case bool() | int() | float() | str() | bytes() | None:
            return value
    raise BadInput(f"it contains a {type(value).__name__}; only containers, numbers and arrays are read")


def _holds_objects(array: Array) -> bool:
    """Return whether an array holds objects: they are a list in its state."""
    return isinstance(array.state, tuple) and len(array.state) == 5 and isinstance(array.state[4], list)


def _open_image(path: Path) -> Image.Image:
    """Return a fully decoded image.

    Raises:
        BadInput: the file is missing, truncated, too large or not an image.
    """
    content = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MOST_PIXELS lies below its threshold
            image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP", "WEBP", "TIFF"))
        if image.width * image.height > MOST_PIXELS:
            raise BadInput(
                f"{path} has {image.width} x {image.height} pixels; the limit is {MOST_PIXELS // 10**6} million."
            )
        image.load()
    except BadInput:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError ...
        raise BadInput(f"{path} is damaged or not an image ({error}).\n{COPY_AGAIN}") from error
    return image
