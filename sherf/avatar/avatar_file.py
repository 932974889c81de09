"""Avatar files: safetensors with a JSON header, in which everything stands that rendering needs.

Reading one does not execute anything of it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sherf import __version__
from sherf.avatar.encoder import EncodedAvatar
from sherf.body.body_model import BodyModel
from sherf.errors import BadInput
from sherf.files.output import atomic_output
from sherf.files.versions import check_version
from sherf.models.config import SherfConfig
from sherf.models.config_json import config_record, read_config
from sherf.models.load import TEMPLATE, model_of_avatar
from sherf.models.network import Network
from sherf.models.packed_tensors import check_vertices, read_tensor
from sherf.scene import BodyPose, Camera, Subject

FORMAT = "sherf-avatar"
FORMAT_VERSION = 3
"""1 holds avatars of the template, 2 also those of networks, 3 also displaced bodies and layers."""
MAX_BYTES = 512 * 2**20
LARGEST = 1e6
"""Largest magnitude of any number: pixels, metres, radians."""
NETWORK = "network"
DISPLACEMENT = "displacement"
SHAPES: dict[str, tuple[int | None, ...]] = {
    "image": (3, None, None),
    "mask": (None, None),
    "K": (3, 3),
    "R": (3, 3),
    "T": (3,),
    "betas": (10,),
    "joints": (24, 3),
    "R_world_body": (3, 3),
    "T_world_body": (3,),
}


REMEDY = "Run `sherf reconstruct` again."


@dataclass(frozen=True)
class AvatarFile:
    """A checked avatar file, before it is put on its body."""

    path: Path
    body_model: str
    """Name of the body model that the avatar was made with."""
    report: dict[str, Any]
    tensors: dict[str, Tensor]
    config: SherfConfig | None
    """Of the network; None for an avatar of the template."""


def is_avatar(path: Path) -> bool:
    """Return whether a file looks like an avatar by its content: a safetensors file's header length, then JSON."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < MAX_BYTES


def save_avatar(avatar: EncodedAvatar, path: Path) -> None:
    """Write an avatar file, whole or not at all; image and mask are kept in 8 bits.

    Raises:
        OutputError: the file cannot be written.
    """
    subject = avatar.bank.subject
    tensors = {
        "image": _to_bytes(subject.image),
        "mask": _to_bytes(subject.mask),
        "K": subject.camera.K,
        "R": subject.camera.R,
        "T": subject.camera.T,
        "betas": subject.pose.betas,
        "joints": subject.pose.joints,
        "R_world_body": subject.pose.R_world_body,
        "T_world_body": subject.pose.T_world_body,
    }
    header = {
        "format": FORMAT,
        "version": "1",
        "model": TEMPLATE,
        "body_model": subject.body_model,
        "tool": f"sherf {__version__}",
        "report": json.dumps(avatar.report),
    }
    if isinstance(avatar.model, Network):
        config = json.dumps(config_record(avatar.model.config))
        header |= {"version": str(FORMAT_VERSION), "model": NETWORK, "config": config}
    if subject.pose.displacement is not None:
        tensors[DISPLACEMENT] = subject.pose.displacement.half()
    tensors |= avatar.model.pack(avatar.bank)
    with atomic_output(path) as partial:
        partial.write_bytes(save({name: x.cpu().contiguous() for name, x in tensors.items()}, header))


def load_avatar(path: Path, body: BodyModel) -> EncodedAvatar:
    """Return the avatar in a file whose body model is known.

    Raises:
        BadInput: the file is not an avatar, is damaged or too new, or was made with another body model.
    """
    return restore(read_avatar(path), body)


def restore(saved: AvatarFile, body: BodyModel) -> EncodedAvatar:
    """Return a file's avatar, completed with what follows from its photo, pose and body.

    Raises:
        BadInput: the avatar was made with another body model or another build of it, or a tensor does not fit.
    """
    path, tensors = saved.path, saved.tensors
    if saved.body_model != body.name:
        raise BadInput(
            f"{path} was made with the body model '{saved.body_model}', but '{body.name}' was requested.\n"
            "Shape coefficients of different body models are not interchangeable: "
            f"pass --body-model {saved.body_model} or reconstruct the photo again."
        )
    image, mask = tensors["image"].float() / 255, tensors["mask"].float() / 255
    camera = Camera(tensors["K"], tensors["R"], tensors["T"], (image.shape[1], image.shape[2]))
    displacement = None
    if DISPLACEMENT in tensors:
        check_vertices(path, tensors, DISPLACEMENT, body)
        displacement = read_tensor(path, tensors, DISPLACEMENT, (None, 3), torch.float16)
    pose = BodyPose(tensors["betas"], tensors["joints"], tensors["R_world_body"], tensors["T_world_body"], displacement)
    subject = Subject(image, mask, camera, pose, body.name)
    model = model_of_avatar(saved.config)
    return EncodedAvatar(model.unpack(path, tensors, subject, body), model, saved.report)


def _report(path: Path, header: dict[str, str]) -> dict[str, Any]:
    report = _json(path, header, "report")
    return report if isinstance(report, dict) else {}


def _json(path: Path, header: dict[str, str], key: str) -> Any:
    try:
        return json.loads(header.get(key, ""))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is a damaged avatar file: its {key} is not JSON ({error}). {REMEDY}") from error


def read_avatar(path: Path) -> AvatarFile:
    """Return the content of an avatar file, checked as far as that does not need its body.

    Raises:
        BadInput: the file is not an avatar, is damaged, or comes from a newer version.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(f"{path} is {size / 2**20:.0f} MB; an avatar has at most {MAX_BYTES >> 20} MB.")
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is a damaged avatar file ({error}). {REMEDY}") from error
    if header.get("format") != FORMAT:
        raise BadInput(f"{path} is a safetensors file but not an avatar (format: {header.get('format', 'none')}).")
    version = header.get("version", "")
    check_version(path, int(version) if version.isdecimal() and len(version) < 10 else version, FORMAT_VERSION)
    _check_tensors(path, tensors)
    config = read_config(path, _json(path, header, "config")) if header.get("model") == NETWORK else None
    return AvatarFile(path, header.get("body_model", ""), _report(path, header), tensors, config)


def _check_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Check the tensors of the subject: present, of their shapes and types, within bounds.

    Raises:
        BadInput: a tensor does not fit; the message names it.
    """
    for name, shape in SHAPES.items():
        if name not in tensors:
            raise BadInput(f"{path}: the tensor '{name}' is missing. {REMEDY}")
        found = tuple(tensors[name].shape)
        fits = len(found) == len(shape) and all(want in (None, got) for want, got in zip(shape, found, strict=True))
        dtype = torch.uint8 if name in ("image", "mask") else torch.float32
        if not fits or tensors[name].dtype != dtype or not bool((tensors[name].abs() < LARGEST).all()):
            raise BadInput(
                f"{path}: the tensor '{name}' has shape {found} and type {tensors[name].dtype}, or holds NaN or too "
                f"large numbers; expected {shape} and {dtype}. {REMEDY}"
            )
    if tensors["image"].shape[1:] != tensors["mask"].shape or 0 in tensors["mask"].shape:
        raise BadInput(f"{path}: image and mask differ in size. {REMEDY}")


def _to_bytes(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
