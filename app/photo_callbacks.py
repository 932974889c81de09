"""Callbacks of the photo tab: create an avatar, choose the person, correct the fit."""

from pathlib import Path
from typing import Any

import gradio as gr

from sherf.app.avatar_results import AvatarResults
from sherf.app.callbacks import (
    check_current,
    command_line,
    find_avatar,
    is_current,
    photo_results,
    require_avatar,
    show_errors,
    shows_photo,
    use_avatar,
)
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.masks import Painting
from sherf.app.session import Session
from sherf.app.sessions import Sessions
from sherf.app.texts import NO_OVERLAY, describe_corrections, describe_fit
from sherf.errors import BadInput

NUM_CORRECTIONS = 7
"""Components that `show_corrections` fills."""
MIN_HEIGHT_CHANGE_CM = 0.5
"""The slider shows whole centimetres; smaller changes are its rounding."""


@show_errors
def create(sessions: Sessions, photo: str | None, session: Session | None, person: float | None = None) -> tuple:
    """Make the photo's avatar.

    Returns:
        `photo_results` with closed corrections, the session, and its key.

    Raises:
        Error: of Gradio; there is no photo, or it cannot be used.
    """
    if not photo:
        raise gr.Error("Upload a photo first, or choose an example.", print_exception=False)
    with sessions.use(session) as used:
        used.read(Path(photo), int(person) if person and person > 1 else None)
        return (*photo_results(require_avatar(used)), used, used.key)


@show_errors
def create_selected(
    sessions: Sessions, photo: str | None, session: Session | None, person: float | None = None
) -> tuple:
    """Make the avatar of the selected person (`create`), unless it is the current one: corrections are kept."""
    avatar = find_avatar(session)
    if session and avatar and shows_photo(avatar, photo) and int(person or 1) == avatar.fitted.report["person"]:
        return (*photo_results(avatar), session, session.key)
    return create(sessions, photo, session, person)


@show_errors
def reconstruct(sessions: Sessions, photo: str | None, person: float | None, session: Session | None) -> tuple:
    """API endpoint: return overlay, verdict, a first view, the command line, and the session."""
    *_, session, _ = create(sessions, photo, session, person)
    avatar = require_avatar(session)
    view, fitted = avatar.render_again(), avatar.fitted
    check_current(session, avatar)
    return str(fitted.overlay), describe_fit(fitted.report), view, command_line(avatar), session


def reset(session: Session | None) -> tuple:
    """Cancel the last photo's work and clear its results.

    Returns:
        Overlay, comparison, verdict, and the button to the next tab.
    """
    cancel(session)
    return None, gr.update(value=None, visible=False), NO_OVERLAY, gr.update(visible=False)


def cancel(session: Session | None) -> None:
    """Cancel the video or mesh in progress."""
    avatar = find_avatar(session)
    if avatar is not None:
        avatar.cancel()


def reset_person(photo: str | None, person: float | None, session: Session | None) -> int:
    """Return the person number after the photo changed: 1 for a new photo."""
    return int(person or 1) if shows_photo(find_avatar(session), photo) else 1


def select_person(photo: str | None, session: Session | None, person: float | None, click: gr.SelectData) -> int:
    """Return the number of the person who was clicked, if the photo is known to show several."""
    current, avatar = int(person or 1), find_avatar(session)
    if avatar is None or not shows_photo(avatar, photo):
        return current
    x, y = map(float, click.index)
    selected = avatar.fitted.person_at(x, y) or current
    if selected != avatar.fitted.report["person"]:
        avatar.cancel()
    return selected


@show_errors
def refit(
    sessions: Sessions,
    shown: str,
    swapped: bool,
    focal: float,
    height: float,
    mask: str | None,
    painting: Painting | None,
    session: Session | None,
) -> tuple:
    """Fit again with the corrections, which belong to the fit `shown`.

    Returns:
        The same as `create`, but the corrections stay open.
    """
    avatar = require_avatar(session)
    _check_shown(shown, avatar)
    corrections = avatar.corrections
    corrections.swapped, corrections.focal = swapped, focal
    is_changed = abs(height - _height_cm(avatar.fitted)) > MIN_HEIGHT_CHANGE_CM
    corrections.height = height / 100 if is_changed else None
    with sessions.use(session) as used:
        used.refit(Path(mask) if mask else None, painting)
        return (*photo_results(require_avatar(used), closes_corrections=False), used, used.key)


@show_errors
def show_corrections(session: Session | None) -> tuple:
    """Return the current landmarks, which fit that is, summary, swapped sides, focal length, height, and no mask."""
    with use_avatar(session) as avatar:
        fitted, corrections, fit = avatar.fitted, avatar.corrections, avatar.fitted.fit
        photo, landmarks = gr.FileData(path=str(fitted.write_preview())), corrections.editable_landmarks(fit)
    if not is_current(session, avatar):
        return (gr.skip(),) * NUM_CORRECTIONS
    value = {"photo": photo.model_dump(), "fit": fitted.name, "size": fit["size"], "landmarks": landmarks}
    return value, fitted.name, describe_corrections(corrections.landmarks), False, 1.0, _height_cm(fitted), None


@show_errors
def move_landmark(session: Session | None, event: gr.EventData) -> str:
    """Apply a landmark's new position (`FitCorrections.move_landmark`). Returns the summary."""
    message = event._data
    with use_avatar(session) as avatar:
        _check_shown(message.get("fit") if isinstance(message, dict) else None, avatar)
        avatar.corrections.move_landmark(message, avatar.fitted.fit)
    return describe_corrections(avatar.corrections.landmarks)


@show_errors
def open_mask_editor(session: Session | None) -> dict[str, Any]:
    """Show the mask editor with the current mask."""
    with use_avatar(session) as avatar:
        painting = avatar.fitted.make_painting()
    return gr.update(value=painting, visible=True) if is_current(session, avatar) else gr.skip()


def close_mask_editor() -> tuple[dict, dict]:
    """Close the mask's accordion and remove its editor."""
    return gr.update(open=False), gr.update(value=None, visible=False)


def _check_shown(shown: Any, avatar: AvatarResults) -> None:
    """Refuse corrections of another fit than the avatar's.

    Raises:
        BadInput: another photo or person was chosen since the corrections were opened.
    """
    if shown != avatar.fitted.name:
        raise BadInput(
            "the photo or its fit has changed: nothing was corrected. Close *Fix the fit* and open it again."
        )


def _height_cm(fitted: FittedPhoto) -> int:
    return round(100 * fitted.height)
