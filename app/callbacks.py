"""The page's callbacks: read what the visitor set, let the session work, show what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np

from sherf.app.masks import Painting
from sherf.app.session import Session, Stopped
from sherf.app.sessions import Sessions
from sherf.app.texts import COARSE, DRAWN, LATER, command_lines, corrections, on_page, verdict
from sherf.app.videos import MOST_SECONDS
from sherf.camera.framing import CameraPath
from sherf.errors import SherfError
from sherf.motion.motion import builtin_motions
from sherf.motion.options import MotionOptions
from sherf.progress import ProgressCallback, time_left
from sherf.render.options import RenderOptions

BACKGROUNDS = {
    "white": "white",
    "studio grey": "#d7d9de",
    "sky": "#bcd9f5",
    "black": "black",
    "transparent": "transparent",
}

Result = TypeVar("Result")


def in_words(action: Callable[..., Result]) -> Callable[..., Result]:
    """A user's mistake is a sentence on the page."""

    @wraps(action)
    def told(*arguments: Any) -> Result:
        try:
            return action(*arguments)
        except SherfError as error:
            raise gr.Error(on_page(str(error)), duration=20, print_exception=False) from error

    return told


@in_words
def find(sessions: Sessions, photo: str | None, session: Session | None, person: float | None = None) -> tuple:
    """Photo → overlay, verdict, what comes next, corrections folded, the command line, the session, and its key."""
    if not photo:
        raise gr.Error("Drop a photo first, or click one of the examples.", print_exception=False)
    session = session if session is not None and sessions.find(session.key) else sessions.new()
    session.read(Path(photo), int(person) if person and person > 1 else None)
    return (*_found(session), session, session.key)


@in_words
def reconstruct(sessions: Sessions, photo: str | None, person: float | None, session: Session | None) -> tuple:
    """Of the API: photo → overlay, verdict, a first view, the command line, and the session."""
    *_, session, _ = find(sessions, photo, session, person)
    assert session.avatar is not None
    return str(session.overlay), verdict(session.avatar.report), session.view_again(), _line(session), session


@in_words
def refit(
    swapped: bool, focal: float, height: float, mask: str | None, painted: Painting | None, session: Session | None
) -> tuple:
    """The corrections → what `find` returns, but they stay open."""
    started = _started(session)
    started.fix.swapped, started.fix.focal = swapped, focal
    started.fix.height = height / 100 if abs(height - _centimetres(started)) > 0.5 else None
    started.refit(Path(mask) if mask else None, painted)
    return (*_found(started, keep_open=True), started, started.key)


@in_words
def to_fix(session: Session | None) -> tuple:
    """What can be corrected, as it is now: points, sides, lens, height; no mask of the visitor's own."""
    started = _started(session)
    photo, fit = gr.FileData(path=str(started.small_photo())).model_dump(), started.fit
    points = {"photo": photo, "size": fit["size"], "marks": started.fix.marks(fit)}
    return points, corrections(started.fix.landmarks), False, 1.0, _centimetres(started), None


@in_words
def place(session: Session | None, moved: gr.EventData) -> str:
    """A point is where the visitor dropped it, or cannot be seen, or is put back (`Fix.say`)."""
    started = _started(session)
    started.fix.say(moved._data, started.fit)
    return corrections(started.fix.landmarks)


@in_words
def to_paint(session: Session | None) -> dict:
    """The editor with the mask."""
    return gr.update(value=_started(session).mask_to_paint(), visible=True)


def fold() -> tuple[dict, dict]:
    """The mask's part closed, without its editor."""
    return gr.update(open=False), gr.update(value=None, visible=False)


def turn(session: Session | None) -> Iterator[tuple]:
    """Coarse views from all around as they come, and then all of them, turning."""
    started = _started(session)
    if started.mesh is None:
        pictures = []
        for picture in started.turning():
            if started.stopping.is_set():
                yield gr.skip(), LATER
                return
            pictures.append(picture)
            yield picture, COARSE
        yield str(started.turned(pictures)), COARSE


@in_words
def build(session: Session | None) -> tuple:
    """The mesh, for everything that follows at once."""
    started = _started(session)
    with suppress(Stopped):
        started.build()
    if started.seen is None:
        return gr.skip(), LATER, started
    return started.view_again(), _share(started), started


@in_words
def look(azimuth: float, elevation: float, zoom: float, show: str, session: Session | None) -> np.ndarray:
    """The avatar from where the sliders stand."""
    return _started(session).view(azimuth, elevation, zoom, colours=show == "colours")


@in_words
def move(
    name: str,
    file: str | None,
    seconds: float,
    speed: float,
    loop: bool,
    in_place: bool,
    background: str,
    size: float,
    camera: CameraPath,
    session: Session | None,
    bar: gr.Progress = gr.Progress(),
) -> tuple:
    """The avatar moves: video on the page, and files."""
    started = _started(session)
    moving, options = _chosen(file, seconds, speed, loop, in_place, background, size)
    bar(0, desc="the avatar is being made ready")
    files = started.film(file or name, moving, options, camera, _told_on(bar))
    return str(files[0]), [str(path) for path in files], started


def line(
    name: str,
    file: str | None,
    seconds: float,
    speed: float,
    loop: bool,
    in_place: bool,
    background: str,
    size: float,
    camera: CameraPath,
    session: Session | None,
) -> str:
    """What to type for the same."""
    moving, options = _chosen(file, seconds, speed, loop, in_place, background, size)
    known = session is not None and session.avatar is not None
    return _line(session, Path(file).name if file else name, moving, options, camera) if known else ""


@in_words
def export(name: str, file: str | None, session: Session | None, bar: gr.Progress = gr.Progress()) -> tuple:
    """The rigged avatar, for the viewer and to take away."""
    started = _started(session)
    files = [str(path) for path in started.model(file or name, MotionOptions(), _told_on(bar))]
    return files[0], files, started


def pick(click: gr.SelectData) -> str:
    """The name of the motion that was clicked on."""
    return builtin_motions()[click.index]


def told_motion(name: str, file: str | None) -> tuple:
    """Which motion will be played, and whether its length can be chosen."""
    if file:
        return f"**{Path(file).name}**, your own, will be played. Take it away to choose one above.", gr.update(
            visible=True
        )
    return f"**{name}** will be played.", gr.update(visible=False)


def stop(session: Session | None) -> None:
    """End the film or the mesh that is being made."""
    if session is not None:
        session.stopping.set()


def begin(session: Session | None) -> tuple:
    """Another photo: what is being made of the last one ends, and nothing says any more what was found there."""
    stop(session)
    return None, DRAWN, gr.update(visible=False)


def halt(session: Session | None) -> None:
    """End the film, and say so."""
    stop(session)
    gr.Info("Stopped: nothing of the film was kept.")


def number_of(photo: str | None, number: float | None, session: Session | None) -> int:
    """Of another photo's person: the first, until another is asked for."""
    return int(number or 1) if _shows(session, photo) else 1


def choose(photo: str | None, session: Session | None, number: float | None, click: gr.SelectData) -> int:
    """The number of the person who was clicked on, where the photo is known to show several."""
    asked = int(number or 1)
    if not _shows(session, photo):
        return asked
    chosen = session.person_at(*map(float, click.index)) or asked
    if chosen != session.avatar.report["person"]:
        stop(session)
    return chosen


@in_words
def find_chosen(sessions: Sessions, photo: str | None, session: Session | None, person: float | None = None) -> tuple:
    """`find`, but of whoever is found already nothing is made anew: corrections are kept."""
    if _shows(session, photo) and int(person or 1) == session.avatar.report["person"]:
        return (*_found(session), session, session.key)
    return find(sessions, photo, session, person)


def come_back(sessions: Sessions, key: str | None) -> tuple:
    """After a refresh: what the session of this tab has so far, the session, and its key."""
    session = sessions.find(key) if key else None
    if session is None or session.avatar is None:
        session = session or sessions.new()
        return (*[gr.skip()] * 13, session, session.key)
    films, models = ([str(path) for path in paths] or None for paths in (session.films, session.models))
    share = COARSE if session.seen is None else _share(session)
    results = (
        str(session.photo),
        session.avatar.report["person"],
        *_found(session),
        gr.skip() if session.shown is None else session.shown,
        share,
    )
    return (*results, films and films[0], films, models and models[0], models, session, session.key)


def go_on(session: Session | None) -> tuple:
    """After a refresh: the mesh, where it was still being made."""
    if session is None or session.avatar is None:
        return gr.skip(), gr.skip(), gr.skip()
    session.stopping.clear()
    return build(session)


def _found(session: Session, keep_open: bool = False) -> tuple:
    assert session.avatar is not None
    # together with the verdict: later, it would close under the hands of whoever has opened it
    fixing = gr.skip() if keep_open else gr.update(open=False)
    return str(session.overlay), verdict(session.avatar.report), gr.update(visible=True), fixing, _line(session)


def _shows(session: Session | None, photo: str | None) -> bool:
    """Whether the session's avatar is of this photo."""
    return bool(photo) and session is not None and session.avatar is not None and session.is_of(Path(photo))


def _started(session: Session | None) -> Session:
    if session is None or session.avatar is None:
        raise gr.Error("There is no person yet: drop a photo on the first tab.", print_exception=False)
    return session


def _chosen(
    file: str | None, seconds: float, speed: float, loop: bool, in_place: bool, background: str, size: float
) -> tuple[MotionOptions, RenderOptions]:
    end = min(seconds * speed, MOST_SECONDS) if file else None
    moving = MotionOptions(in_place=in_place, speed=speed, end=end, loop=loop)
    return moving, RenderOptions(size=int(size), background=BACKGROUNDS[background], gif=True, fast=True)


def _line(
    session: Session,
    motion: str = "walk",
    moving: MotionOptions = MotionOptions(in_place=True),
    options: RenderOptions = RenderOptions(gif=True, fast=True),
    path: CameraPath = "still",
) -> str:
    assert session.avatar is not None
    return command_lines(session.avatar.report, session.corrected, motion, moving, options, path)


def _share(session: Session) -> str:
    return f"The photo saw {session.seen:.0%} of the person's surface; {1 - session.seen:.0%} are invented."


def _centimetres(session: Session) -> int:
    return round(100 * session.height)


def _told_on(bar: gr.Progress) -> ProgressCallback:
    """Tells how far the work is, and about how long the rest of it will take."""
    began: dict[str, float] = {}

    def tell(what: str, done: int, count: int | None) -> None:
        took = time.monotonic() - began.setdefault(what, time.monotonic())
        left = f", {time_left(took, done, count)}" if done and count else ""
        bar((done, count), desc=what + left, unit="")

    return tell
