"""The published training snapshot: a pickle of whole Python objects, walked for its tensors and nothing else."""

import io
import mmap
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from sherf.errors import BadInput
from sherf.files.inert_pickle import EncodedText, Ignored, Inert, Maker, make_dict, reconstruct, shown, walk
from sherf.files.pickled_tensors import (
    LEGACY_MAGIC,
    ZIP_START,
    SavedParameter,
    SavedTensor,
    read_archive,
    read_legacy_rest,
    read_tensors,
    tensor_names,
)

Network = Literal["G", "G_ema"]
"""Which network of a snapshot: the one that the published figures were made with, or its running average."""

MOST_FILE_BYTES = 8 * 2**30
MOST_MODULES = MOST_TENSORS = 20_000
DEEPEST_MODULE = 64
LONGEST_NAME = 200

INERT_PACKAGES = (
    *("torch.nn", "torch._C._nn", "torchvision", "spconv", "cumm", "einops"),  # what the network was built with
    *("training", "torch_utils", "dnnlib"),  # the published program's own
    *("chumpy", "scipy.sparse"),  # the SMPL model that hangs on the renderer
)
"""Classes and functions of these packages are kept as stand-ins that do nothing."""
INERT_NAMES = {
    "builtins": {"object", "dict", "set", "frozenset", "slice", "bytearray"},
    "collections": {"defaultdict", "deque"},
    "numpy": {"ndarray", "dtype", "float32", "float64", "int32", "int64", "bool_"},
    "torch": {"Size", "device", "Tensor", "memory_format"}
    | {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)}
    | {"bfloat16", "bool"},
    "torch._utils": {"torch.contiguous_format", "torch.preserve_format", "torch.channels_last"},
}
NUMPY_PARTS = {
    "multiarray": {"_reconstruct", "scalar"},
    "numeric": {"_frombuffer"},
}


class Persistent(Inert):
    """torch_utils.persistence._reconstruct_persistent_obj(meta): an object that brings its own source code."""

    __slots__ = ()


def snapshot_names(module: str, name: str) -> Maker | None:
    """What a name in a snapshot leads to, None if it is unknown."""
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    match module.split("."), name:
        case ["collections"], "OrderedDict":
            return make_dict
        case ["dnnlib", *_], "EasyDict":
            return make_dict
        case ["torch_utils", "persistence"], "_reconstruct_persistent_obj":
            return Persistent
        case ["_codecs"], "encode":
            return EncodedText
        case ["copyreg"], "_reconstructor":
            return reconstruct
        case ["numpy", "core" | "_core", part], _ if name in NUMPY_PARTS.get(part, ()):
            return Ignored
    if name in INERT_NAMES.get(module, ()) or any(f"{module}.".startswith(f"{p}.") for p in INERT_PACKAGES):
        return Ignored
    return tensor_names(module, name)


def read_network(path: Path, network: Network) -> dict[str, Tensor]:
    """The tensors of one network of a published snapshot, by their published names, on the CPU.

    Of the other networks nothing is looked into.

    Raises:
        BadInput: it is no snapshot, is damaged, names something that could run, or lacks that network.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MOST_FILE_BYTES:
            raise BadInput(f"it is not a file of at most {MOST_FILE_BYTES >> 30} GiB")
        if size == 0:
            raise BadInput("it is empty")
        with path.open("rb") as file:
            content = _walk_file(file)
        if not isinstance(content, dict) or network not in content:
            found = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
            raise BadInput(f"it holds no network {network!r} (found: {shown(found) or 'nothing'})")
        return read_tensors(_tensors_by_path(content[network]), size)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    except BadInput as error:
        raise BadInput(
            f"{path} cannot be imported: {error}.\n"
            "Give the training snapshot that SHERF's authors publish, a pickle that holds G, D and G_ema; "
            "if it is that, download it again."
        ) from error


def _walk_file(file: io.BufferedReader) -> Any:
    # Mapped, so that a string which claims to be longer than the file takes no memory.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        if stream[: len(ZIP_START)] == ZIP_START:
            return read_archive(file, snapshot_names)
        content = walk(stream, snapshot_names)
        return read_legacy_rest(stream, snapshot_names) if content == LEGACY_MAGIC else content


def _tensors_by_path(network: Any) -> dict[str, SavedTensor | SavedParameter]:
    """Parameters and buffers of a module and those inside it, as `state_dict` names them."""
    found: dict[str, SavedTensor | SavedParameter] = {}
    waiting, visited = [("", 0, network)], 0
    while waiting:
        prefix, depth, module = waiting.pop()
        visited += 1
        state = _attributes(module, prefix)
        for group in ("_parameters", "_buffers"):
            for name, value in _named_in(state, group, prefix):
                if not isinstance(value, SavedTensor | SavedParameter):
                    raise BadInput(f"{shown(prefix + name)} is no tensor")
                found[f"{prefix}{name}"] = value
        for name, value in _named_in(state, "_modules", prefix):
            waiting.append((f"{prefix}{name}.", depth + 1, value))
        if visited + len(waiting) > MOST_MODULES or depth > DEEPEST_MODULE or len(found) > MOST_TENSORS:
            raise BadInput("its modules hold more, or each other more often, than those of a network")
    return found


def _attributes(module: Any, prefix: str) -> dict:
    """A module's __dict__, as it was pickled."""
    state = module.state if isinstance(module, Inert) else None
    if isinstance(module, Persistent) and module.arguments and isinstance(module.arguments[0], dict):
        state = module.arguments[0].get("state")
    if not isinstance(state, dict) or not {"_parameters", "_modules"} <= state.keys():
        raise BadInput(f"{shown(prefix.rstrip('.')) or 'the network'} is no module of a network")
    return state


def _named_in(state: dict, group: str, prefix: str) -> list[tuple[str, Any]]:
    members = state.get(group, {})
    few = isinstance(members, dict) and len(members) <= MOST_TENSORS
    if not few or any(not isinstance(name, str) or len(name) > LONGEST_NAME for name in members):
        raise BadInput(f"{shown(prefix + group)} is damaged")
    return [(name, value) for name, value in members.items() if value is not None]
