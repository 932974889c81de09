"""The page's callbacks: read what the visitor set, let the visit work, show what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np

from sherf.app.films import MOST_SECONDS
from sherf.app.masks import Painting
from sherf.app.visit import Stopped, Visit
from sherf.app.visits import Visits
from sherf.app.words import COARSE, DRAWN, LATER, command_lines, corrections, on_page, verdict
from sherf.errors import SherfError
from sherf.framing import CameraPath
from sherf.motion import builtin_motions
from sherf.options import MotionOptions, RenderOptions
from sherf.progress import Hear, time_left

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
def find(visits: Visits, photo: str | None, visit: Visit | None, person: float | None = None) -> tuple:
    """Photo → overlay, verdict, what comes next, corrections folded, the command line, the visit, and its key."""
    if not photo:
        raise gr.Error("Drop a photo first, or click one of the examples.", print_exception=False)
    visit = visit if visit is not None and visits.find(visit.key) else visits.new()
    visit.read(Path(photo), int(person) if person and person > 1 else None)
    return (*_found(visit), visit, visit.key)


@in_words
def reconstruct(visits: Visits, photo: str | None, person: float | None, visit: Visit | None) -> tuple:
    """Of the API: photo → overlay, verdict, a first view, the command line, and the visit."""
    *_, visit, _ = find(visits, photo, visit, person)
    assert visit.avatar is not None
    return str(visit.overlay), verdict(visit.avatar.report), visit.view_again(), _line(visit), visit


@in_words
def refit(
    swapped: bool, focal: float, height: float, mask: str | None, painted: Painting | None, visit: Visit | None
) -> tuple:
    """The corrections → what `find` returns, but they stay open."""
    started = _started(visit)
    started.fix.swapped, started.fix.focal = swapped, focal
    started.fix.height = height / 100 if abs(height - _centimetres(started)) > 0.5 else None
    started.refit(Path(mask) if mask else None, painted)
    return (*_found(started, keep_open=True), started, started.key)


@in_words
def to_fix(visit: Visit | None) -> tuple:
    """What can be corrected, as it is now: points, sides, lens, height; no mask of the visitor's own."""
    started = _started(visit)
    photo, fit = gr.FileData(path=str(started.small_photo())).model_dump(), started.fit
    points = {"photo": photo, "size": fit["size"], "marks": started.fix.marks(fit)}
    return points, corrections(started.fix.landmarks), False, 1.0, _centimetres(started), None


@in_words
def place(visit: Visit | None, moved: gr.EventData) -> str:
    """A point is where the visitor dropped it, or cannot be seen, or is put back (`Fix.say`)."""
    started = _started(visit)
    started.fix.say(moved._data, started.fit)
    return corrections(started.fix.landmarks)


@in_words
def to_paint(visit: Visit | None) -> dict:
    """The editor with the mask."""
    return gr.update(value=_started(visit).mask_to_paint(), visible=True)


def fold() -> tuple[dict, dict]:
    """The mask's part closed, without its editor."""
    return gr.update(open=False), gr.update(value=None, visible=False)


def turn(visit: Visit | None) -> Iterator[tuple]:
    """Coarse views from all around as they come, and then all of them, turning."""
    started = _started(visit)
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
def build(visit: Visit | None) -> tuple:
    """The mesh, for everything that follows at once."""
    started = _started(visit)
    with suppress(Stopped):
        started.build()
    if started.seen is None:
        return gr.skip(), LATER, started
    return started.view_again(), _share(started), started


@in_words
def look(azimuth: float, elevation: float, zoom: float, show: str, visit: Visit | None) -> np.ndarray:
    """The avatar from where the sliders stand."""
    return _started(visit).view(azimuth, elevation, zoom, colours=show == "colours")


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
    visit: Visit | None,
    bar: gr.Progress = gr.Progress(),
) -> tuple:
    """The avatar moves: video on the page, and files."""
    started = _started(visit)
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
    visit: Visit | None,
) -> str:
    """What to type for the same."""
    moving, options = _chosen(file, seconds, speed, loop, in_place, background, size)
    known = visit is not None and visit.avatar is not None
    return _line(visit, Path(file).name if file else name, moving, options, camera) if known else ""


@in_words
def export(name: str, file: str | None, visit: Visit | None, bar: gr.Progress = gr.Progress()) -> tuple:
    """The rigged avatar, for the viewer and to take away."""
    started = _started(visit)
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


def stop(visit: Visit | None) -> None:
    """End the film or the mesh that is being made."""
    if visit is not None:
        visit.stopping.set()


def begin(visit: Visit | None) -> tuple:
    """Another photo: what is being made of the last one ends, and nothing says any more what was found there."""
    stop(visit)
    return None, DRAWN, gr.update(visible=False)


def halt(visit: Visit | None) -> None:
    """End the film, and say so."""
    stop(visit)
    gr.Info("Stopped: nothing of the film was kept.")


def number_of(photo: str | None, number: float | None, visit: Visit | None) -> int:
    """Of another photo's person: the first, until another is asked for."""
    return int(number or 1) if _shows(visit, photo) else 1


def choose(photo: str | None, visit: Visit | None, number: float | None, click: gr.SelectData) -> int:
    """The number of the person who was clicked on, where the photo is known to show several."""
    asked = int(number or 1)
    if not _shows(visit, photo):
        return asked
    chosen = visit.person_at(*map(float, click.index)) or asked
    if chosen != visit.avatar.report["person"]:
        stop(visit)
    return chosen


@in_words
def find_chosen(visits: Visits, photo: str | None, visit: Visit | None, person: float | None = None) -> tuple:
    """`find`, but of whoever is found already nothing is made anew: corrections are kept."""
    if _shows(visit, photo) and int(person or 1) == visit.avatar.report["person"]:
        return (*_found(visit), visit, visit.key)
    return find(visits, photo, visit, person)


def come_back(visits: Visits, key: str | None) -> tuple:
    """After a refresh: what the visit of this tab has so far, the visit, and its key."""
    visit = visits.find(key) if key else None
    if visit is None or visit.avatar is None:
        visit = visit or visits.new()
        return (*[gr.skip()] * 13, visit, visit.key)
    films, models = ([str(path) for path in paths] or None for paths in (visit.films, visit.models))
    share = COARSE if visit.seen is None else _share(visit)
    results = (
        str(visit.photo),
        visit.avatar.report["person"],
        *_found(visit),
        gr.skip() if visit.shown is None else visit.shown,
        share,
    )
    return (*results, films and films[0], films, models and models[0], models, visit, visit.key)


def go_on(visit: Visit | None) -> tuple:
    """After a refresh: the mesh, where it was still being made."""
    if visit is None or visit.avatar is None:
        return gr.skip(), gr.skip(), gr.skip()
    visit.stopping.clear()
    return build(visit)


def _found(visit: Visit, keep_open: bool = False) -> tuple:
    assert visit.avatar is not None
    # together with the verdict: later, it would close under the hands of whoever has opened it
    fixing = gr.skip() if keep_open else gr.update(open=False)
    return str(visit.overlay), verdict(visit.avatar.report), gr.update(visible=True), fixing, _line(visit)


def _shows(visit: Visit | None, photo: str | None) -> bool:
    """Whether the visit's avatar is of this photo."""
    return bool(photo) and visit is not None and visit.avatar is not None and visit.is_of(Path(photo))


def _started(visit: Visit | None) -> Visit:
    if visit is None or visit.avatar is None:
        raise gr.Error("There is no person yet: drop a photo on the first tab.", print_exception=False)
    return visit


def _chosen(
    file: str | None, seconds: float, speed: float, loop: bool, in_place: bool, background: str, size: float
) -> tuple[MotionOptions, RenderOptions]:
    end = min(seconds * speed, MOST_SECONDS) if file else None
    moving = MotionOptions(in_place=in_place, speed=speed, end=end, loop=loop)
    return moving, RenderOptions(size=int(size), background=BACKGROUNDS[background], gif=True, fast=True)


def _line(
    visit: Visit,
    motion: str = "walk",
    moving: MotionOptions = MotionOptions(in_place=True),
    options: RenderOptions = RenderOptions(gif=True, fast=True),
    path: CameraPath = "still",
) -> str:
    assert visit.avatar is not None
    return command_lines(visit.avatar.report, visit.corrected, motion, moving, options, path)


def _share(visit: Visit) -> str:
    return f"The photo saw {visit.seen:.0%} of the person's surface; {1 - visit.seen:.0%} are invented."


def _centimetres(visit: Visit) -> int:
    return round(100 * visit.height)


def _told_on(bar: gr.Progress) -> Hear:
    """Tells how far the work is, and about how long the rest of it will take."""
    began: dict[str, float] = {}

    def tell(what: str, done: int, count: int | None) -> None:
        took = time.monotonic() - began.setdefault(what, time.monotonic())
        left = f", {time_left(took, done, count)}" if done and count else ""
        bar((done, count), desc=what + left, unit="")

    return tell
