"""Files of the published data sets, read with suspicion: nothing is executed, sizes are bounded, errors name the path.

Their `.npy` files often hold one pickled dict of lists and arrays. It is read by the unpickler that also reads SMPL's
files: it knows plain containers, numbers and numpy arrays, and refuses every other name.
"""

import io
import json
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sherf.body.pickles import Array, BufferArray, Scalar, read_any_pickle, resolve_array
from sherf.errors import BadInput
from sherf.files.plain_arrays import open_npy, unpacked

MOST_BYTES = 512 * 2**20
"""No annotation file of the four data sets comes near this."""
MOST_PIXELS = 64_000_000
MOST_VALUES = 1_000_000
"""Lists, numbers and arrays in one pickled object; shared ones count each time."""
LARGEST = 1e7
"""Of any number, millimetres included."""
DISTORTIONS = (4, 5, 8, 12, 14)
"""How many coefficients OpenCV knows."""
LONGEST_NAME = 200
READ_AGAIN = "Copy or download it again."

Read = TypeVar("Read")


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of a bearable size."""
    try:
        if not path.is_file():
            raise BadInput(f"{path} is missing.\n{READ_AGAIN}")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BadInput(f"{path} has {size / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} MB are read.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.\n{READ_AGAIN}") from error


def read_npy(path: Path) -> Any:
    """An .npy file: its array, or the plain containers and arrays that it holds as one pickled object.

    Raises:
        BadInput: missing, truncated, larger than the file can hold, or anything but containers, numbers and arrays.
    """
    return _explained(path, lambda: _npy(read_bytes(path)))


def read_npz(path: Path) -> dict[str, Any]:
    """All members of an .npz, each as `read_npy` would give it."""
    return _explained(path, lambda: _npz(read_bytes(path)))


def read_json(path: Path) -> Any:
    """A JSON file."""
    content = read_bytes(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no JSON ({error}).\n{READ_AGAIN}") from error


def read_picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """A colour picture, whole: a truncated file is an error, not a picture with a grey rest."""
    return np.array(_picture(path).convert("RGB"))


def read_mask(path: Path) -> UInt8[np.ndarray, "h w"]:
    """Where a picture's first channel is not 0, as the published readers take masks: 255 there, else 0."""
    picture = _picture(path)
    if picture.mode in ("1", "P"):
        picture = picture.convert("L")
    pixels = np.array(picture)
    pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
    return (255 * (pixels != 0)).astype(np.uint8)


def field(path: Path, content: Any, *keys: str | int) -> Any:
    """The value below these keys.

    Raises:
        BadInput: one of them is not there; names the path and what is.
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
            raise BadInput(f"{path} holds no {where}: found {found}.\n{READ_AGAIN}") from None
    return value


def flat_numbers(path: Path, content: Any, key: str, length: int | None) -> Float[np.ndarray, " number"]:
    """The numbers below a key, however they are shaped there; None: any length."""
    return numbers(path, key, as_array(path, key, field(path, content, key)).reshape(-1), (length,))


def as_array(path: Path, what: str, value: Any) -> np.ndarray:
    """A value as an array of anything.

    Raises:
        BadInput: it is none, its rows having different lengths; names the path.
    """
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadInput(f"{path}: {what} is no array of numbers ({error}).\n{READ_AGAIN}") from error


def count(path: Path, what: str, value: Any) -> int:
    """How many there are of something.

    Raises:
        BadInput: it is no row of things; names the path.
    """
    is_row = value.ndim > 0 if isinstance(value, np.ndarray) else isinstance(value, list | dict)
    if not is_row:
        raise BadInput(f"{path}: {what} is a {type(value).__name__}, not a list.\n{READ_AGAIN}")
    return len(value)


def inside(path: Path, folder: Path, name: str) -> Path:
    """A file of a folder that an annotation names.

    Raises:
        BadInput: the name leads out of the folder; names the annotation's path.
    """
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in name or len(name) > LONGEST_NAME:
        raise BadInput(f"{path} names a file {name[:80]!r}, which is none of its folder's.\n{READ_AGAIN}")
    return folder / name


def numbers(path: Path, what: str, value: Any, shape: tuple[int | None, ...]) -> Float[np.ndarray, "..."]:
    """Finite numbers of a shape (None: any length) in double precision.

    Raises:
        BadInput: they are something else; names the path.
    """
    array = as_array(path, what, value)
    fits = array.ndim == len(shape) and all(s in (None, n) for s, n in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "fiu" or not fits:
        wanted = " x ".join("any" if s is None else str(s) for s in shape)
        raise BadInput(
            f"{path}: {what} is {array.dtype} of shape {array.shape}; needed: {wanted} numbers.\n{READ_AGAIN}"
        )
    numbers_of = array.astype(np.float64)
    if not (np.abs(numbers_of) < LARGEST).all():
        raise BadInput(f"{path}: {what} holds NaN, infinite or huge numbers.\n{READ_AGAIN}")
    return numbers_of


@lru_cache(maxsize=64)
def _undistortion(K: tuple, D: tuple, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.array(K).reshape(3, 3)
    return cv2.initUndistortRectifyMap(matrix, np.array(D), None, matrix, size[::-1], cv2.CV_16SC2)


def undistort(picture: np.ndarray, K: Float[np.ndarray, "3 3"], D: Float[np.ndarray, " coefficient"]) -> np.ndarray:
    """Take the lens's distortion out (OpenCV's coefficients), as cv2.undistort does; K stays."""
    if not D.any():
        return picture
    if len(D) not in DISTORTIONS:
        raise BadInput(f"a lens with {len(D)} coefficients of distortion; OpenCV knows 4, 5, 8, 12 or 14 of them.")
    first, second = _undistortion(tuple(K.ravel()), tuple(D.ravel()), picture.shape[:2])
    return cv2.remap(picture, first, second, cv2.INTER_LINEAR)


def _explained(path: Path, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except BadInput as error:
        if str(path) in str(error):
            raise
        raise BadInput(f"{path}: {error}.\n{READ_AGAIN}") from error
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise BadInput(f"{path} is damaged or of another kind ({error}).\n{READ_AGAIN}") from error


def _npy(content: bytes) -> Any:
    found = open_npy(content)
    return _plain(read_any_pickle(found.content), found.shape) if found.dtype.hasobject else found.array()


def _npz(content: bytes) -> dict[str, Any]:
    return {name: _npy(member) for name, member in unpacked(content, MOST_BYTES).items()}


def _plain(value: Any, shape: tuple[int, ...] = ()) -> Any:
    """Containers, numbers, text and arrays, out of the unpickler's stand-ins."""
    _check_count(value)
    return _plain_inside(value, shape)


def _check_count(value: Any) -> None:
    """Refuse what few bytes can hold: the same list in itself so often that nobody gets to its end."""
    waiting, seen = [value], 1
    while waiting:
        item = waiting.pop()
        inside = item.state[4] if isinstance(item, Array) and _holds_objects(item) else item
        if isinstance(inside, dict | list | tuple):
            seen += len(inside)
            if seen > MOST_VALUES:
                raise BadInput(f"it holds more than {MOST_VALUES} values")
            waiting.extend(inside.values() if isinstance(inside, dict) else inside)


def _plain_inside(value: Any, shape: tuple[int, ...] = ()) -> Any:
    match value:
        case Array() if _holds_objects(value):
            items = [_plain_inside(item) for item in value.state[4]]
            return items[0] if shape == () and len(items) == 1 else items
        case Array() | BufferArray() | Scalar():
            return resolve_array(value)
        case dict():
            return {key: _plain_inside(item) for key, item in value.items() if isinstance(key, str | int)}
        case list() | tuple():
            return [_plain_inside(item) for item in value]
        case bool() | int() | float() | str() | bytes() | None:
            return value
    raise BadInput(f"it holds a {type(value).__name__}; only containers, numbers and arrays are read")


def _holds_objects(array: Array) -> bool:
    """An array of objects keeps them as a list in its state."""
    return isinstance(array.state, tuple) and len(array.state) == 5 and isinstance(array.state[4], list)


def _picture(path: Path) -> Image.Image:
    content = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MOST_PIXELS lies below its threshold
            picture = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP", "WEBP", "TIFF"))
        if picture.width * picture.height > MOST_PIXELS:
            raise BadInput(f"{path} has {picture.width} x {picture.height} pixels: too many.")
        picture.load()
    except BadInput:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError ...
        raise BadInput(f"{path} is damaged or no picture ({error}).\n{READ_AGAIN}") from error
    return picture
