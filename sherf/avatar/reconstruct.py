"""Photo → avatar: detect the person, mask, fit the body, score the fit, encode."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sherf import __version__
from sherf.avatar.encoder import AvatarEncoder, EncodedAvatar, body_for
from sherf.avatar.own_view import OwnView, own_view
from sherf.avatar.renderer import FieldRenderer
from sherf.avatar.result_files import OVERLAY, OWN_VIEW, REPORT, HopelessFit, Reconstruction
from sherf.avatar.verdict import judge
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project, resize
from sherf.errors import BadInput
from sherf.files.digest import file_sha256, tensors_sha256
from sherf.photo import landmarks as marks
from sherf.photo.completeness import check_person, find_missing_parts
from sherf.photo.detect import Person, choose_person, detect_people
from sherf.photo.displacement import lay_on_person
from sherf.photo.face_mesh import find_face
from sherf.photo.fit import BodyFit, FitConstraints, fit_body
from sherf.photo.fit_file import (
    FORMAT,
    FORMAT_VERSION,
    Edits,
    FitFile,
    apply_edits,
    edits_record,
    fit_record,
)
from sherf.photo.fit_file_reader import edits_digest, read_fit_file
from sherf.photo.mask import person_mask
from sherf.photo.options import PhotoOptions
from sherf.photo.overlay import draw_overlay
from sherf.photo.photo_reader import Photo, read_mask, read_photo
from sherf.photo.plausibility import check_plausible
from sherf.photo.scores import Scores, part_indices, score_fit
from sherf.scene import Camera, Subject

CROP_MARGIN = 0.1
"""Kept around the person, as a share of the longer side of the box around person and body."""
OWN_VIEW_SIDE = 400
"""Longer side of the images in which avatar and photo are compared, pixels."""
CONTRADICTION = 8.0
"""A landmark further than this from where the user put it contradicts other corrections, % of the body's height."""


@dataclass(frozen=True)
class _Detection:
    """The chosen person, with mask, among all people found."""

    person: Person
    people: list[Person]
    number: int | None
    """Which one the user chose, from 1; None for the most prominent."""
    warnings: list[str]


def reconstruct_photo(photo: Path, encoder: AvatarEncoder, options: PhotoOptions = PhotoOptions()) -> Reconstruction:
    """Return the avatar of one photo, with what explains it.

    Args:
        photo: JPEG, PNG, WebP, TIFF, BMP or GIF.
        encoder: the model, on its device.
        options: person, mask, corrections and tolerance.

    Raises:
        BadInput: the file is not a usable photo, or `options.person`, `options.mask` or `options.edit` do not fit it.
        NoPerson: the photo shows no person, or too little of one.
        HopelessFit: the body does not lie on the person, and `options.force` is not set.
        MissingAsset: a model file is missing.
    """
    start = time.perf_counter()
    body = body_for(encoder, options.body_model)
    image = read_photo(photo)
    height, width = image.image.shape[1:]
    size = (height, width)
    given = FitFile() if options.edit is None else read_fit_file(options.edit, image.sha256, size, body.name)
    found = _detect(image, given, options)
    constraints = FitConstraints(given.start, given.edits.placed, given.edits.joints)
    fit = fit_body(body, found.person, size, image.focal_px, constraints=constraints)
    scores = score_fit(body, fit, found.person)
    contradictions = _contradictions(scores, given.edits)
    report = {"photo": photo.name, "photo_sha256": image.sha256, "options": settings_record(options, encoder)}
    report |= _scores_record(scores, contradictions) | _detection_record(found, size)
    report["warnings"] = found.warnings
    report |= {"model": encoder.name, "body_model": body.name, "tool": f"sherf {__version__}"}
    record = _fit_file_record(report, fit, found.person, given.edits, size)
    if (scores.is_hopeless or contradictions) and not options.force:
        raise HopelessFit(report, draw_overlay(image.image, found.person, body, fit), record)
    face = find_face(image.image, found.person)
    displaced = lay_on_person(body, fit, found.person, face, given.edits.placed)
    subject = Subject(image.image, found.person.mask, fit.camera, displaced.pose, body.name)
    avatar = encoder.encode(_cropped(subject, body, found.person), body, report)
    view = own_view(FieldRenderer(avatar, body, encoder.backend), avatar.bank.subject, OWN_VIEW_SIDE)
    report |= _verdict_record(score_fit(body, displaced, found.person), view, avatar.bank.subject, body, contradictions)
    report["warnings"] = found.warnings + _verdict_warnings(report)
    overlay = draw_overlay(image.image, found.person, body, displaced)
    return _timed(avatar, body, overlay, record, start, view.side_by_side)


def encode_subject(
    name: str,
    subject: Subject,
    vertices: Float[Tensor, "vertex 3"],
    body: BodyModel,
    encoder: AvatarEncoder,
    options: PhotoOptions,
) -> Reconstruction:
    """Return the avatar of a data set's subject: body, camera and mask are given.

    Args:
        name: of the subject, for the report.
        subject: the observation.
        vertices: of the body in the image, world space, metres.
        body: the body model of the pose.
        encoder: the model, on its device.
        options: kept in the report.
    """
    start = time.perf_counter()
    report = {
        "photo": name,
        "photo_sha256": subject_sha256(subject),
        "options": settings_record(options, encoder),
        "warnings": [],
        "model": encoder.name,
        "body_model": body.name,
        "tool": f"sherf {__version__}",
    }
    avatar = encoder.encode(replace(subject, body_model=body.name), body, report, vertices)
    return _timed(avatar, body, subject.image * subject.mask, None, start)


def subject_sha256(subject: Subject) -> str:
    """Return the SHA-256 of an observation's image and mask."""
    return tensors_sha256(subject.image, subject.mask)


def settings_record(options: PhotoOptions, encoder: AvatarEncoder) -> dict[str, Any]:
    """Return the options as report.json holds them; model, mask and corrections by their content, if they exist."""
    mask: Path | str | None = options.mask
    if isinstance(mask, Path):
        mask = file_sha256(mask) if mask.is_file() else str(mask)
    edit = None if options.edit is None else edits_digest(options.edit)
    return {**asdict(options), "mask": mask, "edit": edit, "model": encoder.identity}


def _timed(
    avatar: EncodedAvatar,
    body: BodyModel,
    overlay: Float[Tensor, "3 h w"],
    record: dict[str, Any] | None,
    start: float,
    own_view: Float[Tensor, "3 h2 w2"] | None = None,
) -> Reconstruction:
    avatar.report["seconds"] = round(time.perf_counter() - start, 2)
    return Reconstruction(avatar, body, overlay, record, own_view)


def _detect(photo: Photo, given: FitFile, options: PhotoOptions) -> _Detection:
    """Find people, choose one, apply the user's corrections of landmarks, and mask the person."""
    height, width = photo.image.shape[1:]
    number = given.person if options.person is None else options.person
    _check_choices(options, given, number)
    people = detect_people(photo.image)
    if number is not None and number > len(people):
        people = detect_people(photo.image, thorough=True)
    person = apply_edits(choose_person(people, number), given.edits)
    warnings = check_person(person, (height, width), options.allow_partial)
    warnings += check_plausible(photo.image, person, options.force)
    if len(people) > 1 and number is None:
        warnings.insert(0, f"{len(people)} people found; using the most prominent one (--person N selects another).")
    person = replace(person, mask=_mask(photo, person, options, given.edits))
    return _Detection(person, people, number, warnings)


def _mask(photo: Photo, person: Person, options: PhotoOptions, edits: Edits) -> Float[Tensor, "h w"]:
    """Return the user's mask, else the photo's own alpha, else what the masker finds."""
    height, width = photo.image.shape[1:]
    mask = options.mask or edits.mask
    if mask is not None:
        return read_mask(mask, (height, width))
    return person_mask(photo.image, photo.alpha, person, options.masker)


def _scores_record(scores: Scores, contradictions: list[str]) -> dict[str, Any]:
    """Return the scores of a fit as report.json holds them."""
    return {
        "keypoint_error": round(scores.keypoint_error, 3),
        "silhouette_iou": round(scores.silhouette_iou, 4),
        "landmarks_seen": round(scores.seen, 3),
        "surface_seen": round(scores.surface_seen, 3),
        "confidence": scores.confidence,
        "errors": scores.errors,
        "verdict": scores.verdict,
        "reasons": contradictions + scores.reasons,
    }


def _verdict_record(
    scores: Scores, view: OwnView, subject: Subject, body: BodyModel, contradictions: list[str]
) -> dict[str, Any]:
    """Return scores and verdict of the finished avatar as report.json holds them.

    Args:
        scores: of the displaced body.
        view: the avatar's own view.
        subject: the avatar's observation.
        body: the body model.
        contradictions: corrections that cannot be met.
    """
    camera = resize(subject.camera, (view.mask.shape[0], view.mask.shape[1]))
    pixels, _ = project(camera, marks.displaced_landmarks(body, subject.pose))
    landmarks = {part: pixels[indices] for part, indices in part_indices().items()}
    rows = project(camera, body.pose(subject.pose).vertices)[0]
    verdict = judge(scores, view, landmarks, float((rows.amax(dim=0) - rows.amin(dim=0)).max()))
    return (
        _scores_record(scores, contradictions)
        | verdict.record
        | {"reasons": contradictions + verdict.reasons, "own_view": view.record}
    )


def _verdict_warnings(report: dict[str, Any]) -> list[str]:
    """Return what the user is warned of."""
    parts = [part["reason"] for part in report["parts"].values() if part["verdict"] == "poor"]
    if report["verdict"] == "good":
        return [f"{'; '.join(parts)}."] if parts else []
    advice = "expect a wrong shape" if report["verdict"] == "poor" else f"check {OVERLAY} and {OWN_VIEW}"
    return [f"the avatar is {report['verdict']}, {advice}: {'; '.join(report['reasons'] + parts)}."]


def _detection_record(found: _Detection, size: tuple[int, int]) -> dict[str, Any]:
    """Return what was found in the photo as report.json holds it."""
    boxes = [{"box": [round(float(x), 1) for x in p.box], "score": round(float(p.score), 3)} for p in found.people]
    return {"not_seen": find_missing_parts(found.person, size), "people": boxes, "person": found.number or 1}


def _fit_file_record(
    report: dict[str, Any], fit: BodyFit, person: Person, edits: Edits, size: tuple[int, int]
) -> dict[str, Any]:
    """Return the content of fit.json."""
    height, width = size
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        **{key: report[key] for key in ("photo", "photo_sha256")},
        "size": [width, height],
        **{key: report[key] for key in ("person", "body_model")},
        **fit_record(fit, person),
        "edits": edits_record(edits),
    }


def _contradictions(scores: Scores, edits: Edits) -> list[str]:
    """Return the user's corrections that cannot be met, together with one another or with fixed joints."""
    errors = {name: scores.landmarks[name] for name in edits.placed if scores.landmarks[name] > CONTRADICTION}
    return [f"{name} lies {error:.0f} % of the body's height from where you put it" for name, error in errors.items()]


def _check_choices(options: PhotoOptions, given: FitFile, number: int | None) -> None:
    """Refuse a person's number below 1, and different choices by option and corrections file.

    Raises:
        BadInput: the message names both choices.
    """
    if number is not None and number < 1:
        raise BadInput(f"--person {number} is not possible: people are numbered from 1, as in {REPORT}.")
    if given.person is not None and given.person != number:
        raise BadInput(
            f"{options.edit} corrects person {given.person}, but --person selects {number}.\n"
            "Remove one of the two: corrections apply to one person only."
        )
    if options.mask is not None and given.edits.mask is not None:
        raise BadInput(f"{options.edit} names a mask ({given.edits.mask}), and so does --mask. Remove one of the two.")


def _cropped(subject: Subject, body: BodyModel, person: Person) -> Subject:
    """Crop an observation to the surroundings of the person and of the fitted body; the camera follows."""
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
