"""Read plain arrays from .npy and .npz bytes: nothing is executed, and every size is checked against the bytes.

All such files are read here. Archives may be stored or deflated, as numpy writes them; other compressions are refused,
for they unpack without a bound. Error messages say what is wrong; the caller adds the file's name.
The formats are those of `numpy.lib.format`.
"""

import io
import struct
import sys
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sherf.errors import BadInput

MAX_DIRECTORY_BYTES = 2**16
"""Of an archive's list of members: zipfile makes an object of each before anything can be checked."""
MAX_HEADER, MAX_PADDED_HEADER = 1000, 2**17
"""Bytes of a header without its padding, and with it."""
END_OF_DIRECTORY, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x07"


@dataclass(frozen=True)
class Npy:
    """The parsed header of an .npy file, and its data."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    content: bytes
    """The bytes after the header."""

    def array(self) -> NDArray:
        """Return a writable copy of the array.

        Raises:
            BadInput: the header does not match the bytes, or declares objects, whose pickles could run code.
        """
        if self.dtype.hasobject:
            raise BadInput("it holds pickled objects, not plain numbers; save it as a dense array")
        size = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        if size != len(self.content) or any(n < 0 for n in self.shape):
            raise BadInput(
                f"an array of shape {self.shape} and type {self.dtype} needs {size} bytes, not {len(self.content)}"
            )
        if size == 0:
            return np.zeros(self.shape, self.dtype)
        if self.dtype.kind == "U" and np.frombuffer(self.content, self.dtype.byteorder + "u4").max() > sys.maxunicode:
            raise BadInput("its text holds values that are not characters")
        order: Literal["C", "F"] = "F" if self.fortran_order else "C"
        return np.frombuffer(self.content, self.dtype).reshape(self.shape, order=order).copy(order="K")


def parse_npy(content: bytes) -> Npy:
    """Parse the header of an .npy file.

    Args:
        content: the whole file.

    Returns:
        The header and the data, which `Npy.array` checks and converts.

    Raises:
        BadInput: it is not an .npy file, or its header is damaged or too long.
    """
    try:
        version = npy.read_magic(io.BytesIO(content))
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise BadInput(f"an .npy of version {version}")
        size = 2 if version == (1, 0) else 4
        end = 8 + size + int.from_bytes(content[8 : 8 + size], "little")
        # numpy parses a header in time quadratic in its spaces: remove the padding
        header = b" ".join(content[8 + size : end][:MAX_PADDED_HEADER].split())
        if end > len(content) or end > MAX_PADDED_HEADER or len(header) > MAX_HEADER:
            raise BadInput("its header is longer than the file, or than an array needs")
        plain = npy.magic(1, 0) + struct.pack("<H", len(header) + 1) + header + b"\n"
        file = io.BytesIO(plain[npy.MAGIC_LEN :])
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)
    except BadInput:
        raise
    except Exception as error:  # the header is a Python literal: tokenize, ast and numpy can raise anything
        raise BadInput(f"it is damaged or not an .npy file ({type(error).__name__}: {str(error)[:200]})") from error
    return Npy(shape, fortran_order, dtype, content[end:])


def unpack_npz(content: bytes, max_bytes: int, wanted: Collection[str] | None = None) -> dict[str, bytes]:
    """Unpack the members of an .npz archive.

    Args:
        content: the whole file.
        max_bytes: how many bytes the wanted members may unpack to, together.
        wanted: names of the members to unpack, without the suffix .npy; None for all.

    Returns:
        Each member's bytes by its name without the suffix .npy, for `parse_npy`. Wanted members that are missing
        are left out.

    Raises:
        BadInput: it is damaged, compressed in a way that numpy does not use, or unpacks to more than `max_bytes`.
    """
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            members = {name: info for name, info in listed.items() if wanted is None or name in wanted}
            size = sum(info.file_size for info in members.values())
            if size > max_bytes:
                raise BadInput(f"it unpacks to {size / 2**20:.0f} MB; at most {max_bytes / 2**20:.0f} MB are read")
            return {name: _member(archive, info) for name, info in members.items()}
    except BadInput:
        raise
    except Exception as error:  # a damaged archive can provoke anything in zipfile and zlib
        raise BadInput(f"it is damaged or not an .npz file ({type(error).__name__}: {str(error)[:200]})") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return one member, unpacked up to the size that the archive declares: the compressed bytes may hold far more.

    Raises:
        BadInput: its compression is not numpy's, or its size is not the declared one.
    """
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadInput("it is compressed in a way that numpy does not use; save it again with numpy.savez")
    with archive.open(info) as file:
        content = file.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise BadInput(f"{info.filename[:100]} holds {len(content)} bytes, not {info.file_size}")
    return content


def _check_directory(content: bytes) -> None:
    """Refuse an archive whose list of members alone would fill the memory.

    Raises:
        BadInput: the list is longer than that of an .npz file, or in the ZIP64 format for archives beyond 4 GB.
    """
    at = content.find(END_OF_DIRECTORY, max(0, len(content) - 2**16 - 22))
    while at >= 0:
        if content[max(0, at - 20) :][:4] == LOCATOR_64:
            raise BadInput("its list of members is in the ZIP64 format for archives beyond 4 GB")
        end = content[at : at + 22]
        if len(end) == 22 and struct.unpack_from("<I", end, 12)[0] > MAX_DIRECTORY_BYTES:
            raise BadInput("its list of members is longer than that of an .npz file")
        at = content.find(END_OF_DIRECTORY, at + 1)
