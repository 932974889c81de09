"""What the page's callbacks share: library errors as messages, and sessions with an avatar."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio as gr

from sherf.app.avatar_results import AvatarResults, Cancelled
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


def show_errors(callback: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a callback so that user errors appear as messages on the page."""

    @wraps(callback)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with user_errors():
            return callback(*args, **kwargs)

    return wrapper


@contextmanager
def user_errors() -> Iterator[None]:
    """Show user errors of the work inside as messages on the page.

    Yields:
        Nothing.

    Raises:
        Error: of Gradio, for a `SherfError`.
    """
    try:
        yield
    except SherfError as error:
        raise gr.Error(page_message(str(error)), duration=ERROR_SECONDS, print_exception=False) from error


def find_avatar(session: Session | None) -> AvatarResults | None:
    """Return a session's avatar and its results; None if there is no avatar yet."""
    return None if session is None else session.avatar


def require_avatar(session: Session | None) -> AvatarResults:
    """Return a session's avatar and its results. Callbacks ask once: the next moment there may be another.

    Raises:
        Error: of Gradio; there is no avatar yet.
    """
    avatar = find_avatar(session)
    if avatar is None:
        raise gr.Error("There is no avatar yet: upload a photo on the first tab.", print_exception=False)
    return avatar


@contextmanager
def use_avatar(session: Session | None) -> Iterator[AvatarResults]:
    """Keep the files of a session's avatar while they are used.

    Yields:
        The avatar and its results.

    Raises:
        Error: of Gradio; there is no avatar yet.
    """
    avatar = require_avatar(session)
    with avatar.usage.step():
        yield avatar


def is_current(session: Session | None, avatar: AvatarResults) -> bool:
    """Return whether an avatar is still the session's, so that what was made of it may be shown."""
    return find_avatar(session) is avatar


def check_current(session: Session | None, avatar: AvatarResults) -> None:
    """Refuse what was made of an avatar that is not the session's any more.

    Raises:
        Cancelled: there is another one, or none.
    """
    if not is_current(session, avatar):
        raise Cancelled("another photo was chosen meanwhile: the result is discarded.")


def photo_results(avatar: AvatarResults, closes_corrections: bool = True) -> tuple:
    """Return overlay, comparison, verdict, the button to the next tab, the accordion of the corrections, and commands.

    The accordion closes together with the verdict: any later, it would close under the user's hands.
    """
    fitted = avatar.fitted
    accordion = gr.update(open=False) if closes_corrections else gr.skip()
    verdict = describe_fit(fitted.report)
    pair = fitted.write_own_view()
    comparison = gr.update(value=None, visible=False) if pair is None else gr.update(value=pair, visible=True)
    return str(fitted.overlay), comparison, verdict, gr.update(visible=True), accordion, command_line(avatar)


def command_line(
    avatar: AvatarResults,
    motion: str = "walk",
    moving: MotionOptions = MotionOptions(in_place=True),
    options: RenderOptions = RenderOptions(gif=True, fast=True),
    path: CameraPath = "still",
) -> str:
    """Return the commands for an avatar (`sherf.app.texts.command_lines`)."""
    return command_lines(avatar.fitted.report, avatar.is_corrected, motion, moving, options, path)


def describe_visibility(seen_share: float) -> str:
    """Return how much of the surface was seen, 0 to 1, and how much is generated."""
    return f"The photo shows {seen_share:.0%} of the person's surface; the other {1 - seen_share:.0%} is generated."


def shows_photo(avatar: AvatarResults | None, photo: str | None) -> bool:
    """Return whether an avatar was made from this photo."""
    return avatar is not None and photo is not None and avatar.fitted.is_of(Path(photo))


def progress_bar(bar: gr.Progress) -> ProgressCallback:
    """Return a progress callback that shows on the bar how far the work is, and the time left."""
    started: dict[str, float] = {}

    def report(what: str, done: int, count: int | None) -> None:
        elapsed = time.monotonic() - started.setdefault(what, time.monotonic())
        left = f", {time_left(elapsed, done, count)}" if done and count else ""
        bar((done, count), desc=what + left, unit="")

    return report
