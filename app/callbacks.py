"""What the page's callbacks share: library errors as messages, and sessions with an avatar."""

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

import gradio as gr

from sherf.app.fitted_photo import FittedPhoto
from sherf.app.session import Session
from sherf.app.texts import command_lines, describe_fit, page_message
from sherf.camera.framing import CameraPath
from sherf.errors import SherfError
from sherf.motion.options import MotionOptions
from sherf.progress import ProgressCallback, time_left
from sherf.render.options import RenderOptions

ERROR_SECONDS = 20
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Started(NamedTuple):
    """A session with an avatar."""

    session: Session
    fitted: FittedPhoto


def show_errors(callback: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a callback so that user errors appear as messages on the page."""

    @wraps(callback)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return callback(*args, **kwargs)
        except SherfError as error:
            raise gr.Error(page_message(str(error)), duration=ERROR_SECONDS, print_exception=False) from error

    return wrapper


def find_avatar(session: Session | None) -> Started | None:
    """Return the session and its fitted photo; None if there is no avatar yet."""
    return None if session is None or session.fitted is None else Started(session, session.fitted)


def require_avatar(session: Session | None) -> Started:
    """Return the session and its fitted photo.

    Raises:
        Error: of Gradio; there is no avatar yet.
    """
    started = find_avatar(session)
    if started is None:
        raise gr.Error("There is no avatar yet: upload a photo on the first tab.", print_exception=False)
    return started


def photo_results(started: Started, closes_corrections: bool = True) -> tuple:
    """Return overlay, verdict, the button to the next tab, the accordion of the corrections, and the command line.

    The accordion closes together with the verdict: any later, it would close under the user's hands.
    """
    session, fitted = started
    accordion = gr.update(open=False) if closes_corrections else gr.skip()
    verdict = describe_fit(fitted.report)
    return str(fitted.overlay), verdict, gr.update(visible=True), accordion, command_line(session, fitted)


def command_line(
    session: Session,
    fitted: FittedPhoto,
    motion: str = "walk",
    moving: MotionOptions = MotionOptions(in_place=True),
    options: RenderOptions = RenderOptions(gif=True, fast=True),
    path: CameraPath = "still",
) -> str:
    """Return the commands for the session's avatar (`sherf.app.texts.command_lines`)."""
    return command_lines(fitted.report, session.is_corrected, motion, moving, options, path)


def describe_visibility(seen_share: float) -> str:
    """Return how much of the surface was seen, 0 to 1, and how much is generated."""
    return f"The photo shows {seen_share:.0%} of the person's surface; the other {1 - seen_share:.0%} is generated."


def shows_photo(session: Session | None, photo: str | None) -> bool:
    """Return whether the session's avatar was made from this photo."""
    started = find_avatar(session)
    if not photo or started is None:
        return False
    return started.fitted.is_of(Path(photo))


def progress_bar(bar: gr.Progress) -> ProgressCallback:
    """Return a progress callback that shows on the bar how far the work is, and the time left."""
    started: dict[str, float] = {}

    def report(what: str, done: int, count: int | None) -> None:
        elapsed = time.monotonic() - started.setdefault(what, time.monotonic())
        left = f", {time_left(elapsed, done, count)}" if done and count else ""
        bar((done, count), desc=what + left, unit="")

    return report
