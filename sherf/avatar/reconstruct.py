"""Photo → avatar: the steps in their order, and the three files that show for it."""

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sherf import __version__
from sherf.avatar.avatar_file import Avatar, SavedAvatar, is_avatar, read_avatar, restore, save_avatar
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.camera.pinhole import project
from sherf.datasets.multiview import View
from sherf.datasets.open_data import body_model_of
from sherf.datasets.subject_folder import data_set_of, read_subject_folder
from sherf.errors import BadInput, SherfError
from sherf.export.video_writer import write_png
from sherf.files.digest import file_sha256, tensors_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import keep_inputs, prepare_output_folder, write_json
from sherf.models.load import AvatarModel, body_for, load_avatar_model
from sherf.photo.completeness import check_person, missing_parts
from sherf.photo.detect import Person, choose_person, detect_people
from sherf.photo.edit import (
    FORMAT,
    FORMAT_VERSION,
    Edits,
    FitFile,
    edited,
    edits_digest,
    edits_record,
    fit_record,
    read_fit_file,
)
from sherf.photo.fit import Known, fit_body
from sherf.photo.mask import person_mask
from sherf.photo.options import Masker, PhotoOptions
from sherf.photo.overlay import draw_overlay
from sherf.photo.read import Photo, read_mask, read_photo
from sherf.photo.scores import Scores, score
from sherf.progress import print_status
from sherf.render.devices import Backend, choose_backend
from sherf.scene import Camera, Subject

AVATAR, OVERLAY, REPORT, FIT = "avatar.safetensors", "overlay.png", "report.json", "fit.json"
CROP_MARGIN = 0.1  # of the person's box, kept around it
CONTRADICTION = 8.0  # % of the body's height between a landmark and where the user put it


class HopelessFit(SherfError):
    """A body that does not lie on the person at all, with what shows it."""

    def __init__(self, report: dict[str, Any], overlay: Float[Tensor, "3 h w"], fit: dict[str, Any]):
        super().__init__(
            f"the body does not lie on the person: {'; '.join(report['reasons'])}.\n"
            f"Look at {OVERLAY}; use another photo or your own --mask, correct {FIT} and pass it as --edit, or pass "
            "--force to go on nevertheless."
        )
        self.report, self.overlay, self.fit = report, overlay, fit


@dataclass(frozen=True)
class Reconstruction:
    avatar: Avatar
    body: BodyModel
    overlay: Float[Tensor, "3 h w"]
    fit: dict[str, Any] | None = None
    """What fit.json holds; None where nothing was fitted."""


def reconstruct(photo: Path, model: AvatarModel, options: PhotoOptions = PhotoOptions()) -> Reconstruction:
    """Turn one photo into an avatar.

    Raises:
        BadInput: the file is no usable photo, or `options.person` or `options.mask` do not fit it.
        NoPerson: nobody is there, or too little of the person.
        HopelessFit: the body does not lie on the person, and `options.force` is not given.
        MissingAsset: a model file is not there.
    """
    start = time.perf_counter()
    body = body_for(model, options.body_model)
    picture = read_photo(photo)
    size = tuple(picture.image.shape[1:])
    given = FitFile() if options.edit is None else read_fit_file(options.edit, picture.sha256, size, body.name)
    number = given.person if options.person is None else options.person
    _check_choices(options, given, number)
    people = detect_people(picture.image)
    if number is not None and number > len(people):
        people = detect_people(picture.image, thorough=True)
    person = choose_person(people, number)
    person = edited(person, given.edits)
    warnings = check_person(person, size, options.allow_partial)
    if len(people) > 1 and number is None:
        warnings.insert(0, f"{len(people)} people found; took the most prominent one (--person N takes another).")
    person = replace(person, mask=_mask(picture, person, options.mask or given.edits.mask, options.masker))
    known = Known(given.start, given.edits.placed, given.edits.joints)
    fit = fit_body(body, person, size, picture.focal_px, known=known)
    scores = score(body, fit, person)
    contradictions = _contradictions(scores, given.edits)
    whole = Subject(picture.image, person.mask, fit.camera, fit.pose, body.name)
    if scores.verdict != "good":
        outcome = "expect a wrong shape" if scores.verdict == "poor" else "look at overlay.png"
        warnings.append(f"the fit is {scores.verdict}, {outcome}: {'; '.join(scores.reasons)}.")
    report = {
        "photo": photo.name,
        "photo_sha256": picture.sha256,
        "options": _settings(options, model),
        "keypoint_error": round(scores.keypoint_error, 3),
        "silhouette_iou": round(scores.silhouette_iou, 4),
        "landmarks_seen": round(scores.seen, 3),
        "surface_seen": round(scores.surface_seen, 3),
        "not_seen": missing_parts(person, size),
        "confidence": scores.confidence,
        "errors": scores.errors,
        "verdict": scores.verdict,
        "reasons": contradictions + scores.reasons,
        "warnings": warnings,
        "people": [{"box": [round(float(x), 1) for x in p.box], "score": round(float(p.score), 3)} for p in people],
        "person": number or 1,
        "model": model.name,
        "body_model": body.name,
        "tool": f"sherf {__version__}",
    }
    record = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        **{key: report[key] for key in ("photo", "photo_sha256")},
        "size": [size[1], size[0]],
        **{key: report[key] for key in ("person", "body_model")},
        **fit_record(fit, person),
        "edits": edits_record(given.edits),
    }
    overlay = draw_overlay(picture.image, person, body, fit)
    if (scores.is_hopeless or contradictions) and not options.force:
        raise HopelessFit(report, overlay, record)
    avatar = model.encode(_cropped(whole, body, person), body, report)
    report["seconds"] = round(time.perf_counter() - start, 2)
    return Reconstruction(avatar, body, overlay, record)


def observe(name: str, view: View, body: BodyModel, model: AvatarModel, options: PhotoOptions) -> Reconstruction:
    """Turn a picture of a data set's subject into an avatar: body, camera and mask are given."""
    start = time.perf_counter()
    report = {
        "photo": name,
        "photo_sha256": _view_sha256(view),
        "options": _settings(options, model),
        "warnings": [],
        "model": model.name,
        "body_model": body.name,
        "tool": f"sherf {__version__}",
    }
    avatar = model.encode(replace(view.subject, body_model=body.name), body, report, view.vertices)
    report["seconds"] = round(time.perf_counter() - start, 2)
    return Reconstruction(avatar, body, view.subject.image * view.subject.mask)


def _view_sha256(view: View) -> str:
    return tensors_sha256(view.subject.image, view.subject.mask)


def obtain_avatar(
    source: Path, output: OutputOptions, options: PhotoOptions = PhotoOptions(), backend: Backend | None = None
) -> tuple[Avatar, BodyModel]:
    """Read an avatar file, or reconstruct a photo or a data set's subject into `output.out` unless that is done there.

    Writes overlay.png, report.json and, last, avatar.safetensors when it reconstructs.

    Args:
        backend: where networks compute; the CPU if not given.

    Raises:
        BadInput: the source is none of these, or the folder holds the avatar of another photo.
        OutputError: the folder cannot be written.
    """
    _check_file(source)
    out = prepare_output_folder(output.out)
    if source.is_file() and is_avatar(source):
        saved = read_avatar(source)
        # The avatar knows its body model by name; one's own file has to be named again.
        body = load_body_model(options.body_model or saved.body_model)
        return restore(saved, body), body
    keep_inputs(shown_files(out), [source, options.mask])
    model = load_avatar_model(options.model, backend or choose_backend("cpu"), options.personalise)
    view = None
    if source.is_dir():
        body = body_for(model, options.body_model, body_model_of(data_set_of(source)))
        view = read_subject_folder(source, body, options.pose, options.view)
    before = _avatar_there(out)
    if before is not None:
        sha256 = file_sha256(source) if view is None else _view_sha256(view)
        made_of = {"photo_sha256": sha256, "options": _settings(options, model), "tool": f"sherf {__version__}"}
        if all(before.report.get(key) == value for key, value in made_of.items()):
            if view is None:
                body = body_for(model, options.body_model)
            with suppress(BadInput):  # from another build of the body model: it is made anew
                return restore(before, body), body
        if before.report.get("options", {}).get("edit") and not options.edit and not output.overwrite:
            raise BadInput(
                f"{out / AVATAR} was made with your corrections.\n"
                f"Pass --edit {out / FIT} to keep them, or --overwrite to do without."
            )
        if before.report.get("photo_sha256") != sha256 and not output.overwrite:
            raise BadInput(
                f"{out / AVATAR} was made from another photo ({before.report.get('photo')}).\n"
                "Choose another --out, or pass --overwrite to replace it."
            )
    if view is None:
        print_status(f"reconstructing {source.name}, about 10 seconds ...")
        try:
            result = reconstruct(source, model, options)
        except HopelessFit as refused:
            write_png(out / OVERLAY, refused.overlay)
            write_json(out / REPORT, refused.report)
            write_json(out / FIT, _beside(refused.fit, out))
            raise
    else:
        result = observe(source.resolve().name, view, body, model, options)
    write_png(out / OVERLAY, result.overlay)
    write_json(out / REPORT, result.avatar.report)
    if result.fit is not None:
        write_json(out / FIT, _beside(result.fit, out))
    save_avatar(result.avatar, out / AVATAR)
    # what is shown is what was saved, so that the same command goes on with it later
    return restore(read_avatar(out / AVATAR), result.body), result.body


def shown_files(out: Path) -> list[Path]:
    """What shows for an avatar that is made in a folder: pictures and records, which replace what is called so."""
    return [out / OVERLAY, out / REPORT]


def tell_warnings(avatar: Avatar) -> None:
    """Say what the report warns of."""
    for warning in avatar.report.get("warnings", []):
        print_status(f"warning: {warning}")


def _check_file(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"there is no file {path}. Give a photo (JPEG, PNG, WebP ...) or an avatar.safetensors.")
    if path.is_dir() and data_set_of(path) is None:
        raise BadInput(
            f"{path} is a folder, and no subject of a data set. Give one photo (JPEG, PNG, WebP ...) or an "
            "avatar.safetensors."
        )
    if not path.is_file() and not path.is_dir():
        raise BadInput(f"{path} is not a regular file. Give one photo (JPEG, PNG, WebP ...) or an avatar.safetensors.")


def _avatar_there(out: Path) -> SavedAvatar | None:
    """Return the avatar that is in the folder, if one can be read."""
    if not (out / AVATAR).is_file():
        return None
    try:
        return read_avatar(out / AVATAR)
    except BadInput:
        return None


def _settings(options: PhotoOptions, model: AvatarModel) -> dict:
    """The options as they stand in report.json; model and mask by their content, if they have any."""
    mask, edit = options.mask, options.edit
    if mask is not None:
        mask = file_sha256(mask) if mask.is_file() else str(mask)
    if edit is not None:
        edit = edits_digest(edit)
    return {**asdict(options), "mask": mask, "edit": edit, "model": model.identity}


def _contradictions(scores: Scores, edits: Edits) -> list[str]:
    """Corrections that cannot be met, with one another or with joints as they are."""
    off = {name: scores.landmarks[name] for name in edits.placed if scores.landmarks[name] > CONTRADICTION}
    return [f"{name} lies {error:.0f} % of the body's height from where you put it" for name, error in off.items()]


def _check_choices(options: PhotoOptions, given: FitFile, number: int | None) -> None:
    """Two answers to one question are a mistake."""
    if number is not None and number < 1:
        raise BadInput(f"--person {number} is not possible: people are numbered from 1 on, as in {REPORT}.")
    if given.person is not None and given.person != number:
        raise BadInput(
            f"{options.edit} is about person {given.person}, --person says {number}.\n"
            "Leave one of them out: corrections of one person say nothing of another."
        )
    if options.mask is not None and given.edits.mask is not None:
        raise BadInput(f"{options.edit} names a mask ({given.edits.mask}), and so does --mask. Leave one of them out.")


def _beside(fit: dict[str, Any], out: Path) -> dict[str, Any]:
    """With the mask named as seen from the folder that it is written to."""
    mask = fit["edits"]["mask"]
    if mask is None:
        return fit
    return {**fit, "edits": {**fit["edits"], "mask": Path(os.path.relpath(mask, out)).as_posix()}}


def _mask(picture: Photo, person: Person, mask: Path | None, masker: Masker) -> Float[Tensor, "h w"]:
    """The user's mask, else the photo's own alpha, else what was found."""
    if mask is not None:
        return read_mask(mask, picture.image.shape[1:])
    return person_mask(picture.image, picture.alpha, person, masker)


def _cropped(subject: Subject, body: BodyModel, person: Person) -> Subject:
    """Keep the surroundings of the person and of the fitted body; the camera follows."""
    pixels, _ = project(subject.camera, body.pose(subject.pose).vertices)
    box = torch.tensor(person.box).view(2, 2)
    low, high = torch.minimum(box[0], pixels.amin(0)), torch.maximum(box[1], pixels.amax(0))
    margin = CROP_MARGIN * float((high - low).max())
    h, w = subject.camera.size
    x0, y0 = (max(int(v - margin), 0) for v in low.tolist())
    x1, y1 = (min(int(v + margin) + 1, bound) for v, bound in zip(high.tolist(), (w, h), strict=True))
    K = subject.camera.K.clone()
    K[:2, 2] -= torch.tensor([x0, y0])
    camera = Camera(K, subject.camera.R, subject.camera.T, (y1 - y0, x1 - x0))
    return replace(subject, image=subject.image[:, y0:y1, x0:x1], mask=subject.mask[y0:y1, x0:x1], camera=camera)
