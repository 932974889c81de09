"""Checkpoints: weights in a safetensors file, described by a JSON file beside it.

Reading a checkpoint executes no code from it.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sherf import __version__
from sherf.errors import BadInput
from sherf.files.digest import tensors_sha256
from sherf.files.output import atomic_output, write_json
from sherf.files.versions import check_version
from sherf.models.build import empty_network
from sherf.models.config_json import config_record, read_config
from sherf.models.network import Network

FORMAT = "sherf-checkpoint"
FORMAT_VERSION = 1
WEIGHTS_SUFFIX, ABOUT_SUFFIX = ".safetensors", ".json"
MAX_ABOUT_BYTES = 2**20
RESTORE = "Download both files again, or import or train the network again."


def about_path(path: Path) -> Path:
    """Return the path of a checkpoint's JSON file."""
    return path.with_suffix(ABOUT_SUFFIX)


def check_name(path: Path) -> None:
    """Check that a path can name a checkpoint.

    Raises:
        BadInput: it does not end with .safetensors.
    """
    if path.suffix != WEIGHTS_SUFFIX:
        raise BadInput(f"{path} cannot name a checkpoint: the name has to end with {WEIGHTS_SUFFIX}.")


def save_checkpoint(model: Network, path: Path, about: dict[str, Any], half: bool = False) -> None:
    """Write weights to `path` and their description to a JSON file beside it, each completely or not at all.

    Args:
        model: the network.
        path: the weights' file, ending with .safetensors.
        about: further entries of the JSON, such as the weights' origin.
        half: store the weights in half precision, at half the size.

    Raises:
        BadInput: the name does not end with .safetensors, or a weight is not finite.
        OutputError: the files cannot be written.
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
        partial.write_bytes(save(tensors, {"format": FORMAT}))
        write_json(about_path(path), content)


def load_checkpoint(path: Path) -> Network:
    """Return the network of a checkpoint, in evaluation mode, on the CPU, in single precision.

    Raises:
        BadInput: a file of the pair is missing, damaged or from a newer version, or the two do not belong together.
    """
    check_name(path)
    about = read_about(path)
    model = empty_network(about_path(path), read_config(about_path(path), about.get("config")))
    tensors = _read_tensors(path, model.state_dict())
    if tensors_sha256(*(tensors[name] for name in sorted(tensors))) != about.get("tensors_sha256"):
        raise BadInput(f"{path} and {about_path(path).name} do not belong together, or one is damaged.\n{RESTORE}")
    full = {name: x.float() if x.dtype == torch.float16 else x for name, x in tensors.items()}
    model.load_state_dict(full, assign=True)
    return model.eval()


def read_about(path: Path) -> dict[str, Any]:
    """Return the JSON of the checkpoint whose weights are at `path`.

    Raises:
        BadInput: one of the files is missing, or the JSON is damaged, describes something else, or is from a newer
            version.
    """
    beside = about_path(path)
    if not path.is_file():
        raise BadInput(f"there is no checkpoint {path}.\nCreate one with `sherf import-checkpoint FILE --out {path}`.")
    if not beside.is_file():
        raise BadInput(f"{path} lacks its {beside.name}, which describes the weights.\n{RESTORE}")
    try:
        if beside.stat().st_size > MAX_ABOUT_BYTES:
            raise BadInput(f"{beside} is too large to describe a checkpoint.\n{RESTORE}")
        about = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{beside} is damaged ({error}).\n{RESTORE}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadInput(f"{beside} does not describe a checkpoint of sherf (its format is not {FORMAT!r}).\n{RESTORE}")
    check_version(beside, about.get("version"), FORMAT_VERSION)
    return about


def _read_tensors(path: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a file after checking them against the expected names, shapes and types.

    Raises:
        BadInput: a tensor is missing, unknown, not finite, or has another shape or type, or the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
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
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is damaged or not a safetensors file ({error}).\n{RESTORE}") from error
    for name, tensor in tensors.items():
        if tensor.dtype not in (expected[name].dtype, torch.float16):
            raise BadInput(f"{path}: '{name}' holds {tensor.dtype}, expected {expected[name].dtype}.\n{RESTORE}")
        if not bool(tensor.isfinite().all()):
            raise BadInput(f"{path}: '{name}' holds numbers that are not finite (NaN or infinite).\n{RESTORE}")
    return tensors
