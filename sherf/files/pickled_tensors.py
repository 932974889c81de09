"""Read tensors inside pickles from the bytes that torch wrote, without torch's own loader, which may run code.

A plain pickle holds each tensor's storage as the bytes of a small torch.save archive. Such archives come in two
layouts: the legacy one is a sequence of pickles followed by the raw numbers, the newer one a zip file. Both refer to
storages by persistent ids ('storage', type, key, device, count). The device is ignored: tensors are read to the CPU.
Nothing is allocated before the bytes for it have been found.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

import torch
from torch import Tensor

from sherf.errors import BadInput
from sherf.files.inert_pickle import MAX_STEPS, ByteStream, parse_pickle
from sherf.files.pickle_stand_ins import EncodedText, Factory, Ignored, Inert, Name, NameResolver, printable

ZIP_START = b"PK\x03\x04"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the legacy layout holds this number."""
LEGACY_VERSION = 1001
MAX_STORAGE_STEPS = 1000
"""Instructions in each pickle of an archive that holds a single storage; torch writes about thirty."""
MAX_AXES = 16
MAX_COUNT = 2**40

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
    """A flat array of numbers, as the archive describes it."""

    dtype: torch.dtype
    count: int
    read: Callable[[], bytes | memoryview] | None = None
    """Returns the bytes; None until the archive has been read so far."""

    def numbers(self) -> Tensor:
        """Return the numbers as a flat tensor that shares the file's memory: do not write to it.

        Raises:
            BadInput: there are not as many bytes as the description says, or none.
        """
        content = self.read() if self.read else b""
        if len(content) != self.count * self.dtype.itemsize or not content:
            raise BadInput(
                f"it should hold {self.count} numbers of {self.dtype.itemsize} bytes, not {len(content)} bytes"
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given buffer is not writable")
            return torch.frombuffer(content, dtype=self.dtype)


class PackedStorage(Inert):
    """Stands in for torch.storage._load_from_bytes(bytes): an archive of one storage."""

    __slots__ = ()

    def content(self) -> bytes:
        """Return the archive's bytes.

        Raises:
            BadInput: the pickle holds something else in their place.
        """
        match self.arguments:
            case (bytes() as content,):
                return content
            case (EncodedText() as encoded,):
                return encoded.resolve()
        raise BadInput("its numbers are not stored as bytes")

    def open(self) -> Storage:
        """Return the storage in the archive.

        Raises:
            BadInput: the archive is damaged, or holds something else.
        """
        storage = read_archive(io.BytesIO(self.content()), _resolve_storage_name, MAX_STORAGE_STEPS)
        if not isinstance(storage, Storage):
            raise BadInput("the archive of its numbers holds something else")
        return storage


class SavedTensor(Inert):
    """Stands in for torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)."""

    __slots__ = ()

    def resolve(self) -> Tensor:
        """Return the tensor as a contiguous copy on the CPU.

        Raises:
            BadInput: the description is not torch's, reaches beyond the storage, or repeats its numbers.
        """
        match self.arguments:
            case (PackedStorage() | Storage() as held, int(offset), tuple(size), tuple(stride), _, _):
                pass
            case (PackedStorage() | Storage() as held, int(offset), tuple(size), tuple(stride)):
                pass
            case _:
                raise BadInput("its description is not torch's")
        whole = all(type(n) is int and 0 <= n < MAX_COUNT for n in (offset, *size, *stride))
        if not whole or len(size) != len(stride) or len(size) > MAX_AXES or 0 in size:
            raise BadInput("its shape is not valid for a tensor of numbers")
        storage = held.open() if isinstance(held, PackedStorage) else held
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= storage.count or math.prod(size) > storage.count:
            raise BadInput(
                f"shape {size} from offset {offset} does not fit into its storage of {storage.count} numbers"
            )
        return storage.numbers().as_strided(size, stride, offset).clone(memory_format=torch.contiguous_format)


class SavedParameter(Inert):
    """Stands in for torch._utils._rebuild_parameter(tensor, requires_grad, hooks)."""

    __slots__ = ()

    def tensor(self) -> SavedTensor:
        """Return the parameter's tensor.

        Raises:
            BadInput: it is not a tensor.
        """
        if not self.arguments or not isinstance(self.arguments[0], SavedTensor):
            raise BadInput("a parameter that is not a tensor")
        return self.arguments[0]


def _from_type(*arguments: Any) -> Any:
    """Return the stand-in of a tensor with attributes: torch._utils._rebuild_from_type_v2(function, type, args, state).

    Raises:
        BadInput: the function is not one that rebuilds a tensor or a parameter.
    """
    match arguments:
        case (Name() as named, _, tuple(inner), _) if named.make in (SavedTensor, SavedParameter):
            return named.make(*inner)
    raise BadInput("a tensor that is rebuilt by an unknown function")


def resolve_tensor_name(module: str, name: str) -> Factory | None:
    """Return the stand-in for a name that torch uses to pickle tensors, None for other names."""
    match module, name:
        case "torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor":
            return SavedTensor
        case "torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state":
            return SavedParameter
        case "torch._utils" | "torch._tensor", "_rebuild_from_type_v2":
            return _from_type
        case "torch.storage", "_load_from_bytes":
            return PackedStorage
    return _resolve_storage_name(module, name)


def read_tensors(values: Mapping[str, SavedTensor | SavedParameter], max_bytes: int) -> dict[str, Tensor]:
    """Read tensors and parameters to the CPU.

    Args:
        values: their stand-ins by name.
        max_bytes: how many bytes they may need together, such as the size of the file.

    Returns:
        The tensors by name.

    Raises:
        BadInput: a tensor is damaged, or together they are too large; the message names the tensor.
    """
    tensors, needed = {}, 0
    for name, value in values.items():
        try:
            saved = value.tensor() if isinstance(value, SavedParameter) else value
            tensors[name] = saved.resolve()
            held = saved.arguments[0]
            needed += len(held.content()) if isinstance(held, PackedStorage) else tensors[name].nbytes
            if needed > max_bytes:
                raise BadInput("together with the tensors before it, it needs more bytes than the file has")
        except BadInput as error:
            raise BadInput(f"the tensor {printable(name)} cannot be read: {error}") from error
    return tensors


def read_archive(stream: ByteStream, resolve_name: NameResolver, max_steps: int = MAX_STEPS) -> Any:
    """Read a torch.save archive of either layout from the beginning of a stream.

    Args:
        stream: the archive.
        resolve_name: maps the names in its pickle to stand-ins.
        max_steps: how many instructions each pickle in it may have.

    Returns:
        The saved value, with stand-ins for its objects and `Storage` for its storages.

    Raises:
        BadInput: it is not such an archive, is damaged, or contains a name that `resolve_name` does not know.
    """
    start = stream.read(len(ZIP_START))
    stream.seek(0)
    if start == ZIP_START:
        return _read_zip(stream, resolve_name, max_steps)
    if parse_pickle(stream, _refuse_name, max_steps=max_steps) != LEGACY_MAGIC:
        raise BadInput("it is not an archive written by torch")
    return read_legacy_archive(stream, resolve_name, max_steps)


def read_legacy_archive(stream: ByteStream, resolve_name: NameResolver, max_steps: int = MAX_STEPS) -> Any:
    """Read a torch.save archive of the legacy layout from behind its first pickle, the magic number.

    Args:
        stream: positioned behind that pickle.
        resolve_name: maps the names in the archive's pickles to stand-ins.
        max_steps: how many instructions each pickle may have.

    Returns:
        The saved value, with stand-ins for its objects and `Storage` for its storages.

    Raises:
        BadInput: it is damaged, or contains a name that `resolve_name` does not know.
    """
    version = parse_pickle(stream, _refuse_name, max_steps=max_steps)
    system = parse_pickle(stream, _refuse_name, max_steps=max_steps)
    if version != LEGACY_VERSION or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise BadInput("it is not an archive written by torch, or comes from a machine with another byte order")
    storages: dict[str, Storage] = {}
    value = parse_pickle(stream, resolve_name, lambda reference: _resolve_reference(reference, storages), max_steps)
    keys = parse_pickle(stream, _refuse_name, max_steps=max_steps)
    if not isinstance(keys, list) or any(not isinstance(key, str) or key not in storages for key in keys):
        raise BadInput("its list of storages is damaged")
    for key in keys:
        storage = storages[key]
        if int.from_bytes(stream.read(8), "little") != storage.count:
            raise BadInput("the size of a storage is given twice, differently")
        content = stream.read(storage.count * storage.dtype.itemsize)
        # `read` may have returned less, never more: Storage.numbers() checks.
        storage.read = lambda content=content: content
    return value


def _read_zip(stream: ByteStream, resolve_name: NameResolver, max_steps: int) -> Any:
    try:
        archive = zipfile.ZipFile(cast(IO[bytes], stream))  # all that it needs of a file is what `ByteStream` has
        members = {info.filename: info for info in archive.infolist()}
        stream.seek(0, io.SEEK_END)
        size = stream.tell()
        packed = any(info.compress_type != zipfile.ZIP_STORED for info in members.values())
        if packed or len(members) != len(archive.infolist()) or sum(info.file_size for info in members.values()) > size:
            raise BadInput("its archive is compressed, or larger inside than outside: not as torch writes them")
        pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise BadInput("it is a zip archive, but not one written by torch")
        folder = pickles[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in members and archive.read(order) != b"little":
            raise BadInput("it comes from a machine with another byte order")
        storages: dict[str, Storage] = {}
        content = archive.read(pickles[0])
        value = parse_pickle(
            io.BytesIO(content), resolve_name, lambda reference: _resolve_reference(reference, storages), max_steps
        )
        for key, storage in storages.items():
            if f"{folder}data/{key}" not in members:
                raise BadInput("a storage is missing from its archive")
            member = archive.read(f"{folder}data/{key}")
            storage.read = lambda member=member: member
        return value
    except BadInput:
        raise
    except Exception as error:  # a damaged or hostile archive can provoke anything in zipfile
        raise BadInput(f"it is a damaged zip archive ({type(error).__name__}: {printable(str(error))})") from error


def _resolve_reference(reference: Any, storages: dict[str, Storage]) -> Any:
    """Return the storage, or the class, that a persistent id of torch refers to.

    Raises:
        BadInput: it refers to something else, or describes one storage in two different ways.
    """
    match reference:
        case ("storage", Name(module="torch", name=kind), str(key), str(), int(count), *view) if (
            kind in STORED_TYPES and 0 <= count < MAX_COUNT
        ):
            known = storages.setdefault(key, Storage(STORED_TYPES[kind], count))
            if view in ([], [None]) and known.count == count and known.dtype == STORED_TYPES[kind]:
                return known
        case ("module", Name() as named, *_):
            return named
    raise BadInput("it refers to something outside itself that is not a storage of numbers")


def _resolve_storage_name(module: str, name: str) -> Factory | None:
    return Ignored if module == "torch" and name in STORED_TYPES else None


def _refuse_name(module: str, name: str) -> Factory | None:
    return None
