"""Read SMPL's published pickles without executing anything.

Every name in them leads to a stand-in of this file, which only keeps what it is handed; arrays are built from the kept
bytes after their sizes were checked. Known names are numpy's array, dtype and scalar, chumpy's and scipy.sparse's
classes, and what Python 2 and 3 wrap around them; any other name is refused.
"""

import io
import reprlib
from typing import Any

import numpy as np

from sherf.errors import BadInput
from sherf.files.inert_pickle import EncodedText, Ignored, Inert, Maker, reconstruct, shown, walk

MOST_ARRAY_BYTES = 2**28
"""SMPL's largest array, 207 pose blend shapes in double precision, takes 34 MB."""
DEEPEST_SELECTION = 4
NUMBER_TYPES = frozenset("?bBhHiIlLqQefd") | {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} | {"b1"}


class ArrayType(Inert):
    """numpy.ndarray, only ever named."""


class NumberType(Inert):
    """numpy.dtype(code, align, copy), its byte order in the state."""

    def resolve(self) -> np.dtype:
        code = self.arguments[0] if self.arguments else None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        if not isinstance(code, str) or code not in NUMBER_TYPES or order not in ("<", ">", "|", "="):
            said = f"{reprlib.repr(code)} values in byte order {reprlib.repr(order)}"
            raise BadInput(f"an array of {said}; only plain numbers are read")
        return np.dtype(code).newbyteorder(order)


class Array(Inert):
    """numpy's _reconstruct(ndarray, (0,), b'b') with state (version, shape, dtype, is_fortran, bytes)."""

    def resolve(self) -> np.ndarray:
        match self.state:
            case (int(), tuple(shape), NumberType() as number, is_fortran, content):
                return _array(_bytes(content), number, shape, "F" if is_fortran else "C")
        raise BadInput("an array whose description is not numpy's")


class BufferArray(Inert):
    """numpy's _frombuffer(bytes, dtype, shape, order), as protocol 5 writes arrays."""

    def resolve(self) -> np.ndarray:
        match self.arguments:
            case (content, NumberType() as number, tuple(shape), "C" | "F" as order):
                return _array(_bytes(content), number, shape, order)
        raise BadInput("an array whose description is not numpy's")


class Scalar(Inert):
    """numpy's scalar(dtype, bytes)."""

    def resolve(self) -> np.ndarray:
        match self.arguments:
            case (NumberType() as number, content):
                return _array(_bytes(content), number, (), "C")
        raise BadInput("a number whose description is not numpy's")


class ChumpyArray(Inert):
    """Any class of chumpy: its value lies in `x`, in `r`, or is a selection `idxs` out of another's, `a`."""

    def resolve(self, depth: int = 0) -> np.ndarray:
        state = self.state if isinstance(self.state, dict) else {}
        for key in ("x", "r"):
            if key in state:
                return resolve_array(state[key], depth + 1)
        if "a" in state and "idxs" in state and depth < DEEPEST_SELECTION:
            whole, places = (resolve_array(state[key], depth + 1) for key in ("a", "idxs"))
            if places.size * whole.itemsize > MOST_ARRAY_BYTES:
                raise BadInput(f"a selection of {places.size} numbers: too large")
            chosen = np.asarray(whole.ravel()[places])
            shape = state.get("preferred_shape")
            return chosen if shape is None else chosen.reshape(resolve_array(shape, depth + 1).tolist())
        held = shown(", ".join(map(str, state))) or "nothing"
        raise BadInput(f"a chumpy object without a stored value (it holds: {held})")


class SparseByColumns(Inert):
    """scipy.sparse.csc_matrix."""

    by_columns = True

    def resolve(self) -> np.ndarray:
        state = self.state if isinstance(self.state, dict) else {}
        data, indices, pointers = (resolve_array(state.get(key)).ravel() for key in ("data", "indices", "indptr"))
        rows, columns = _shape(state.get("_shape", state.get("shape")), 2)
        if rows * columns * data.itemsize > MOST_ARRAY_BYTES:
            raise BadInput(f"a sparse matrix of {rows} x {columns}: too large")
        along, across = (columns, rows) if self.by_columns else (rows, columns)
        counts = np.diff(pointers)
        sound = len(pointers) == along + 1 and len(data) == len(indices) and pointers[0] == 0
        sound = sound and pointers[-1] == len(data) and (counts >= 0).all()
        if not sound or (len(indices) and not (indices.min() >= 0 and indices.max() < across)):
            raise BadInput("a sparse matrix whose indices do not fit its shape")
        dense = np.zeros((along, across), data.dtype)
        np.add.at(dense, (np.repeat(np.arange(along), counts), indices), data)
        return dense.T if self.by_columns else dense


class SparseByRows(SparseByColumns):
    """scipy.sparse.csr_matrix."""

    by_columns = False


def _stand_in(module: str, name: str) -> Maker | None:
    """What a name in a pickle leads to, None if it is unknown."""
    match module.split("."), name:
        case ["numpy", *_], "ndarray":
            return ArrayType
        case ["numpy", *_], "dtype":
            return NumberType
        case ["numpy", "core" | "_core", "multiarray"], "_reconstruct":
            return Array
        case ["numpy", "core" | "_core", "multiarray"], "scalar":
            return Scalar
        case ["numpy", "core" | "_core", "numeric"], "_frombuffer":
            return BufferArray
        case ["_codecs"], "encode":
            return EncodedText
        case ["chumpy", *_], _:
            return ChumpyArray
        case ["scipy", "sparse", *_], "csc_matrix" | "csc_array":
            return SparseByColumns
        case ["scipy", "sparse", *_], "csr_matrix" | "csr_array":
            return SparseByRows
        case ["copy_reg" | "copyreg"], "_reconstructor":
            return reconstruct
        case ["__builtin__" | "builtins"], "object" | "set" | "frozenset":
            return Ignored
    return None


def read_pickle(content: bytes) -> dict[str, Any]:
    """The dict of a body model's pickle; pass its values to `resolve_array`.

    Raises:
        BadInput: it is no pickle, is damaged, or names anything but arrays.
    """
    loaded = read_any_pickle(content)
    if not isinstance(loaded, dict):
        raise BadInput(f"it holds a {type(loaded).__name__} where a dict of arrays is needed")
    return {str(key): value for key, value in loaded.items() if isinstance(key, str | bytes)}


def read_any_pickle(content: bytes) -> Any:
    """What a pickle holds, with stand-ins for its arrays; pass those to `resolve_array`.

    Raises:
        BadInput: it is no pickle, is damaged, or names anything but arrays.
    """
    return walk(io.BytesIO(content), _stand_in)


def resolve_array(value: Any, depth: int = 0) -> np.ndarray:
    """A stored value as an array of numbers.

    Raises:
        BadInput: it is none.
    """
    try:
        return _resolved(value, depth)
    except (ValueError, TypeError, IndexError, ArithmeticError, MemoryError) as error:  # what numpy thinks of it
        raise BadInput(f"an array that cannot be made ({str(error)[:200]})") from error


def _resolved(value: Any, depth: int) -> np.ndarray:
    if isinstance(value, ChumpyArray):
        if depth > DEEPEST_SELECTION:
            raise BadInput("chumpy objects nested too deeply")
        return value.resolve(depth)
    if isinstance(value, Array | BufferArray | Scalar | SparseByColumns):
        return value.resolve()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return np.asarray(float(value) if abs(value) > 2**62 else value)
    if isinstance(value, list | tuple) and all(type(item) in (int, float) for item in value):
        return np.array(value)
    raise BadInput(f"a {type(value).__name__} where an array is needed")


def _array(content: bytes, number: NumberType, shape: tuple, order: str) -> np.ndarray:
    dtype = number.resolve()
    size = int(np.prod(_shape(shape), dtype=object))
    if len(content) > MOST_ARRAY_BYTES or size * dtype.itemsize != len(content):
        raise BadInput(f"an array of shape {reprlib.repr(shape)} and type {dtype} with {len(content)} bytes of content")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _shape(shape: Any, axes: int | None = None) -> tuple[int, ...]:
    if isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) and axes in (None, len(shape)):
        return shape
    raise BadInput(f"an array of shape {reprlib.repr(shape)}")


def _bytes(content: Any) -> bytes:
    """Raw content: Python 2 strings arrive as latin-1 text."""
    if isinstance(content, EncodedText):
        return content.resolve()
    if isinstance(content, str):
        return content.encode("latin1")
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    raise BadInput(f"an array whose content is a {type(content).__name__}")
