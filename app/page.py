"""The page: a photo in, a moving person out. Its layout, and what calls what; the callbacks are in steps.py."""

from functools import partial
from importlib.resources import files
from typing import Any

import gradio as gr

from sherf.app import callbacks as steps
from sherf.app.masks import SIDE, TINT
from sherf.app.queueing import HEAVY
from sherf.app.sessions import EXAMPLES, Sessions
from sherf.app.texts import ABOUT, AS_FOUND, DRAWN, FIX, MASK, MOTION, WELCOME
from sherf.app.thumbnails import thumbnail
from sherf.app.videos import MOST_SECONDS
from sherf.motion.motion import builtin_motions

PHOTOS = ("person_1.jpg", "person_2.jpg", "darknet_person.jpg")
BUTTONS = ["download", "fullscreen"]
CSS = """
.gradio-container {width: 100% !important; max-width: 1180px !important; margin: auto}
.gradio-container main, .gradio-container .tabs {width: 100%; min-width: 100%}
.dark {--color-accent: var(--primary-400)}
.toast-close {opacity: 1 !important}
footer {display: none !important}
#verdict {min-height: 3.2em}
#share .pending {opacity: 1 !important}
#motions .grid-wrap {height: auto; min-height: 0; max-height: none; padding: 0}
#motions .caption-label {font-size: 12px}
#points .html-container {padding: 0}
[data-testid="status-tracker"]:has(.error) {display: none}
"""
REMEMBER = "(key) => { if (key) sessionStorage.setItem('sherf-session', key) }"
RECALL = """() => {
    const named = () => {
        document.querySelectorAll('#motions button.thumbnail-item').forEach((button) => {
            const name = button.querySelector('.caption-label')?.textContent.trim()
            if (name && button.ariaLabel !== name) button.ariaLabel = name
        })
    }
    new MutationObserver(named).observe(document.body, {childList: true, subtree: true})
    named()
    return sessionStorage.getItem('sherf-session') || ''
}"""
"""The key of a tab's session lives as long as the tab; motions are called by their names, not by their numbers."""
QUIET: dict[str, Any] = {"api_name": False, "show_progress": "hidden"}


def theme() -> gr.Theme:
    """Quiet, with one accent. Texts stand out from what is behind them by 4.5 to 1 or more; Soft's own do not."""
    accent, subdued = "*primary_700", "*neutral_600"
    soft = gr.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    )
    return soft.set(
        background_fill_primary="*neutral_50",  # Soft's own: set() forgets this one
        color_accent=accent,
        block_label_text_color=accent,
        block_title_text_color=accent,
        block_label_background_fill_dark=accent,
        button_primary_background_fill=accent,
        button_primary_background_fill_dark=accent,
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_secondary_background_fill_hover_dark=accent,
        checkbox_border_color="*neutral_500",
        checkbox_label_background_fill_selected=accent,
        checkbox_label_background_fill_selected_dark=accent,
        body_text_color_subdued=subdued,
        block_info_text_color=subdued,
        link_text_color_dark="*secondary_300",
    )


def page(minutes: int = 60) -> gr.Blocks:
    """The whole page.

    Args:
        minutes: without use after which a session's files are deleted.
    """
    sessions = Sessions(minutes)
    with gr.Blocks(title="SHERF", analytics_enabled=False, delete_cache=(60, 60 * minutes)) as blocks:
        session = gr.State(None, time_to_live=60 * minutes)
        key = gr.Textbox(visible="hidden", label="Key")
        gr.Markdown(WELCOME)
        with gr.Tabs() as tabs:
            with gr.Tab("1  Photo", id="photo"), gr.Row():
                with gr.Column():
                    photo = gr.Image(
                        type="filepath", label="Photo", sources=["upload", "webcam"], height=420, alt_text="Your photo"
                    )
                    examples = gr.Examples([[str(EXAMPLES / name)] for name in PHOTOS], photo, label="Examples")
                    with gr.Row():
                        person = gr.Number(1, label="Which person", precision=0, minimum=1, scale=1)
                        go = gr.Button("Make the avatar", variant="primary", scale=2)
                with gr.Column():
                    overlay = _picture(
                        "What was found", "The photo with mask, skeleton and fitted body drawn on it", 420
                    )
                    told = gr.Markdown(DRAWN, elem_id="verdict")
                    to_look = gr.Button("Look around  →", variant="primary", visible=False)
                    with gr.Accordion("Fix the fit", open=False) as fixing:
                        gr.Markdown(FIX)
                        points = gr.HTML(
                            label="Points", html_template="", apply_default_css=False, elem_id="points",
                            css_template=_beside("landmarks.css"), js_on_load=_beside("landmarks.js"),
                        )  # fmt: skip
                        corrected = gr.Markdown(AS_FOUND)
                        swapped = gr.Checkbox(False, label="Left and right are swapped")
                        focal = gr.Slider(0.5, 2, 1, step=0.05, label="Lens: times the focal length that was taken")
                        height = gr.Slider(
                            120, 220, 170, step=1, label="Height, cm",
                            info="A photo cannot tell tall and far from short and near: say it if you know.",
                        )  # fmt: skip
                        with gr.Accordion("Paint the mask", open=False) as painting:
                            gr.Markdown(MASK)
                            painted = gr.ImageEditor(
                                label="Mask", sources=[], transforms=[], layers=False, height=460, buttons=[],
                                canvas_size=(SIDE, SIDE), format="png", visible=False,
                                brush=gr.Brush(28, [f"rgb{TINT}"], color_mode="fixed"), eraser=gr.Eraser(28),
                            )  # fmt: skip
                            mask = gr.Image(
                                type="filepath", label="Your own mask, white on black", sources=["upload"],
                                height=200, alt_text="Your own mask",
                            )  # fmt: skip
                        again = gr.Button("Fit again", variant="primary")
            with gr.Tab("2  Look around", id="look"), gr.Row():
                with gr.Column(scale=2):
                    view = _picture("The avatar", "The avatar from where the sliders stand", 540)
                    share = gr.Markdown("Make an avatar first.", elem_id="share")
                with gr.Column():
                    azimuth = gr.Slider(-180, 180, 30, step=5, label="Around, degrees")
                    elevation = gr.Slider(-60, 60, 0, step=5, label="From above, degrees")
                    zoom = gr.Slider(0.6, 4, 1, step=0.1, label="Zoom")
                    show = gr.Radio(["colours", "seen / invented"], value="colours", label="Show")
                    to_move = gr.Button("Let it move  →", variant="primary")
            with gr.Tab("3  Move", id="move"), gr.Row():
                with gr.Column():
                    gr.Markdown(MOTION)
                    names = builtin_motions()
                    motions = gr.Gallery(
                        [(str(thumbnail(name)), name) for name in names], label="Motion", show_label=False, columns=3,
                        allow_preview=False, selected_index=names.index("walk"), interactive=False, buttons=[],
                        object_fit="contain", elem_id="motions",
                    )  # fmt: skip
                    motion = gr.Dropdown(list(names), value="walk", label="Motion", visible=False)
                    file = gr.File(label="Or your own motion", type="filepath", height=170)
                    which = gr.Markdown(steps.told_motion("walk", None)[0])
                    film = gr.Button("Let it move", variant="primary")
                    halt = gr.Button("Stop", variant="stop")
                    seconds = gr.Slider(1, MOST_SECONDS, 4, step=0.5, label="Seconds of your own motion", visible=False)
                    speed = gr.Slider(0.25, 3, 1, step=0.25, label="Speed")
                    with gr.Row():
                        loop = gr.Checkbox(False, label="Comes round")
                        in_place = gr.Checkbox(True, label="On the spot")
                    background = gr.Dropdown(list(steps.BACKGROUNDS), value="white", label="Background")
                    size = gr.Dropdown([256, 384, 512, 768], value=512, label="Size, pixels")
                    camera = gr.Radio(["still", "turntable"], value="still", label="Camera")
                with gr.Column(scale=2):
                    video = gr.Video(label="Video", autoplay=True, loop=True, height=540, buttons=["download"])
                    films = gr.File(label="Files: video, GIF, provenance", file_count="multiple", interactive=False)
                    to_files = gr.Button("3D and files  →")
            with gr.Tab("4  3D and files", id="files"), gr.Row():
                with gr.Column(scale=2):
                    model = gr.Model3D(label="The rigged avatar, moving", height=540)
                with gr.Column():
                    make = gr.Button("Make the 3D file", variant="primary")
                    downloads = gr.File(
                        label="Files: GLB, avatar, provenance", file_count="multiple", interactive=False
                    )
                    line = gr.Code("", language=None, label="The same on the command line", wrap_lines=True)
            with gr.Tab("About", id="about"):
                gr.Markdown(ABOUT.format(minutes=minutes))

        for button, where in ((to_look, "look"), (to_move, "move"), (to_files, "files")):
            button.click(partial(gr.Tabs, selected=where), None, tabs, queue=False, **QUIET)
        found = [overlay, told, to_look, fixing, line]
        read, once = partial(steps.find, sessions), HEAVY | {"api_name": False}
        # first of all that a click does, and done when the rest begins: nobody waits for what has just been replaced
        for event in (go.click, photo.upload, examples.dataset.click):
            event(steps.begin, session, [overlay, told, to_look], queue=False, **QUIET)
        again.click(steps.stop, session, None, queue=False, **QUIET)
        corrections = session, [points, corrected, swapped, focal, height, mask]
        clicked = photo.select(steps.choose, [photo, session, person], person, trigger_mode="multiple", **QUIET)
        # the API's: the same at once, with a view instead of what is next
        gr.Button(visible=False).click(
            partial(steps.reconstruct, sessions), [photo, person, session], [overlay, told, view, line, session],
            api_name="reconstruct", **HEAVY,
        )  # fmt: skip
        results = [*found, session, key]
        refitted = again.click(steps.refit, [swapped, focal, height, mask, painted, session], results, **once)
        refitted.success(steps.to_fix, *corrections, **QUIET)
        for begun, name in (
            (go.click(read, [photo, session, person], results, **once), "build"),
            (photo.upload(read, [photo, session], results, trigger_mode="multiple", **once), False),
            (examples.load_input_event.success(read, [photo, session], results, **once), False),
            (clicked.success(partial(steps.find_chosen, sessions), [photo, session, person], results, **once), False),
            (refitted, False),
        ):
            begun.success(steps.fold, None, [painting, painted], queue=False, **QUIET)
            turned = begun.success(steps.turn, session, [view, share], **HEAVY, **QUIET)
            turned.success(steps.build, session, [view, share, session], api_name=name, show_progress_on=share, **HEAVY)
        photo.change(steps.number_of, [photo, person, session], person, **QUIET)
        key.change(None, key, None, js=REMEMBER, api_name=False)
        fixing.expand(steps.to_fix, *corrections, **QUIET)
        # an editor lays a picture out only while it is seen: it is there only while somebody paints
        painting.expand(steps.to_paint, session, painted, **QUIET)
        gr.on([painting.collapse, fixing.collapse], steps.fold, None, [painting, painted], queue=False, **QUIET)
        points.input(steps.place, session, corrected, trigger_mode="multiple", **QUIET)
        for control in (azimuth, elevation, zoom, show):
            control.change(
                steps.look,
                [azimuth, elevation, zoom, show, session],
                view,
                api_name="render" if control is azimuth else False,
                trigger_mode="always_last",
                show_progress="hidden",
            )
        motions.select(steps.pick, None, motion, **QUIET)
        gr.on([motion.change, file.change], steps.told_motion, [motion, file], [which, seconds], **QUIET)
        choices = [motion, file, seconds, speed, loop, in_place, background, size, camera, session]
        gr.on([choice.change for choice in choices[:-1]], steps.line, choices, line, **QUIET)
        filming = film.click(
            steps.move, choices, [video, films, session], api_name="animate", show_progress_on=video, **HEAVY
        )
        halt.click(steps.halt, session, None, cancels=filming, **QUIET)
        make.click(steps.export, [motion, file, session], [model, downloads, session], api_name="export", **HEAVY)
        everything = [photo, person, *found, view, share, video, films, model, downloads, session, key]
        back = blocks.load(partial(steps.come_back, sessions), key, everything, js=RECALL, **QUIET)
        back.success(steps.go_on, session, [view, share, session], show_progress_on=share, **once)
    return blocks


def _beside(name: str) -> str:
    """What a file of this package says."""
    return (files("sherf.app") / name).read_text(encoding="utf-8")


def _picture(label: str, alt_text: str, height: int) -> gr.Image:
    return gr.Image(label=label, alt_text=alt_text, interactive=False, height=height, buttons=BUTTONS)
