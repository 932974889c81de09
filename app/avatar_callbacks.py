"""Callbacks of the tabs after the photo's: look around, animate, export; and restoring all of them after a reload."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from sherf.app.avatar_results import AvatarResults, Cancelled
from sherf.app.callbacks import (
    check_current,
    command_line,
    describe_visibility,
    find_avatar,
    is_current,
    photo_results,
    progress_bar,
    require_avatar,
    show_errors,
    user_errors,
)
from sherf.app.photo_callbacks import cancel
from sherf.app.session import Session
from sherf.app.sessions import Sessions
from sherf.app.texts import BUILDING, NOT_BUILT
from sherf.app.turning import Turning
from sherf.app.videos import MAX_SECONDS
from sherf.app.viewer import TURNTABLE, View, write_turntable
from sherf.camera.framing import CameraPath
from sherf.motion.options import MotionOptions
from sherf.motion.read import builtin_motions
from sherf.render.options import RenderOptions

REST = "rest.jpg"
BACKGROUNDS = {
    "white": "white",
    "studio grey": "#d7d9de",
    "sky": "#bcd9f5",
    "black": "black",
    "transparent": "transparent",
}
"""Colour of each choice."""
NUM_RESTORED = 15
"""Components that `restore` fills, without session and key."""


def preview(session: Session | None) -> Iterator[tuple]:
    """Yield low-resolution views from all around as they are rendered, then a turntable of them; with a message."""
    avatar, views = require_avatar(session), []
    if avatar.mesh is not None:
        return
    for shown in TURNTABLE:
        with user_errors():
            view = avatar.render(shown)
        if not is_current(session, avatar):
            return
        if avatar.is_cancelled:
            yield gr.skip(), NOT_BUILT
            return
        views.append(view)
        yield view, BUILDING
    with user_errors(), avatar.usage.step():
        turntable = write_turntable(views, avatar.fitted.folder / "turning.webp")
    if is_current(session, avatar):
        yield str(turntable), BUILDING


@show_errors
def build(session: Session | None) -> tuple:
    """Build the mesh. Returns the last view from it, how much of it was seen, and the session."""
    avatar = require_avatar(session)
    with suppress(Cancelled):
        avatar.build_mesh()
    view = gr.skip() if avatar.seen_share is None else avatar.render_again()
    if not is_current(session, avatar):
        return gr.skip(), gr.skip(), session
    return view, NOT_BUILT if avatar.seen_share is None else describe_visibility(avatar.seen_share), session


@show_errors
def turn(session: Session | None) -> Any:
    """Return the mesh that the browser turns."""
    avatar = require_avatar(session)
    turning = avatar.write_turning()
    return _turned(avatar, turning) if is_current(session, avatar) else gr.skip()


def turn_again(session: Session | None) -> Any:
    """Return the same as `turn` after a reload; nothing without an avatar."""
    return gr.skip() if find_avatar(session) is None else turn(session)


@show_errors
def show_rest(session: Session | None, event: gr.EventData) -> Any:
    """Return the mesh that is turned, with the radiance field's picture of the view in which it rests."""
    avatar, message = require_avatar(session), event._data
    name = message.get("name") if isinstance(message, dict) else None
    if name != avatar.fitted.name or avatar.turning is None:
        return gr.skip()
    image = avatar.picture(message)
    if not is_current(session, avatar):
        return gr.skip()
    file = avatar.fitted.folder / REST
    Image.fromarray(image).save(file, quality=92)
    return {**_turned(avatar, avatar.turning), "picture": _file(file), "view": message.get("view")}


@show_errors
def look(azimuth: float, elevation: float, zoom: float, show: str, session: Session | None) -> Any:
    """Render the view that the sliders describe; it is not shown if there is another avatar by then."""
    avatar = require_avatar(session)
    image = avatar.render(View(azimuth, elevation, zoom, shows_visibility=show != "colours"))
    return image if is_current(session, avatar) else gr.skip()


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
    avatar = require_avatar(session)
    moving, options = _choices(file, seconds, speed, loop, in_place, background, size)
    bar(0, desc="preparing the avatar")
    try:
        files = avatar.make_video(file or name, moving, options, camera, progress_bar(bar))
    except Cancelled:  # by the user, who need not be told again
        return gr.skip(), gr.skip(), session
    check_current(session, avatar)
    return str(files[0]), [str(path) for path in files], session


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
    avatar = find_avatar(session)
    if avatar is None:
        return ""
    moving, options = _choices(file, seconds, speed, loop, in_place, background, size)
    return command_line(avatar, Path(file).name if file else name, moving, options, camera)


@show_errors
def export(name: str, file: str | None, session: Session | None, bar: gr.Progress = gr.Progress()) -> tuple:
    """Export the rigged avatar. Returns the GLB for the viewer, all files, and the session."""
    avatar = require_avatar(session)
    try:
        files = [str(path) for path in avatar.export(file or name, MotionOptions(), progress_bar(bar))]
    except Cancelled:
        return gr.skip(), gr.skip(), session
    check_current(session, avatar)
    return files[0], files, session


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
    """Return all results of the browser's session after a reload, the session, and its key; nothing without one."""
    sessions.start()
    session = sessions.find(key) if key else None
    avatar = find_avatar(session)
    if session is None or avatar is None:
        return (*[gr.skip()] * NUM_RESTORED, None, "")
    session.usage.touch()
    return (*_results(avatar), session, session.key)


def resume(session: Session | None) -> tuple:
    """Build the mesh after a reload, where it was still in progress. Returns the same as `build`."""
    avatar = find_avatar(session)
    if avatar is None:
        return gr.skip(), gr.skip(), gr.skip()
    avatar.resume()
    return build(session)


def delete(sessions: Sessions, key: str | None) -> None:
    """Delete the browser's session, with its photos and results."""
    session = sessions.find(key) if key else None
    if session is not None:
        sessions.delete(session)


def _turned(avatar: AvatarResults, turning: Turning) -> dict[str, Any]:
    """Return what turn.js reads."""
    files = {"model": _file(turning.model), "seen": _file(turning.seen)}
    return {"name": avatar.fitted.name, "camera": avatar.start_camera()} | files


def _file(path: Path) -> dict[str, Any]:
    """Return a file that Gradio serves."""
    return gr.FileData(path=str(path)).model_dump()


def _results(avatar: AvatarResults) -> tuple:
    fitted, last_image = avatar.fitted, avatar.viewer.last_image
    videos, exports = ([str(path) for path in paths] or None for paths in (avatar.videos, avatar.exports))
    visibility = BUILDING if avatar.seen_share is None else describe_visibility(avatar.seen_share)
    return (
        str(fitted.photo),
        fitted.report["person"],
        *photo_results(avatar),
        None if avatar.turning is None else _turned(avatar, avatar.turning),
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
