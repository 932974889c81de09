"""Read SMPL's published pickles without executing anything.

Every name in them resolves to a stand-in defined here, which only keeps its arguments; arrays are built from the kept
bytes after their sizes have been checked. Known names are numpy's array, dtype and scalar, chumpy's and scipy.sparse's
classes, and the wrappers that Python 2 and 3 use for them; any other name is refused.
"""

import io
import reprlib
from typing import Any, Literal

import numpy as np

from sherf.errors import BadInput
from sherf.files.inert_pickle import parse_pickle
from sherf.files.pickle_stand_ins import EncodedText, Factory, Ignored, Inert, printable, reconstruct

MAX_ARRAY_BYTES = 2**28
"""SMPL's largest array, 207 pose blend shapes in double precision, takes 34 MB."""
MAX_SELECTION_DEPTH = 4
NUMBER_TYPES = frozenset("?bBhHiIlLqQefd") | {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} | {"b1"}


class ArrayType(Inert):
    """Stands in for numpy.ndarray, which pickles only name."""


class NumberType(Inert):
    """Stands in for numpy.dtype(code, align, copy), with the byte order in its state."""

    def resolve(self) -> np.dtype:
        """Return the dtype.

        Raises:
            BadInput: it is not a dtype of plain numbers.
        """
        code = self.arguments[0] if self.arguments else None
        order: Any = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        if not isinstance(code, str) or code not in NUMBER_TYPES or order not in ("<", ">", "|", "="):
            found = f"{reprlib.repr(code)} values in byte order {reprlib.repr(order)}"
            raise BadInput(f"an array of {found}; only plain numbers are read")
        return np.dtype(code).newbyteorder(order)


class Array(Inert):
    """Stands in for numpy's _reconstruct(ndarray, (0,), b'b'), state (version, shape, dtype, is_fortran, bytes)."""

    def resolve(self) -> np.ndarray:
        """Return the array.

        Raises:
            BadInput: the description is not numpy's, or does not match the bytes.
        """
        match self.state:
            case (int(), tuple(shape), NumberType() as number, is_fortran, content):
                return _array(_bytes(content), number, shape, "F" if is_fortran else "C")
        raise BadInput("an array whose description is not numpy's")


class BufferArray(Inert):
    """Stands in for numpy's _frombuffer(bytes, dtype, shape, order), as protocol 5 writes arrays."""

    def resolve(self) -> np.ndarray:
        """Return the array.

        Raises:
            BadInput: the description is not numpy's, or does not match the bytes.
        """
        match self.arguments:
            case (content, NumberType() as number, tuple(shape), "C" | "F" as order):
                return _array(_bytes(content), number, shape, order)
        raise BadInput("an array whose description is not numpy's")


class Scalar(Inert):
    """Stands in for numpy's scalar(dtype, bytes)."""

    def resolve(self) -> np.ndarray:
        """Return the number as an array without axes.

        Raises:
            BadInput: the description is not numpy's, or does not match the bytes.
        """
        match self.arguments:
            case (NumberType() as number, content):
                return _array(_bytes(content), number, (), "C")
        raise BadInput("a number whose description is not numpy's")


class ChumpyArray(Inert):
    """Stands in for any class of chumpy: its value is in `x` or `r`, or is a selection `idxs` of another array `a`."""

    def resolve(self, depth: int = 0) -> np.ndarray:
        """Return the value.

        Args:
            depth: how many selections led here.

        Raises:
            BadInput: there is no stored value, or it is damaged, too large or too deeply nested.
        """
        state = self.state if isinstance(self.state, dict) else {}
        for key in ("x", "r"):
            if key in state:
                return resolve_array(state[key], depth + 1)
        if "a" in state and "idxs" in state and depth < MAX_SELECTION_DEPTH:
            whole, indices = (resolve_array(state[key], depth + 1) for key in ("a", "idxs"))
            if indices.size * whole.itemsize > MAX_ARRAY_BYTES:
                raise BadInput(f"a selection of {indices.size} numbers: too large")
            chosen = np.asarray(whole.ravel()[indices])
            shape = state.get("preferred_shape")
            return chosen if shape is None else chosen.reshape(resolve_array(shape, depth + 1).tolist())
        found = printable(", ".join(map(str, state))) or "nothing"
        raise BadInput(f"a chumpy object without a stored value (found: {found})")


class SparseByColumns(Inert):
    """Stands in for scipy.sparse.csc_matrix."""

    by_columns = True

    def resolve(self) -> np.ndarray:
        """Return the dense matrix.

        Raises:
            BadInput: it is damaged or too large.
        """
        state = self.state if isinstance(self.state, dict) else {}
        data, indices, pointers = (resolve_array(state.get(key)).ravel() for key in ("data", "indices", "indptr"))
        rows, columns = _shape(state.get("_shape", state.get("shape")), 2)
        if rows * columns * data.itemsize > MAX_ARRAY_BYTES:
            raise BadInput(f"a sparse matrix of {rows} x {columns}: too large")
        along, across = (columns, rows) if self.by_columns else (rows, columns)
        counts = np.diff(pointers)
        is_valid = len(pointers) == along + 1 and len(data) == len(indices) and pointers[0] == 0
        is_valid = is_valid and pointers[-1] == len(data) and (counts >= 0).all()
        if not is_valid or (len(indices) and not (indices.min() >= 0 and indices.max() < across)):
            raise BadInput("a sparse matrix whose indices do not fit its shape")
        dense = np.zeros((along, across), data.dtype)
        np.add.at(dense, (np.repeat(np.arange(along), counts), indices), data)
        return dense.T if self.by_columns else dense


class SparseByRows(SparseByColumns):
    """Stands in for scipy.sparse.csr_matrix."""

    by_columns = False


def _resolve_name(module: str, name: str) -> Factory | None:
    """Return the stand-in for a name in a pickle, None if it is unknown."""
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
    """Read a pickled dict of arrays, such as a body model; pass its values to `resolve_array`.

    Args:
        content: the whole file.

    Returns:
        The values by key, with stand-ins for arrays; keys that are not text are left out.

    Raises:
        BadInput: it is not a pickle of a dict, is damaged, or refers to anything but arrays.
    """
    loaded = read_any_pickle(content)
    if not isinstance(loaded, dict):
        raise BadInput(f"it holds a {type(loaded).__name__}, not a dict of arrays")
    return {str(key): value for key, value in loaded.items() if isinstance(key, str | bytes)}


def read_any_pickle(content: bytes) -> Any:
    """Read any pickled value, with stand-ins for its arrays; pass those to `resolve_array`.

    Args:
        content: the whole file.

    Returns:
        Plain Python values and stand-ins.

    Raises:
        BadInput: it is not a pickle, is damaged, or refers to anything but arrays.
    """
    return parse_pickle(io.BytesIO(content), _resolve_name)


def resolve_array(value: Any, depth: int = 0) -> np.ndarray:
    """Convert a value of `read_pickle`, a stand-in or plain numbers, to an array.

    Args:
        value: the value.
        depth: how many selections of chumpy led here.

    Returns:
        An array of numbers.

    Raises:
        BadInput: it is not an array, or is damaged or too large. The text reads as what the value is.
    """
    try:
        return _resolve(value, depth)
    except (ValueError, TypeError, IndexError, ArithmeticError, MemoryError) as error:  # numpy refuses the description
        raise BadInput(f"an array that cannot be created ({str(error)[:200]})") from error


def _resolve(value: Any, depth: int) -> np.ndarray:
    """Return a value as an array.

    Raises:
        BadInput: it is not an array, or is damaged or too large.
    """
    if isinstance(value, ChumpyArray):
        if depth > MAX_SELECTION_DEPTH:
            raise BadInput("chumpy objects nested too deeply")
        return value.resolve(depth)
    if isinstance(value, Array | BufferArray | Scalar | SparseByColumns):
        return value.resolve()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return np.asarray(float(value) if abs(value) > 2**62 else value)
    if isinstance(value, list | tuple) and all(type(item) in (int, float) for item in value):
        return np.array(value)
    raise BadInput(f"a {type(value).__name__}, not an array")


def _array(content: bytes, number: NumberType, shape: tuple, order: Literal["C", "F"]) -> np.ndarray:
    """Return an array over raw bytes, without a copy.

    Raises:
        BadInput: shape and type do not match the bytes, or are not those of a plain array.
    """
    dtype = number.resolve()
    size = int(np.prod(_shape(shape), dtype=object))
    if len(content) > MAX_ARRAY_BYTES or size * dtype.itemsize != len(content):
        raise BadInput(f"an array of shape {reprlib.repr(shape)} and type {dtype} with {len(content)} bytes of content")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _shape(shape: Any, axes: int | None = None) -> tuple[int, ...]:
    """Return a shape, with this many axes if given.

    Raises:
        BadInput: it is not a valid shape.
    """
    if isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) and axes in (None, len(shape)):
        return shape
    raise BadInput(f"an array of shape {reprlib.repr(shape)}")


def _bytes(content: Any) -> bytes:
    """Return raw content as bytes; strings of Python 2 arrive as latin-1 text.

    Raises:
        BadInput: it is neither bytes nor text.
    """
    if isinstance(content, EncodedText):
        return content.resolve()
    if isinstance(content, str):
        return content.encode("latin1")
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    raise BadInput(f"an array whose content is a {type(content).__name__}")
