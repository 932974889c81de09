"""The published training snapshot: a pickle of Python objects, parsed for its tensors without executing any code."""

import io
import mmap
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from sherf.errors import BadInput
from sherf.files.inert_pickle import parse_pickle
from sherf.files.pickle_stand_ins import EncodedText, Factory, Ignored, Inert, make_dict, printable, reconstruct
from sherf.files.pickled_tensors import (
    LEGACY_MAGIC,
    ZIP_START,
    SavedParameter,
    SavedTensor,
    read_archive,
    read_legacy_archive,
    read_tensors,
    resolve_tensor_name,
)

SnapshotNetwork = Literal["G", "G_ema"]
"""The networks of a snapshot: G produced the published results; G_ema is its running average."""

MAX_FILE_BYTES = 8 * 2**30
MAX_MODULES = MAX_TENSORS = 20_000
MAX_MODULE_DEPTH = 64
MAX_NAME_LENGTH = 200

INERT_PACKAGES = (
    *(
        "torch.nn",
        "torch._C._nn",
        "torchvision",
        "spconv",
        "cumm",
        "einops",
    ),  # libraries that the network was built with
    *("training", "torch_utils", "dnnlib"),  # modules of the published program
    *("chumpy", "scipy.sparse"),  # the SMPL model, an attribute of the renderer
)
"""Classes and functions of these packages are replaced by inert stand-ins."""
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
    """Stand-in for torch_utils.persistence._reconstruct_persistent_obj(meta): an object pickled with its source."""

    __slots__ = ()


def snapshot_names(module: str, name: str) -> Factory | None:
    """Return the stand-in for a name in a snapshot; None if the name is not allowed."""
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
    return resolve_tensor_name(module, name)


def read_network(path: Path, network: SnapshotNetwork) -> dict[str, Tensor]:
    """Return the tensors of one network of a published snapshot, by their published names, on the CPU.

    The tensors of the other networks are not read.

    Raises:
        BadInput: the file is not a snapshot, is damaged, refers to anything that could execute code, or lacks the
            network.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MAX_FILE_BYTES:
            raise BadInput(f"it is not a file of at most {MAX_FILE_BYTES >> 30} GiB")
        if size == 0:
            raise BadInput("it is empty")
        with path.open("rb") as file:
            content = _walk_file(file)
        if not isinstance(content, dict) or network not in content:
            found = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
            raise BadInput(f"it does not contain the network {network!r} (found: {printable(found) or 'nothing'})")
        return read_tensors(_tensors_by_path(content[network]), size)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    except BadInput as error:
        raise BadInput(
            f"{path} cannot be imported: {error}.\n"
            "Pass the training snapshot that SHERF's authors publish, a pickle that contains G, D and G_ema. "
            "If this is that file, download it again."
        ) from error


def _walk_file(file: io.BufferedReader) -> Any:
    # Memory-mapped: a string that claims to be longer than the file does not allocate memory.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        if stream[: len(ZIP_START)] == ZIP_START:
            return read_archive(file, snapshot_names)
        content = parse_pickle(stream, snapshot_names)
        return read_legacy_archive(stream, snapshot_names) if content == LEGACY_MAGIC else content


def _tensors_by_path(network: Any) -> dict[str, SavedTensor | SavedParameter]:
    """Return the parameters and buffers of a module and its submodules, named as in `state_dict`.

    Raises:
        BadInput: an entry is not a tensor or a module, or there are too many of them.
    """
    found: dict[str, SavedTensor | SavedParameter] = {}
    pending, visited = [("", 0, network)], 0
    while pending:
        prefix, depth, module = pending.pop()
        visited += 1
        state = _attributes(module, prefix)
        for group in ("_parameters", "_buffers"):
            for name, value in _named_in(state, group, prefix):
                if not isinstance(value, SavedTensor | SavedParameter):
                    raise BadInput(f"{printable(prefix + name)} is not a tensor")
                found[f"{prefix}{name}"] = value
        for name, value in _named_in(state, "_modules", prefix):
            pending.append((f"{prefix}{name}.", depth + 1, value))
        if visited + len(pending) > MAX_MODULES or depth > MAX_MODULE_DEPTH or len(found) > MAX_TENSORS:
            raise BadInput("its modules are more numerous or more deeply nested than those of a network")
    return found


def _attributes(module: Any, prefix: str) -> dict:
    """Return a module's pickled __dict__.

    Raises:
        BadInput: the object is not a module.
    """
    state = module.state if isinstance(module, Inert) else None
    if isinstance(module, Persistent) and module.arguments and isinstance(module.arguments[0], dict):
        state = module.arguments[0].get("state")
    if not isinstance(state, dict) or not {"_parameters", "_modules"} <= state.keys():
        raise BadInput(f"{printable(prefix.rstrip('.')) or 'the network'} is not a module of a network")
    return state


def _named_in(state: dict, group: str, prefix: str) -> list[tuple[str, Any]]:
    """Return the entries of one of a module's dictionaries, without those that are None.

    Raises:
        BadInput: it is not a dictionary of reasonable size with names as keys.
    """
    members = state.get(group, {})
    is_small = isinstance(members, dict) and len(members) <= MAX_TENSORS
    if not is_small or any(not isinstance(name, str) or len(name) > MAX_NAME_LENGTH for name in members):
        raise BadInput(f"{printable(prefix + group)} is damaged")
    return [(name, value) for name, value in members.items() if value is not None]
