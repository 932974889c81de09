"""The sections of the page: components in their layout. What they do is wired up in `page.py`."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import gradio as gr
from gradio.helpers import Examples

from sherf.app.avatar_callbacks import BACKGROUNDS, describe_motion
from sherf.app.masks import CANVAS_SIDE, TINT
from sherf.app.sessions import EXAMPLES
from sherf.app.texts import FIX_HELP, MASK_HELP, MOTION_HELP, NO_CORRECTIONS, NO_OVERLAY
from sherf.app.thumbnails import thumbnail
from sherf.app.videos import MAX_SECONDS
from sherf.motion.read import builtin_motions

EXAMPLE_PHOTOS = ("person_1.jpg", "person_2.jpg", "darknet_person.jpg")
IMAGE_BUTTONS: list[Literal["download", "share", "fullscreen"] | gr.Button] = ["download", "fullscreen"]
FIRST_MOTION = "walk"


@dataclass(frozen=True)
class MaskEditor:
    """The accordion *Edit the mask*."""

    accordion: gr.Accordion
    editor: gr.ImageEditor
    upload: gr.Image


@dataclass(frozen=True)
class FitSection:
    """The accordion *Fix the fit*."""

    accordion: gr.Accordion
    landmarks: gr.HTML
    shown: gr.Textbox
    """Hidden: the name of the fit that is corrected."""
    summary: gr.Markdown
    swapped: gr.Checkbox
    focal: gr.Slider
    height: gr.Slider
    mask: MaskEditor
    apply: gr.Button


@dataclass(frozen=True)
class PhotoSection:
    """The tab *Photo*."""

    photo: gr.Image
    examples: Examples
    person: gr.Number
    create: gr.Button
    overlay: gr.Image
    comparison: gr.ImageSlider
    verdict: gr.Markdown
    to_view: gr.Button
    fit: FitSection


@dataclass(frozen=True)
class ViewSection:
    """The tab *Look around*."""

    turn: gr.HTML
    """The avatar, turned by dragging."""
    image: gr.Image
    """One view of it, chosen by the sliders."""
    visibility: gr.Markdown
    azimuth: gr.Slider
    elevation: gr.Slider
    zoom: gr.Slider
    show: gr.Radio
    to_animate: gr.Button


@dataclass(frozen=True)
class MotionControls:
    """Choice of a motion."""

    gallery: gr.Gallery
    name: gr.Dropdown
    """Hidden: the built-in motion that was clicked in the gallery."""
    file: gr.File
    selected: gr.Markdown


@dataclass(frozen=True)
class VideoControls:
    """Options of a video."""

    seconds: gr.Slider
    speed: gr.Slider
    loop: gr.Checkbox
    in_place: gr.Checkbox
    background: gr.Dropdown
    size: gr.Dropdown
    camera: gr.Radio


@dataclass(frozen=True)
class AnimateSection:
    """The tab *Animate*."""

    motion: MotionControls
    start: gr.Button
    cancel: gr.Button
    options: VideoControls
    video: gr.Video
    downloads: gr.File
    to_export: gr.Button


@dataclass(frozen=True)
class ExportSection:
    """The tab *Export*."""

    model: gr.Model3D
    start: gr.Button
    downloads: gr.File
    command: gr.Code


def photo_section() -> PhotoSection:
    """Lay out the tab *Photo*."""
    with gr.Tab("1  Photo", id="photo"), gr.Row():
        with gr.Column():
            photo = gr.Image(
                type="filepath", label="Photo", sources=["upload", "webcam"], height=420, alt_text="Your photo"
            )
            examples = gr.Examples([[str(EXAMPLES / name)] for name in EXAMPLE_PHOTOS], photo, label="Examples")
            with gr.Row():
                person = gr.Number(1, label="Person number", precision=0, minimum=1, scale=1)
                create = gr.Button("Create avatar", variant="primary", scale=2)
        with gr.Column():
            overlay = _image("Detected body", "Photo with mask, skeleton and fitted body overlaid", 420)
            verdict = gr.Markdown(NO_OVERLAY, elem_id="verdict")
            comparison = gr.ImageSlider(
                label="Photo and avatar", type="filepath", interactive=False, height=420, visible=False,
                elem_id="comparison", buttons=["fullscreen"],
            )  # fmt: skip
            to_view = gr.Button("Look around  →", variant="primary", visible=False)
            fit = _fit_section()
    return PhotoSection(photo, examples, person, create, overlay, comparison, verdict, to_view, fit)


def _fit_section() -> FitSection:
    with gr.Accordion("Fix the fit", open=False) as accordion:
        gr.Markdown(FIX_HELP)
        landmarks = _custom("Landmarks", "landmarks")
        shown = gr.Textbox(visible="hidden", label="Fit")
        summary = gr.Markdown(NO_CORRECTIONS)
        swapped = gr.Checkbox(False, label="Swap left and right")
        focal = gr.Slider(0.5, 2, 1, step=0.05, label="Focal length multiplier")
        height = gr.Slider(
            120,
            220,
            170,
            step=1,
            label="Height (cm)",
            info="A single photo leaves height and distance ambiguous: enter the height if you know it.",
        )
        mask = _mask_editor()
        apply = gr.Button("Apply corrections", variant="primary")
    return FitSection(accordion, landmarks, shown, summary, swapped, focal, height, mask, apply)


def _mask_editor() -> MaskEditor:
    with gr.Accordion("Edit the mask", open=False) as accordion:
        gr.Markdown(MASK_HELP)
        editor = gr.ImageEditor(
            label="Mask",
            sources=[],
            transforms=[],
            layers=False,
            height=460,
            buttons=[],
            canvas_size=(CANVAS_SIDE, CANVAS_SIDE),
            format="png",
            visible=False,
            brush=gr.Brush(28, [f"rgb{TINT}"], color_mode="fixed"),
            eraser=gr.Eraser(28),
        )
        upload = gr.Image(
            type="filepath",
            label="Upload a mask (white on black)",
            sources=["upload"],
            height=200,
            alt_text="Uploaded mask",
        )
    return MaskEditor(accordion, editor, upload)


def view_section() -> ViewSection:
    """Lay out the tab *Look around*."""
    with gr.Tab("2  Look around", id="view"), gr.Row():
        with gr.Column(scale=2):
            turn = _custom("Avatar", "turn")
            visibility = gr.Markdown("Create an avatar first.", elem_id="visibility")
            to_animate = gr.Button("Animate  →", variant="primary")
        with gr.Column():
            image = _image("Avatar", "Avatar as seen from the selected camera", 380)
            azimuth = gr.Slider(-180, 180, 30, step=5, label="Azimuth (°)")
            elevation = gr.Slider(-60, 60, 0, step=5, label="Elevation (°)")
            zoom = gr.Slider(0.6, 4, 1, step=0.1, label="Zoom")
            show = gr.Radio(
                [("Colour", "colours"), ("Visibility", "seen / invented")],
                value="colours",
                label="Show",
                info="Visibility: green was seen in the photo, orange is generated.",
            )
    return ViewSection(turn, image, visibility, azimuth, elevation, zoom, show, to_animate)


def animate_section() -> AnimateSection:
    """Lay out the tab *Animate*."""
    with gr.Tab("3  Animate", id="animate"), gr.Row():
        with gr.Column():
            motion = _motion_controls()
            start = gr.Button("Animate", variant="primary")
            cancel = gr.Button("Cancel", variant="stop")
            options = _video_controls()
        with gr.Column(scale=2):
            video = gr.Video(label="Video", autoplay=True, loop=True, height=540, buttons=["download"])
            downloads = gr.File(label="Downloads: video, GIF, provenance", file_count="multiple", interactive=False)
            to_export = gr.Button("Export  →")
    return AnimateSection(motion, start, cancel, options, video, downloads, to_export)


def _motion_controls() -> MotionControls:
    gr.Markdown(MOTION_HELP)
    names = builtin_motions()
    gallery = gr.Gallery(
        [(str(thumbnail(name)), name) for name in names],
        label="Motion",
        show_label=False,
        columns=3,
        allow_preview=False,
        selected_index=names.index(FIRST_MOTION),
        interactive=False,
        buttons=[],
        object_fit="contain",
        elem_id="motions",
    )
    name = gr.Dropdown(list(names), value=FIRST_MOTION, label="Motion", visible=False)
    file = gr.File(label="Upload a motion", type="filepath", height=170)
    selected = gr.Markdown(describe_motion(FIRST_MOTION, None)[0])
    return MotionControls(gallery, name, file, selected)


def _video_controls() -> VideoControls:
    seconds = gr.Slider(1, MAX_SECONDS, 4, step=0.5, label="Duration of the uploaded motion (s)", visible=False)
    speed = gr.Slider(0.25, 3, 1, step=0.25, label="Speed")
    with gr.Row():
        loop = gr.Checkbox(False, label="Loop")
        in_place = gr.Checkbox(True, label="In place")
    background = gr.Dropdown([(name.capitalize(), name) for name in BACKGROUNDS], value="white", label="Background")
    size = gr.Dropdown([256, 384, 512, 768], value=512, label="Resolution (px)")
    camera = gr.Radio([("Still", "still"), ("Turntable", "turntable")], value="still", label="Camera")
    return VideoControls(seconds, speed, loop, in_place, background, size, camera)


def export_section() -> ExportSection:
    """Lay out the tab *Export*."""
    with gr.Tab("4  Export", id="export"), gr.Row():
        with gr.Column(scale=2):
            model = gr.Model3D(label="Rigged avatar", height=540)
        with gr.Column():
            start = gr.Button("Export GLB", variant="primary")
            downloads = gr.File(label="Downloads: GLB, avatar, provenance", file_count="multiple", interactive=False)
            command = gr.Code("", language=None, label="Equivalent commands", wrap_lines=True)
    return ExportSection(model, start, downloads, command)


def _custom(label: str, name: str) -> gr.HTML:
    """Return a component of the page's own: name.js and name.css."""
    return gr.HTML(
        label=label,
        html_template="",
        apply_default_css=False,
        elem_id=name,
        css_template=_read(f"{name}.css"),
        js_on_load=_read(f"{name}.js"),
    )


def _read(name: str) -> str:
    return (files("sherf.app") / name).read_text(encoding="utf-8")


def _image(label: str, alt_text: str, height: int) -> gr.Image:
    return gr.Image(label=label, alt_text=alt_text, interactive=False, height=height, buttons=IMAGE_BUTTONS)
