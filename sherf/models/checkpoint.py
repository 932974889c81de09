"""Checkpoints: a safetensors file that holds a network's weights and, in its header, the JSON that describes them.

Earlier versions wrote the JSON to a file beside the weights; these pairs can still be read. Reading a checkpoint
executes no code from it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sherf import __version__
from sherf.errors import BadInput
from sherf.files.digest import tensors_sha256
from sherf.files.output import atomic_output
from sherf.files.versions import check_version
from sherf.models.build import empty_network
from sherf.models.config_json import config_record, read_config
from sherf.models.network import Network

FORMAT, ABOUT = "sherf-checkpoint", "about"
"""Format, and name of the header's entry that holds the JSON."""
FORMAT_VERSION = 2
"""1 is a pair of files."""
WEIGHTS_SUFFIX, PAIR_SUFFIX = ".safetensors", ".json"
MAX_ABOUT_BYTES = 2**20
RESTORE = "Download the checkpoint again, or import or train the network again."


def check_name(path: Path) -> None:
    """Check that a path can name a checkpoint.

    Raises:
        BadInput: it does not end with .safetensors.
    """
    if path.suffix != WEIGHTS_SUFFIX:
        raise BadInput(f"{path} cannot name a checkpoint: the name has to end with {WEIGHTS_SUFFIX}.")


def save_checkpoint(model: Network, path: Path, about: dict[str, Any], half: bool = False) -> None:
    """Write weights and what describes them to one file, whole or not at all.

    Args:
        model: the network.
        path: the file, ending with .safetensors. A JSON file beside it, of an earlier version, is ignored from now on.
        about: further entries of the JSON, such as the weights' origin.
        half: store the weights in half precision, at half the size.

    Raises:
        BadInput: the name does not end with .safetensors, or a weight is not finite.
        OutputError: the file cannot be written.
    """
    check_name(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(model.state_dict().items())}
    if half:
        tensors = {name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise BadInput(f"the weights cannot be saved: {name} holds numbers that are not finite (NaN or infinite).")
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "tool": f"sherf {__version__}",
        "body_model": model.config.body_model,
        "config": config_record(model.config),
        "tensors_sha256": tensors_sha256(*tensors.values()),
        **about,
    }
    with atomic_output(path) as partial:
        # One entry: safetensors writes several in an order that changes from run to run.
        partial.write_bytes(save(tensors, {ABOUT: json.dumps(content, ensure_ascii=False, allow_nan=False)}))


def load_checkpoint(path: Path) -> Network:
    """Return the network of a checkpoint, in evaluation mode, on the CPU, in single precision.

    Raises:
        BadInput: the file is missing, damaged or from a newer version, or what it says does not fit its weights.
    """
    with _open_checkpoint(path) as file:
        about = _read_about(path, file)
        model = empty_network(read_config(path, about.get("config")))
        tensors = _read_tensors(path, file, model.state_dict())
    if tensors_sha256(*(tensors[name] for name in sorted(tensors))) != about.get("tensors_sha256"):
        raise BadInput(f"{path} is damaged: its weights are not those that it describes.\n{RESTORE}")
    full = {name: x.float() if x.dtype == torch.float16 else x for name, x in tensors.items()}
    model.load_state_dict(full, assign=True)
    return model.eval()


def read_about(path: Path) -> dict[str, Any]:
    """Return what describes a checkpoint: format, version, configuration, and what was passed on saving.

    Raises:
        BadInput: the file is missing, damaged, something else, or from a newer version.
    """
    with _open_checkpoint(path) as file:
        return _read_about(path, file)


@contextmanager
def _open_checkpoint(path: Path) -> Iterator[Any]:
    """Open a checkpoint, so that all that is read is of one file, also if it is replaced in the meantime.

    Yields:
        As `safetensors.safe_open`.

    Raises:
        BadInput: the file is missing, or damaged.
    """
    check_name(path)
    if not path.is_file():
        raise BadInput(f"there is no checkpoint {path}.\nCreate one with `sherf import-checkpoint FILE --out {path}`.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is damaged or not a safetensors file ({error}).\n{RESTORE}") from error


def _read_about(path: Path, file: Any) -> dict[str, Any]:
    """Return the JSON in an open checkpoint's header, or, if it has none, in the file beside it.

    Raises:
        BadInput: there is neither, or it is damaged, describes something else, or is from a newer version.
    """
    text: str | None = (file.metadata() or {}).get(ABOUT)
    source = path if text is not None else path.with_suffix(PAIR_SUFFIX)
    try:
        if text is None:
            text = _read_pair(path, source)
        if len(text) > MAX_ABOUT_BYTES:
            raise BadInput(f"{source} says too much to describe a checkpoint.\n{RESTORE}")
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{source} is damaged ({error}).\n{RESTORE}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadInput(f"{source} does not describe a checkpoint of sherf (its format is not {FORMAT!r}).\n{RESTORE}")
    check_version(source, about.get("version"), FORMAT_VERSION)
    return about


def _read_pair(path: Path, beside: Path) -> str:
    """Return the text of the file that describes weights of an earlier version.

    Raises:
        BadInput: there is none, or it cannot be read.
        ValueError: it is not text.
    """
    try:
        with beside.open(encoding="utf-8") as file:
            return file.read(MAX_ABOUT_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(
            f"{path} holds weights, but nothing that describes them; nor is there a {beside.name} beside it.\n{RESTORE}"
        ) from None
    except OSError as error:
        raise BadInput(f"{beside} cannot be read ({error}).\n{RESTORE}") from error


def _read_tensors(path: Path, file: Any, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of an open checkpoint after checking them against the expected names, shapes and types.

    Raises:
        BadInput: a tensor is missing, unknown, not finite, or has another shape or type.
    """
    found = set(file.keys())
    for problem, names in (("missing", expected.keys() - found), ("unknown", found - expected.keys())):
        if names:
            raise BadInput(
                f"{path}: {len(names)} tensors of the configured network are {problem}, among them "
                f"'{min(names)[:100]}'.\n{RESTORE}"
            )
    for name, tensor in expected.items():
        shape = tuple(file.get_slice(name).get_shape())
        if shape != tuple(tensor.shape):
            raise BadInput(f"{path}: '{name}' has shape {shape}, expected {tuple(tensor.shape)}.\n{RESTORE}")
    tensors = {name: file.get_tensor(name) for name in expected}
    for name, tensor in tensors.items():
        if tensor.dtype not in (expected[name].dtype, torch.float16):
            raise BadInput(f"{path}: '{name}' holds {tensor.dtype}, expected {expected[name].dtype}.\n{RESTORE}")
        if not bool(tensor.isfinite().all()):
            raise BadInput(f"{path}: '{name}' holds numbers that are not finite (NaN or infinite).\n{RESTORE}")
    return tensors
