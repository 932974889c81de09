"""Avatar sources: a photo, an avatar file or a data set's subject folder. Each becomes an avatar, made at most once."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sherf import __version__
from sherf.api.encoders import load_encoder
from sherf.avatar.avatar_file import AvatarFile, is_avatar, read_avatar, restore
from sherf.avatar.encoder import AvatarEncoder, EncodedAvatar, body_for
from sherf.avatar.reconstruct import encode_subject, reconstruct_photo, settings_record, subject_sha256
from sherf.avatar.result_files import (
    AVATAR,
    FIT,
    HopelessFit,
    Reconstruction,
    avatar_in,
    explaining_files,
    write_reconstruction,
    write_refusal,
)
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.datasets.multiview import View
from sherf.datasets.open_data import required_body_model
from sherf.datasets.subject_folder import identify_data_set, read_subject_folder
from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import prepare_output_folder, refuse_overwriting_inputs
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend


@dataclass(frozen=True)
class PhotoSource:
    """A photo, still to be reconstructed."""

    path: Path
    encoder: AvatarEncoder
    options: PhotoOptions

    @property
    def sha256(self) -> str:
        """What identifies the observation."""
        return file_sha256(self.path)

    @cached_property
    def body(self) -> BodyModel:
        """The body model that is fitted."""
        return body_for(self.encoder, self.options.body_model)

    def reconstruct(self) -> Reconstruction:
        """Detect, fit and encode: `reconstruct_photo`."""
        print_status(f"reconstructing {self.path.name}, about 10 seconds ...")
        return reconstruct_photo(self.path, self.encoder, self.options)


@dataclass(frozen=True)
class SubjectSource:
    """An image of a data set's subject, whose body and camera are given."""

    path: Path
    encoder: AvatarEncoder
    options: PhotoOptions

    @property
    def sha256(self) -> str:
        """What identifies the observation."""
        return subject_sha256(self._view.subject)

    @cached_property
    def body(self) -> BodyModel:
        """The body model of the data set's poses."""
        return body_for(self.encoder, self.options.body_model, required_body_model(identify_data_set(self.path)))

    @cached_property
    def _view(self) -> View:
        return read_subject_folder(self.path, self.body, self.options.pose, self.options.view)

    def reconstruct(self) -> Reconstruction:
        """Encode the image: `encode_subject`."""
        view = self._view
        name = self.path.resolve().name
        return encode_subject(name, view.subject, view.vertices, self.body, self.encoder, self.options)


def obtain_avatar(
    source: Path, output: OutputOptions, options: PhotoOptions = PhotoOptions(), backend: Backend | None = None
) -> tuple[EncodedAvatar, BodyModel]:
    """Read an avatar file, or reconstruct a photo or a data set's subject into `output.out` if that is not done yet.

    A reconstruction writes overlay.png, report.json, fit.json and, last, avatar.safetensors.

    Args:
        source: avatar file, photo, or a subject's folder.
        output: where the files of a reconstruction go.
        options: how a photo is read; of an avatar file only the body model counts.
        backend: where networks compute; a GPU if there is one, if None.

    Returns:
        The avatar as it was saved, and its body model.

    Raises:
        BadInput: the source is none of these, or the folder holds the avatar of another photo.
        NoPerson: the photo shows no person, or too little of one.
        HopelessFit: the body does not lie on the person.
        MissingAsset: a model file is missing.
        OutputError: the folder cannot be written.
    """
    check_source(source)
    out = prepare_output_folder(output.out)
    if source.is_file() and is_avatar(source):
        return open_avatar(source, options.body_model)
    refuse_overwriting_inputs(explaining_files(out), [source, options.mask])
    encoder = load_encoder(options.model, backend or choose_backend(), options.personalise)
    kind = SubjectSource if source.is_dir() else PhotoSource
    observation = kind(source, encoder, options)
    kept = _kept(out, observation, output.overwrite)
    if kept is not None:
        return kept
    try:
        result = observation.reconstruct()
    except HopelessFit as refused:
        write_refusal(out, refused)
        raise
    write_reconstruction(out, result)
    # What is rendered is what was saved, so that the same command continues with it later.
    return restore(read_avatar(out / AVATAR), result.body), result.body


def open_avatar(path: Path, body_model: str | None = None) -> tuple[EncodedAvatar, BodyModel]:
    """Read an avatar file and its body model.

    Args:
        path: of the file.
        body_model: name or file of the body model; None for the one that the avatar names.

    Returns:
        The avatar and its body model.

    Raises:
        BadInput: the file is not an avatar, is damaged or too new, or was made with another body model.
        MissingAsset: the body model's file may not ship and was not found.
    """
    saved = read_avatar(path)
    # The avatar knows its body model by name; a user's own file has to be named again.
    body = load_body_model(body_model or saved.body_model)
    return restore(saved, body), body


def check_source(path: Path) -> None:
    """Refuse what cannot be a photo, an avatar file or a subject's folder.

    Raises:
        BadInput: the path does not exist, is a folder of another kind, or is not a regular file.
    """
    expected = "Give a photo (JPEG, PNG, WebP ...) or an avatar.safetensors."
    if not path.exists():
        raise BadInput(f"{path} does not exist. {expected}")
    if path.is_dir() and identify_data_set(path) is None:
        raise BadInput(f"{path} is a folder, but not a subject of a data set. {expected}")
    if not path.is_file() and not path.is_dir():
        raise BadInput(f"{path} is not a regular file. {expected}")


def _kept(
    out: Path, observation: PhotoSource | SubjectSource, overwrite: bool
) -> tuple[EncodedAvatar, BodyModel] | None:
    """Return the folder's avatar if it was made of the same observation with the same options; None to make it."""
    before = avatar_in(out)
    if before is None:
        return None
    sha256, options = observation.sha256, observation.options
    made_of: dict[str, Any] = {
        "photo_sha256": sha256,
        "options": settings_record(options, observation.encoder),
        "tool": f"sherf {__version__}",
    }
    if all(before.report.get(key) == value for key, value in made_of.items()):
        with suppress(BadInput):  # made with another build of the body model: reconstruct again
            return restore(before, observation.body), observation.body
    _check_replacing(out, before, sha256, options, overwrite)
    return None


def _check_replacing(out: Path, before: AvatarFile, sha256: str, options: PhotoOptions, overwrite: bool) -> None:
    """Refuse to replace an avatar that was made with corrections, or of another photo.

    Raises:
        BadInput: the avatar would be lost.
    """
    if before.report.get("options", {}).get("edit") and not options.edit and not overwrite:
        raise BadInput(
            f"{out / AVATAR} was made with your corrections.\n"
            f"Pass --edit {out / FIT} to keep them, or --overwrite to discard them."
        )
    if before.report.get("photo_sha256") != sha256 and not overwrite:
        raise BadInput(
            f"{out / AVATAR} was made from another photo ({before.report.get('photo')}).\n"
            "Choose another --out, or pass --overwrite to replace it."
        )
