"""Callbacks of the photo tab: create an avatar, choose the person, correct the fit."""

from pathlib import Path

import gradio as gr

from sherf.app.callbacks import command_line, find_avatar, photo_results, require_avatar, show_errors, shows_photo
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.masks import Painting
from sherf.app.session import Session
from sherf.app.sessions import Sessions
from sherf.app.texts import NO_OVERLAY, describe_corrections, describe_fit

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
    session = session if session is not None and sessions.find(session.key) else sessions.new()
    session.read(Path(photo), int(person) if person and person > 1 else None)
    return (*photo_results(require_avatar(session)), session, session.key)


@show_errors
def create_selected(
    sessions: Sessions, photo: str | None, session: Session | None, person: float | None = None
) -> tuple:
    """Make the avatar of the selected person (`create`), unless it is the current one: corrections are kept."""
    started = find_avatar(session)
    if started and shows_photo(session, photo) and int(person or 1) == started.fitted.report["person"]:
        return (*photo_results(started), started.session, started.session.key)
    return create(sessions, photo, session, person)


@show_errors
def reconstruct(sessions: Sessions, photo: str | None, person: float | None, session: Session | None) -> tuple:
    """API endpoint: return overlay, verdict, a first view, the command line, and the session."""
    *_, session, _ = create(sessions, photo, session, person)
    session, fitted = require_avatar(session)
    line = command_line(session, fitted)
    return str(fitted.overlay), describe_fit(fitted.report), session.render_again(), line, session


def reset(session: Session | None) -> tuple:
    """Cancel the last photo's work and clear its results. Returns overlay, verdict, and the button to the next tab."""
    cancel(session)
    return None, NO_OVERLAY, gr.update(visible=False)


def cancel(session: Session | None) -> None:
    """Cancel the video or mesh in progress."""
    if session is not None:
        session.cancel.set()


def reset_person(photo: str | None, person: float | None, session: Session | None) -> int:
    """Return the person number after the photo changed: 1 for a new photo."""
    return int(person or 1) if shows_photo(session, photo) else 1


def select_person(photo: str | None, session: Session | None, person: float | None, click: gr.SelectData) -> int:
    """Return the number of the person who was clicked, if the photo is known to show several."""
    current, started = int(person or 1), find_avatar(session)
    if started is None or not shows_photo(session, photo):
        return current
    x, y = map(float, click.index)
    selected = started.fitted.person_at(x, y) or current
    if selected != started.fitted.report["person"]:
        cancel(session)
    return selected


@show_errors
def refit(
    swapped: bool, focal: float, height: float, mask: str | None, painting: Painting | None, session: Session | None
) -> tuple:
    """Fit again with the corrections. Returns the same as `create`, but the corrections stay open."""
    started, fitted = require_avatar(session)
    corrections = started.corrections
    corrections.swapped, corrections.focal = swapped, focal
    is_changed = abs(height - _height_cm(fitted)) > MIN_HEIGHT_CHANGE_CM
    corrections.height = height / 100 if is_changed else None
    started.refit(Path(mask) if mask else None, painting)
    return (*photo_results(require_avatar(started), closes_corrections=False), started, started.key)


@show_errors
def show_corrections(session: Session | None) -> tuple:
    """Return the current landmarks, summary, swapped sides, focal length multiplier and height, and no mask."""
    started, fitted = require_avatar(session)
    photo, fit = gr.FileData(path=str(fitted.write_preview())).model_dump(), fitted.fit
    landmarks = started.corrections.editable_landmarks(fit)
    value = {"photo": photo, "size": fit["size"], "landmarks": landmarks}
    summary = describe_corrections(started.corrections.landmarks)
    return value, summary, False, 1.0, _height_cm(fitted), None


@show_errors
def move_landmark(session: Session | None, event: gr.EventData) -> str:
    """Apply a landmark's new position (`FitCorrections.move_landmark`). Returns the summary."""
    started, fitted = require_avatar(session)
    started.corrections.move_landmark(event._data, fitted.fit)
    return describe_corrections(started.corrections.landmarks)


@show_errors
def open_mask_editor(session: Session | None) -> dict:
    """Show the mask editor with the current mask."""
    return gr.update(value=require_avatar(session).fitted.make_painting(), visible=True)


def close_mask_editor() -> tuple[dict, dict]:
    """Close the mask's accordion and remove its editor."""
    return gr.update(open=False), gr.update(value=None, visible=False)


def _height_cm(fitted: FittedPhoto) -> int:
    return round(100 * fitted.height)
