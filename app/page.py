"""The page: a photo in, a moving person out. Layout and callbacks; the work is in visit.py."""

import shlex
from collections.abc import Callable
from functools import partial, wraps
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np

from sherf.app.fixing import POINTS, zoom_of
from sherf.app.visit import MOST_SECONDS, Visit
from sherf.errors import SherfError
from sherf.framing import CameraPath
from sherf.motion import builtin_motions
from sherf.options import MotionOptions, RenderOptions

EXAMPLES = Path(str(files("sherf.examples")))
PHOTOS = ("person_1.jpg", "person_2.jpg", "darknet_person.jpg")
BUTTONS = ["download", "fullscreen"]
BACKGROUNDS = {
    "white": "white",
    "studio grey": "#d7d9de",
    "sky": "#bcd9f5",
    "black": "black",
    "transparent": "transparent",
}
VERDICTS = {
    "good": "The body fits the photo well.",
    "usable": "The body fits roughly: look at the picture on the right.",
    "poor": "The body does not fit well: expect a wrong shape, or try another photo.",
}
WELCOME = """# One photo in, a moving person out
Drop a photo of a whole person below, or click an example. It stays on this machine."""
ABOUT = """**Privacy.** Photos are read on this machine and go nowhere; what you upload is deleted when you close the
page, or after {minutes} minutes.

**What is real and what is invented.** The photo shows one side. The rest is made up by a network that has seen drawn
people only: the map *seen / invented* shows which is which. It is no likeness to prove anything by.

**Model card and licence**: `checkpoints/sherf-small/README.md`; the weights, the body model and the motions are CC0.
Of files that you make, `provenance` says which photo and model they come from."""
FIX = """Left and right are the person's own. Choose a point and click where it really is, as often as you like; then
*Fit again*. Blue: as found; green: as you placed it; grey: not seen."""
CSS = """
.gradio-container {width: 100% !important; max-width: 1180px !important; margin: auto}
.gradio-container main, .gradio-container .tabs {width: 100%; min-width: 100%}
footer {display: none !important}
#verdict {min-height: 3.2em}
"""

Result = TypeVar("Result")


def in_words(action: Callable[..., Result]) -> Callable[..., Result]:
    """A user's mistake is a sentence on the page."""

    @wraps(action)
    def told(*arguments: Any) -> Result:
        try:
            return action(*arguments)
        except SherfError as error:
            raise gr.Error(str(error), duration=20, print_exception=False) from error

    return told


def theme() -> gr.Theme:
    """Quiet, with one accent."""
    return gr.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    )


@in_words
def reconstruct(photo: str | None, person: float | None, visit: Visit | None) -> tuple:
    """Photo → overlay, verdict, a first view, and the visit."""
    if not photo:
        raise gr.Error("Drop a photo first, or click one of the examples.", print_exception=False)
    visit = visit or Visit()
    report = visit.read(Path(photo), int(person) if person and person > 1 else None)
    return _found(visit, report, _command_line(photo, report))


@in_words
def refit(swapped: bool, focal: float, mask: str | None, visit: Visit | None) -> tuple:
    """The corrections → overlay, verdict, a first view, and the visit."""
    started = _started(visit)
    started.fix.swapped, started.fix.focal = swapped, focal
    report = started.refit(Path(mask) if mask else None)
    return _found(
        started, report, f"{_command_line(str(started.photo), report)}\n# with your corrections: --edit fit.json"
    )


@in_words
def points(point: str, visit: Visit | None) -> np.ndarray:
    """The photo with the points that were found and placed."""
    return _started(visit).points(point)


@in_words
def place(point: str, visit: Visit | None, click: gr.SelectData) -> np.ndarray:
    """The point is where the visitor clicked."""
    started = _started(visit)
    started.fix.landmarks[point] = [number / zoom_of(started.fit) for number in click.index]
    return started.points(point)


@in_words
def hide(point: str, visit: Visit | None) -> np.ndarray:
    """Nobody can see the point."""
    started = _started(visit)
    started.fix.landmarks[point] = None
    return started.points(point)


@in_words
def build(visit: Visit | None) -> tuple:
    """The mesh, for everything that follows at once."""
    started = _started(visit)
    mesh = started.build()
    share = f"The photo saw {mesh.seen:.0%} of the person's surface; {1 - mesh.seen:.0%} are invented."
    return started.view(30, 0, 1.0), share, started


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
    moving = MotionOptions(
        in_place=in_place, speed=speed, end=min(seconds * speed, MOST_SECONDS) if file else None, loop=loop
    )
    options = RenderOptions(size=int(size), background=BACKGROUNDS[background], gif=True)
    videos = started.film(file or name, moving, options, camera, partial(_tell, bar))
    return str(videos[0]), [str(video) for video in videos], started


@in_words
def export(name: str, file: str | None, visit: Visit | None) -> tuple:
    """The rigged avatar, for the viewer and to take away."""
    started = _started(visit)
    model = str(started.model(file or name, MotionOptions()))
    return model, [model, str(started.avatar_file)], started


def _tell(bar: gr.Progress, done: int, count: int) -> None:
    bar((done, count), unit="pictures")


def stop(visit: Visit | None) -> None:
    """End the film that is being made."""
    if visit is not None:
        visit.stopping.set()


def choose(photo: str | None, visit: Visit | None, number: float, click: gr.SelectData) -> int:
    """The number of the person who was clicked on, where the photo is known to show several."""
    if visit is None or visit.avatar is None or str(visit.photo) != photo:
        return int(number)
    x, y = click.index
    boxes = [person["box"] for person in visit.avatar.report.get("people", [])]
    inside = (i for i, (x0, y0, x1, y1) in enumerate(boxes, start=1) if x0 <= x <= x1 and y0 <= y <= y1)
    return next(inside, int(number))


def _found(visit: Visit, report: dict[str, Any], command: str) -> tuple:
    return str(visit.overlay), _verdict(report), visit.first_view(), command, visit


def _started(visit: Visit | None) -> Visit:
    if visit is None or visit.avatar is None:
        raise gr.Error("There is no person yet: drop a photo on the first tab.", print_exception=False)
    return visit


def _verdict(report: dict[str, Any]) -> str:
    lines = [f"**{VERDICTS.get(report.get('verdict', ''), 'Body and mask are drawn over the photo.')}**"]
    lines += [f"- {reason}" for reason in report.get("reasons", []) + report.get("warnings", [])]
    people = report.get("people", [])
    if len(people) > 1:
        lines.append(f"- {len(people)} people: click another in the photo, or type 1 to {len(people)}.")
    return "\n".join(lines)


def _command_line(photo: str, report: dict[str, Any]) -> str:
    name = shlex.quote(Path(photo).name)
    person = f" --person {report['person']}" if report.get("person", 1) != 1 else ""
    return (
        f"sherf animate {name}{person} --motion walk --out out\nsherf export {name}{person} --motion walk --out me.glb"
    )


def page(minutes: int = 60) -> gr.Blocks:
    """The whole page.

    Args:
        minutes: after which a visit's files are deleted.
    """
    with gr.Blocks(title="SHERF", analytics_enabled=False, delete_cache=(600, 60 * minutes)) as blocks:
        visit = gr.State(None, time_to_live=60 * minutes, delete_callback=_close)
        gr.Markdown(WELCOME)
        with gr.Tabs():
            with gr.Tab("1  Photo"), gr.Row():
                with gr.Column():
                    photo = gr.Image(type="filepath", label="Photo", sources=["upload", "webcam"], height=420)
                    gr.Examples([[str(EXAMPLES / name)] for name in PHOTOS], photo, label="Examples")
                    with gr.Row():
                        person = gr.Number(1, label="Which person", precision=0, minimum=1, scale=1)
                        go = gr.Button("Make the avatar", variant="primary", scale=2)
                with gr.Column():
                    overlay = gr.Image(label="What was found", interactive=False, height=420, buttons=BUTTONS)
                    verdict = gr.Markdown("Mask, skeleton and body will be drawn over your photo.", elem_id="verdict")
                    with gr.Accordion("Fix the fit", open=False):
                        gr.Markdown(FIX)
                        point = gr.Dropdown(
                            [(name.replace("_", " "), name) for name in POINTS], value="left_wrist", label="Point"
                        )
                        marked = gr.Image(label="Click where it is", interactive=False, height=420, buttons=BUTTONS)
                        with gr.Row():
                            unseen = gr.Button("It cannot be seen")
                            swapped = gr.Checkbox(False, label="Left and right are swapped")
                        focal = gr.Slider(0.5, 2, 1, step=0.05, label="Lens: times the focal length that was taken")
                        mask = gr.Image(type="filepath", label="Your own mask, white on black", sources=["upload"])
                        again = gr.Button("Fit again", variant="primary")
            with gr.Tab("2  Look around"), gr.Row():
                with gr.Column(scale=2):
                    view = gr.Image(label="The avatar", interactive=False, height=540, buttons=BUTTONS)
                    share = gr.Markdown("Make an avatar first.")
                with gr.Column():
                    azimuth = gr.Slider(-180, 180, 30, step=5, label="Around, degrees")
                    elevation = gr.Slider(-60, 60, 0, step=5, label="From above, degrees")
                    zoom = gr.Slider(0.6, 4, 1, step=0.1, label="Zoom")
                    show = gr.Radio(["colours", "seen / invented"], value="colours", label="Show")
            with gr.Tab("3  Move"), gr.Row():
                with gr.Column():
                    motion = gr.Dropdown(list(builtin_motions()), value="walk", label="Motion")
                    file = gr.File(label="Or your own: BVH, AMASS, AIST++, SMPL, GLB, or a video", type="filepath")
                    seconds = gr.Slider(1, MOST_SECONDS, 4, step=0.5, label="Seconds of your own motion")
                    speed = gr.Slider(0.25, 3, 1, step=0.25, label="Speed")
                    with gr.Row():
                        loop = gr.Checkbox(False, label="Comes round")
                        in_place = gr.Checkbox(True, label="On the spot")
                    background = gr.Dropdown(list(BACKGROUNDS), value="white", label="Background")
                    size = gr.Dropdown([256, 384, 512, 768], value=512, label="Size, pixels")
                    camera = gr.Radio(["still", "turntable"], value="still", label="Camera")
                    with gr.Row():
                        film = gr.Button("Let it move", variant="primary", scale=2)
                        halt = gr.Button("Stop", variant="stop", scale=1)
                with gr.Column(scale=2):
                    video = gr.Video(label="Video", autoplay=True, loop=True, height=540)
                    files = gr.File(label="Files", file_count="multiple", interactive=False)
            with gr.Tab("4  3D and files"), gr.Row():
                with gr.Column(scale=2):
                    model = gr.Model3D(label="Rigged avatar, playing the motion of tab 3", height=540)
                with gr.Column():
                    make = gr.Button("Make the 3D file", variant="primary")
                    downloads = gr.File(label="GLB and avatar", file_count="multiple", interactive=False)
                    line = gr.Code("", language="shell", label="The same on the command line")
            with gr.Tab("About"):
                gr.Markdown(ABOUT.format(minutes=minutes))
        seen = [photo, person, visit]
        photo.change(lambda: 1, None, person, api_name=False, show_progress="hidden")
        results = [overlay, verdict, view, line, visit]
        clicked = photo.select(choose, [photo, visit, person], person, api_name=False, show_progress="hidden")
        fitted = again.click(refit, [swapped, focal, mask, visit], results, api_name=False)
        fitted.success(lambda: (False, 1.0), None, [swapped, focal], api_name=False, show_progress="hidden")
        for found, name in (
            (go.click(reconstruct, seen, results, api_name="reconstruct"), "build"),
            (clicked.success(reconstruct, seen, results, api_name=False), False),
            (fitted, False),
        ):
            drawn = found.success(points, [point, visit], marked, api_name=False, show_progress="hidden")
            drawn.success(build, visit, [view, share, visit], api_name=name)
        point.change(points, [point, visit], marked, api_name=False, show_progress="hidden")
        marked.select(place, [point, visit], marked, api_name=False, show_progress="hidden")
        unseen.click(hide, [point, visit], marked, api_name=False, show_progress="hidden")
        for control in (azimuth, elevation, zoom, show):
            control.change(
                look, [azimuth, elevation, zoom, show, visit], view, api_name="render" if control is azimuth else False,
                trigger_mode="always_last", show_progress="hidden",
            )  # fmt: skip
        choices = [motion, file, seconds, speed, loop, in_place, background, size, camera, visit]
        film.click(move, choices, [video, files, visit], api_name="animate")
        halt.click(stop, visit, None, queue=False, api_name=False)
        make.click(export, [motion, file, visit], [model, downloads, visit], api_name="export")
    return blocks


def _close(visit: Visit | None) -> None:
    if visit is not None:
        visit.close()
