"""Tensors inside pickles: from the bytes that torch wrote, without torch's own loader, which may run code.

A plain pickle holds each tensor's storage as the bytes of a small torch.save archive. Such archives come in two
layouts: the older one is a row of pickles followed by the raw numbers, the newer one a zip file. Both refer to
storages by persistent ids ('storage', type, key, device, count). The device does not matter: numbers go to the CPU.
Nothing is allocated before the bytes for it were found.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sherf.errors import BadInput
from sherf.files.inert_pickle import (
    MOST_STEPS,
    ByteStream,
    EncodedText,
    Ignored,
    Inert,
    Maker,
    Name,
    StandIns,
    shown,
    walk,
)

ZIP_START = b"PK\x03\x04"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the older layout holds this number."""
LEGACY_VERSION = 1001
MOST_STEPS_OF_A_STORAGE = 1000
"""Instructions in each pickle of an archive that holds a single storage; torch writes about thirty."""
MOST_AXES = 16
LARGEST_COUNT = 2**40

STORED_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


@dataclass
class Storage:
    """Numbers in a row, as the archive says; `read` gives their bytes."""

    dtype: torch.dtype
    count: int
    read: Callable[[], bytes | memoryview] | None = None

    def numbers(self) -> Tensor:
        """The numbers, still in the file's own memory: not to be written to."""
        content = self.read() if self.read else b""
        if len(content) != self.count * self.dtype.itemsize or not content:
            raise BadInput(
                f"it should hold {self.count} numbers of {self.dtype.itemsize} bytes, not {len(content)} bytes"
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given buffer is not writable")
            return torch.frombuffer(content, dtype=self.dtype)


class PackedStorage(Inert):
    """torch.storage._load_from_bytes(bytes): an archive of one storage."""

    __slots__ = ()

    def content(self) -> bytes:
        match self.arguments:
            case (bytes() as content,):
                return content
            case (EncodedText() as encoded,):
                return encoded.resolve()
        raise BadInput("its numbers are not stored as bytes")

    def open(self) -> Storage:
        storage = read_archive(io.BytesIO(self.content()), _storage_names, MOST_STEPS_OF_A_STORAGE)
        if not isinstance(storage, Storage):
            raise BadInput("its numbers' archive holds something else")
        return storage


class SavedTensor(Inert):
    """torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)."""

    __slots__ = ()

    def resolve(self) -> Tensor:
        """A tensor of its own, on the CPU.

        Raises:
            BadInput: it reaches beyond its storage, or repeats numbers.
        """
        match self.arguments:
            case (PackedStorage() | Storage() as held, int(offset), tuple(size), tuple(stride), _, _):
                pass
            case (PackedStorage() | Storage() as held, int(offset), tuple(size), tuple(stride)):
                pass
            case _:
                raise BadInput("its description is not torch's")
        whole = all(type(n) is int and 0 <= n < LARGEST_COUNT for n in (offset, *size, *stride))
        if not whole or len(size) != len(stride) or len(size) > MOST_AXES or 0 in size:
            raise BadInput("its shape is not one that a tensor of numbers has")
        storage = held.open() if isinstance(held, PackedStorage) else held
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= storage.count or math.prod(size) > storage.count:
            raise BadInput(
                f"shape {size} from number {offset} on does not fit into the {storage.count} numbers that it refers to"
            )
        return storage.numbers().as_strided(size, stride, offset).clone(memory_format=torch.contiguous_format)


class SavedParameter(Inert):
    """torch._utils._rebuild_parameter(tensor, requires_grad, hooks)."""

    __slots__ = ()

    def tensor(self) -> SavedTensor:
        if not self.arguments or not isinstance(self.arguments[0], SavedTensor):
            raise BadInput("a parameter that is no tensor")
        return self.arguments[0]


def _from_type(*arguments: Any) -> Any:
    """torch._utils._rebuild_from_type_v2(function, type, arguments, state): a tensor with attributes."""
    match arguments:
        case (Name() as named, _, tuple(inner), _) if named.make in (SavedTensor, SavedParameter):
            return named.make(*inner)
    raise BadInput("a tensor that is made in an unknown way")


def tensor_names(module: str, name: str) -> Maker | None:
    """What stands in for the names that torch uses to write tensors."""
    match module, name:
        case "torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor":
            return SavedTensor
        case "torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state":
            return SavedParameter
        case "torch._utils" | "torch._tensor", "_rebuild_from_type_v2":
            return _from_type
        case "torch.storage", "_load_from_bytes":
            return PackedStorage
    return _storage_names(module, name)


def read_tensors(values: Mapping[str, SavedTensor | SavedParameter], most_bytes: int) -> dict[str, Tensor]:
    """All of them, by name; together they may not need more than `most_bytes`.

    Raises:
        BadInput: with the tensor's name.
    """
    tensors, needed = {}, 0
    for name, value in values.items():
        try:
            saved = value.tensor() if isinstance(value, SavedParameter) else value
            tensors[name] = saved.resolve()
            held = saved.arguments[0]
            needed += len(held.content()) if isinstance(held, PackedStorage) else tensors[name].nbytes
            if needed > most_bytes:
                raise BadInput("with the tensors before it, it needs more bytes than the file has")
        except BadInput as error:
            raise BadInput(f"the tensor {shown(name)} cannot be read: {error}") from error
    return tensors


def read_archive(stream: ByteStream, stand_ins: StandIns, most_steps: int = MOST_STEPS) -> Any:
    """What a torch.save archive of either layout holds, from the stream's beginning.

    Raises:
        BadInput: it is damaged, or names what `stand_ins` does not know.
    """
    start = stream.read(len(ZIP_START))
    stream.seek(0)
    if start == ZIP_START:
        return _read_zip(stream, stand_ins, most_steps)
    if walk(stream, _nothing, most_steps=most_steps) != LEGACY_MAGIC:
        raise BadInput("it is no archive that torch wrote")
    return read_legacy_rest(stream, stand_ins, most_steps)


def read_legacy_rest(stream: ByteStream, stand_ins: StandIns, most_steps: int = MOST_STEPS) -> Any:
    """What an archive of the older layout holds, the magic number already read."""
    version = walk(stream, _nothing, most_steps=most_steps)
    system = walk(stream, _nothing, most_steps=most_steps)
    if version != LEGACY_VERSION or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise BadInput("it is no archive that torch wrote, or comes from a machine with another byte order")
    storages: dict[str, Storage] = {}
    value = walk(stream, stand_ins, lambda reference: _refer(reference, storages), most_steps)
    keys = walk(stream, _nothing, most_steps=most_steps)
    if not isinstance(keys, list) or any(not isinstance(key, str) or key not in storages for key in keys):
        raise BadInput("its list of storages is damaged")
    for key in keys:
        storage = storages[key]
        if int.from_bytes(stream.read(8), "little") != storage.count:
            raise BadInput("a storage's size is given in two different ways")
        content = stream.read(storage.count * storage.dtype.itemsize)
        # `read` may return less, never more: Storage.numbers() compares.
        storage.read = lambda content=content: content
    return value


def _read_zip(stream: ByteStream, stand_ins: StandIns, most_steps: int) -> Any:
    try:
        archive = zipfile.ZipFile(stream)
        members = {info.filename: info for info in archive.infolist()}
        stream.seek(0, io.SEEK_END)
        size = stream.tell()
        packed = any(info.compress_type != zipfile.ZIP_STORED for info in members.values())
        if packed or len(members) != len(archive.infolist()) or sum(info.file_size for info in members.values()) > size:
            raise BadInput("its archive is compressed, or larger inside than outside: torch writes no such thing")
        pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise BadInput("it is a zip archive, but none that torch wrote")
        folder = pickles[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in members and archive.read(order) != b"little":
            raise BadInput("it comes from a machine with another byte order")
        storages: dict[str, Storage] = {}
        content = archive.read(pickles[0])
        value = walk(io.BytesIO(content), stand_ins, lambda reference: _refer(reference, storages), most_steps)
        for key, storage in storages.items():
            if f"{folder}data/{key}" not in members:
                raise BadInput("a storage is missing in its archive")
            member = archive.read(f"{folder}data/{key}")
            storage.read = lambda member=member: member
        return value
    except BadInput:
        raise
    except Exception as error:  # whatever a damaged or hostile archive provokes in zipfile
        raise BadInput(f"it is a damaged zip archive ({type(error).__name__}: {shown(str(error))})") from error


def _refer(reference: Any, storages: dict[str, Storage]) -> Any:
    """What a persistent id of torch's leads to."""
    match reference:
        case ("storage", Name(module="torch", name=kind), str(key), str(), int(count), *view) if (
            kind in STORED_TYPES and 0 <= count < LARGEST_COUNT
        ):
            known = storages.setdefault(key, Storage(STORED_TYPES[kind], count))
            if view in ([], [None]) and known.count == count and known.dtype == STORED_TYPES[kind]:
                return known
        case ("module", Name() as named, *_):
            return named
    raise BadInput("it refers to something outside of itself that is no storage of numbers")


def _storage_names(module: str, name: str) -> Maker | None:
    return Ignored if module == "torch" and name in STORED_TYPES else None


def _nothing(module: str, name: str) -> Maker | None:
    return None
