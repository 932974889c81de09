"""Plain arrays out of .npy and .npz bytes: nothing is executed, and no size is believed that the bytes do not bear out.

The one way in for all such files. Archives may be stored or deflated, as numpy writes them; other packings unpack
without a bound. Messages say what is wrong; the caller says where.
"""

import io
import struct
import sys
import zipfile
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sherf.errors import BadInput

MOST_DIRECTORY_BYTES = 2**16
"""An archive's list of members: zipfile makes an object of each before anything else can be asked."""
LONGEST_HEADER, MOST_PADDING = 1000, 2**17
END_OF_DIRECTORY, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x07"


@dataclass(frozen=True)
class Npy:
    """An .npy file, taken apart."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype
    content: bytes
    """What follows the header."""

    def array(self) -> NDArray:
        """Its numbers.

        Raises:
            BadInput: the header does not describe the bytes, or speaks of objects, whose pickles could run code.
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
            raise BadInput("its text holds what is no letter")
        order = "F" if self.by_columns else "C"
        return np.frombuffer(self.content, self.dtype).reshape(self.shape, order=order).copy(order="K")


def open_npy(content: bytes) -> Npy:
    """Read the header.

    Raises:
        BadInput: it is none.
    """
    try:
        version = npy.read_magic(io.BytesIO(content))
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise BadInput(f"an .npy of version {version}")
        size = 2 if version == (1, 0) else 4
        end = 8 + size + int.from_bytes(content[8 : 8 + size], "little")
        # numpy takes the square of a header's blanks to parse it
        header = b" ".join(content[8 + size : end][:MOST_PADDING].split())
        if end > len(content) or end > MOST_PADDING or len(header) > LONGEST_HEADER:
            raise BadInput("its header is longer than the file, or than that of an array")
        plain = npy.magic(1, 0) + struct.pack("<H", len(header) + 1) + header + b"\n"
        file = io.BytesIO(plain[npy.MAGIC_LEN :])
        shape, by_columns, dtype = npy.read_array_header_1_0(file)
    except BadInput:
        raise
    except Exception as error:  # the header is a Python literal: tokenize, ast and numpy raise what they like
        raise BadInput(f"it is damaged or no .npy file ({type(error).__name__}: {str(error)[:200]})") from error
    return Npy(shape, by_columns, dtype, content[end:])


def unpacked(content: bytes, most_bytes: int, wanted: Collection[str] | None = None) -> dict[str, bytes]:
    """The members of an .npz, without their suffix .npy.

    Args:
        most_bytes: that they may unpack to, together.
        wanted: names; others are left unread. None: all.

    Raises:
        BadInput: it is damaged, packed in another way than numpy's, or larger inside than it may be.
    """
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            members = {name: info for name, info in listed.items() if wanted is None or name in wanted}
            size = sum(info.file_size for info in members.values())
            if size > most_bytes:
                raise BadInput(f"it unpacks to {size / 2**20:.0f} MB; at most {most_bytes / 2**20:.0f} MB are read")
            return {name: _member(archive, info) for name, info in members.items()}
    except BadInput:
        raise
    except Exception as error:  # whatever a damaged archive provokes in zipfile and zlib
        raise BadInput(f"it is damaged or no .npz file ({type(error).__name__}: {str(error)[:200]})") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """One member, of no more than the size that was agreed to: the packed bytes may hold far more."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadInput("it is packed in a way that numpy does not use; save it again with numpy.savez")
    with archive.open(info) as file:
        content = file.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise BadInput(f"{info.filename[:100]} holds {len(content)} bytes, not {info.file_size}")
    return content


def _check_directory(content: bytes) -> None:
    """Refuse archives whose list of members alone would fill the memory.

    Raises:
        BadInput: it is longer than that of an .npz, or of the kind for archives beyond 4 GB.
    """
    at = content.find(END_OF_DIRECTORY, max(0, len(content) - 2**16 - 22))
    while at >= 0:
        if content[max(0, at - 20) :][:4] == LOCATOR_64:
            raise BadInput("its list of members is of the kind for archives beyond 4 GB")
        end = content[at : at + 22]
        if len(end) == 22 and struct.unpack_from("<I", end, 12)[0] > MOST_DIRECTORY_BYTES:
            raise BadInput("its list of members is longer than that of an .npz file")
        at = content.find(END_OF_DIRECTORY, at + 1)
