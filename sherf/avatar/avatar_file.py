"""Avatar files: what a photo gave, in safetensors with a JSON header. Reading one executes nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sherf import __version__
from sherf.body.body_model import BodyModel
from sherf.errors import BadInput
from sherf.files.output import atomic_output
from sherf.files.versions import check_version
from sherf.models.config import SherfConfig
from sherf.models.config_json import config_record, read_config
from sherf.models.paper.bank import FeatureBank
from sherf.models.paper.network import Sherf
from sherf.models.saved_network import network_tensors, restore_network
from sherf.models.template.bank import TemplateBank, assemble
from sherf.scene import BodyPose, Camera, Subject

FORMAT = "sherf-avatar"
FORMAT_VERSION = 2
"""1 holds the template's avatars, 2 also networks'."""
MAX_BYTES = 512 * 2**20
LARGEST = 1e6
"""Of all numbers: pixels, metres, radians."""
TEMPLATE, NETWORK = "template", "network"
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
TEMPLATE_SHAPES: dict[str, tuple[int | None, ...]] = {"stand_off": (None,), "fill": (None, 3)}


@dataclass(frozen=True)
class Avatar:
    """Everything that is needed to render a person, without the photo."""

    bank: TemplateBank | FeatureBank
    report: dict
    """Scores of the fit and provenance, as in report.json."""
    network: Sherf | None = None
    """What reads a FeatureBank; its encoder is not needed any more."""


def is_avatar(path: Path) -> bool:
    """Tell by content: a safetensors file begins with the length of a JSON header."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < MAX_BYTES


def save_avatar(avatar: Avatar, path: Path) -> None:
    """Write an avatar file; images are kept in 8 bits."""
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
    bank = avatar.bank
    if isinstance(bank, TemplateBank):
        tensors |= {"stand_off": bank.stand_off, "fill": bank.fill}
    else:
        assert avatar.network is not None
        tensors |= network_tensors(bank, avatar.network)
        config = json.dumps(config_record(avatar.network.config))
        header |= {"version": str(FORMAT_VERSION), "model": NETWORK, "config": config}
    with atomic_output(path) as partial:
        partial.write_bytes(save({name: x.cpu().contiguous() for name, x in tensors.items()}, header))


@dataclass(frozen=True)
class SavedAvatar:
    """A checked avatar file, before it is put on its body."""

    path: Path
    body_model: str
    report: dict
    tensors: dict[str, Tensor]
    config: SherfConfig | None
    """The network's; None: the avatar is a template's."""


def load_avatar(path: Path, body: BodyModel) -> Avatar:
    """Read an avatar file whose body model is known: `restore(read_avatar(path), body)`."""
    return restore(read_avatar(path), body)


def restore(saved: SavedAvatar, body: BodyModel) -> Avatar:
    """Complete an avatar with what follows from its photo, pose and body.

    Raises:
        BadInput: it was made with another body model, or another build of it.
    """
    path, tensors = saved.path, saved.tensors
    if saved.body_model != body.name:
        raise BadInput(
            f"{path} was made with the body model '{saved.body_model}', but '{body.name}' was asked for.\n"
            "Shape coefficients of one body model mean nothing to another: "
            f"pass --body-model {saved.body_model} or reconstruct the photo again."
        )
    for name in ("vertices",) if saved.config else ("stand_off", "fill"):
        if name in tensors and len(tensors[name]) != len(body.v_template):
            raise BadInput(
                f"{path}: '{name}' has {len(tensors[name])} vertices, the body model {len(body.v_template)}.\n"
                "The avatar was made with another build of that body model: reconstruct the photo again."
            )
    image, mask = tensors["image"].float() / 255, tensors["mask"].float() / 255
    camera = Camera(tensors["K"], tensors["R"], tensors["T"], (image.shape[1], image.shape[2]))
    pose = BodyPose(tensors["betas"], tensors["joints"], tensors["R_world_body"], tensors["T_world_body"])
    subject = Subject(image, mask, camera, pose, body.name)
    if saved.config is not None:
        bank, network = restore_network(path, tensors, saved.config, subject)
        return Avatar(bank, saved.report, network)
    return Avatar(assemble(subject, body, tensors["stand_off"], tensors["fill"]), saved.report)


def _report(path: Path, header: dict[str, str]) -> dict:
    report = _json(path, header, "report")
    return report if isinstance(report, dict) else {}


def _json(path: Path, header: dict[str, str], key: str) -> Any:
    try:
        return json.loads(header.get(key, ""))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is a damaged avatar file: its {key} is no JSON ({error}).") from error


def read_avatar(path: Path) -> SavedAvatar:
    """Read an avatar file and check all that does not need its body.

    Raises:
        BadInput: not an avatar, damaged, or from a newer version.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(f"{path} is {size / 2**20:.0f} MB; an avatar has at most {MAX_BYTES >> 20} MB.")
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is a damaged avatar file ({error}). Make it again with `sherf reconstruct`.") from error
    if header.get("format") != FORMAT:
        raise BadInput(f"{path} is a safetensors file but no avatar (format: {header.get('format', 'none given')}).")
    version = header.get("version", "")
    check_version(path, int(version) if version.isdecimal() and len(version) < 10 else version, FORMAT_VERSION)
    is_network = header.get("model") == NETWORK
    for name, shape in (SHAPES if is_network else SHAPES | TEMPLATE_SHAPES).items():
        if name not in tensors:
            raise BadInput(f"{path}: the tensor '{name}' is missing. Make it again with `sherf reconstruct`.")
        found = tuple(tensors[name].shape)
        fits = len(found) == len(shape) and all(want in (None, got) for want, got in zip(shape, found, strict=True))
        kind = torch.uint8 if name in ("image", "mask") else torch.float32
        if not fits or tensors[name].dtype != kind or not bool((tensors[name].abs() < LARGEST).all()):
            raise BadInput(
                f"{path}: the tensor '{name}' has shape {found} and type {tensors[name].dtype}, or holds values beyond "
                f"all measure; expected {shape} and {kind}. Make it again with `sherf reconstruct`."
            )
    if tensors["image"].shape[1:] != tensors["mask"].shape or 0 in tensors["mask"].shape:
        raise BadInput(f"{path}: image and mask differ in size. Make it again with `sherf reconstruct`.")
    config = read_config(path, _json(path, header, "config")) if is_network else None
    return SavedAvatar(path, header.get("body_model", ""), _report(path, header), tensors, config)


def _to_bytes(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
