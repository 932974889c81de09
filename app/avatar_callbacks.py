"""Callbacks of the tabs after the photo's: look around, animate, export; and restoring all of them after a reload."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gradio as gr
import numpy as np

from sherf.app.callbacks import (
    Started,
    command_line,
    describe_visibility,
    find_avatar,
    photo_results,
    progress_bar,
    require_avatar,
    show_errors,
)
from sherf.app.photo_callbacks import cancel
from sherf.app.session import Cancelled, Session
from sherf.app.sessions import Sessions
from sherf.app.texts import BUILDING, NOT_BUILT
from sherf.app.videos import MAX_SECONDS
from sherf.app.viewer import View, write_turntable
from sherf.camera.framing import CameraPath
from sherf.motion.options import MotionOptions
from sherf.motion.read import builtin_motions
from sherf.render.options import RenderOptions

BACKGROUNDS = {
    "white": "white",
    "studio grey": "#d7d9de",
    "sky": "#bcd9f5",
    "black": "black",
    "transparent": "transparent",
}
"""Colour of each choice."""
NUM_RESTORED = 13
"""Components that `restore` fills, without session and key."""


def preview(session: Session | None) -> Iterator[tuple]:
    """Yield low-resolution views from all around as they are rendered, then a turntable of them; with a message."""
    started, fitted = require_avatar(session)
    if started.mesh is None:
        views = []
        for view in started.require_viewer().render_turntable():
            if started.cancel.is_set():
                yield gr.skip(), NOT_BUILT
                return
            views.append(view)
            yield view, BUILDING
        yield str(write_turntable(views, fitted.folder / "turning.webp")), BUILDING


@show_errors
def build(session: Session | None) -> tuple:
    """Build the mesh. Returns the last view from it, how much of it was seen, and the session."""
    started = require_avatar(session).session
    with suppress(Cancelled):
        started.build_mesh()
    if started.seen_share is None:
        return gr.skip(), NOT_BUILT, started
    return started.render_again(), describe_visibility(started.seen_share), started


@show_errors
def look(azimuth: float, elevation: float, zoom: float, show: str, session: Session | None) -> np.ndarray:
    """Render the view that the sliders describe."""
    return require_avatar(session).session.render(View(azimuth, elevation, zoom, shows_visibility=show != "colours"))


@show_errors
def animate(
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
    """Render the video. Returns the MP4 for the player, all files, and the session."""
    started = require_avatar(session).session
    moving, options = _choices(file, seconds, speed, loop, in_place, background, size)
    bar(0, desc="preparing the avatar")
    files = started.make_video(file or name, moving, options, camera, progress_bar(bar))
    return str(files[0]), [str(path) for path in files], started


def update_command(
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
    """Return the command line of the chosen video; empty without an avatar."""
    started = find_avatar(session)
    if started is None:
        return ""
    moving, options = _choices(file, seconds, speed, loop, in_place, background, size)
    return command_line(*started, Path(file).name if file else name, moving, options, camera)


@show_errors
def export(name: str, file: str | None, session: Session | None, bar: gr.Progress = gr.Progress()) -> tuple:
    """Export the rigged avatar. Returns the GLB for the viewer, all files, and the session."""
    started = require_avatar(session).session
    files = [str(path) for path in started.export(file or name, MotionOptions(), progress_bar(bar))]
    return files[0], files, started


def select_motion(click: gr.SelectData) -> str:
    """Return the name of the built-in motion that was clicked."""
    return builtin_motions()[click.index]


def describe_motion(name: str, file: str | None) -> tuple:
    """Return which motion is selected, and the visibility of the duration: of uploaded motions only."""
    if file:
        text = f"Selected: **{Path(file).name}** (uploaded). Remove the file to choose a built-in motion."
        return text, gr.update(visible=True)
    return f"Selected: **{name}**", gr.update(visible=False)


def cancel_video(session: Session | None) -> None:
    """Cancel the video in progress and confirm it."""
    cancel(session)
    gr.Info("Video cancelled and discarded.")


def restore(sessions: Sessions, key: str | None) -> tuple:
    """Return all results of the tab's session after a reload, the session, and its key; a new session without one."""
    session = sessions.find(key) if key else None
    started = find_avatar(session)
    if started is None:
        session = session or sessions.new()
        return (*[gr.skip()] * NUM_RESTORED, session, session.key)
    return (*_results(started), started.session, started.session.key)


def resume(session: Session | None) -> tuple:
    """Build the mesh after a reload, where it was still in progress. Returns the same as `build`."""
    started = find_avatar(session)
    if started is None:
        return gr.skip(), gr.skip(), gr.skip()
    started.session.cancel.clear()
    return build(started.session)


def _results(started: Started) -> tuple:
    session, fitted = started
    videos, exports = ([str(path) for path in paths] or None for paths in (session.videos, session.exports))
    last_image = session.viewer.last_image if session.viewer is not None else None
    visibility = BUILDING if session.seen_share is None else describe_visibility(session.seen_share)
    return (
        str(fitted.photo),
        fitted.report["person"],
        *photo_results(started),
        gr.skip() if last_image is None else last_image,
        visibility,
        videos and videos[0],
        videos,
        exports and exports[0],
        exports,
    )


def _choices(
    file: str | None, seconds: float, speed: float, loop: bool, in_place: bool, background: str, size: float
) -> tuple[MotionOptions, RenderOptions]:
    end = min(seconds * speed, MAX_SECONDS) if file else None
    moving = MotionOptions(in_place=in_place, speed=speed, end=end, loop=loop)
    return moving, RenderOptions(size=int(size), background=BACKGROUNDS[background], gif=True, fast=True)
