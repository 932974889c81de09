"""The page: its sections, and which event calls which callback."""

from dataclasses import dataclass
from functools import partial
from typing import Literal, TypedDict

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from sherf.app import avatar_callbacks, photo_callbacks
from sherf.app.queueing import EXCLUSIVE
from sherf.app.sections import (
    AnimateSection,
    ExportSection,
    PhotoSection,
    ViewSection,
    animate_section,
    export_section,
    photo_section,
    view_section,
)
from sherf.app.sessions import Sessions
from sherf.app.texts import ABOUT, WELCOME
from sherf.render.backend import Backend

SAVE_KEY = "(key) => { if (key) localStorage.setItem('sherf-session', key) }"
"""JavaScript: the browser keeps its session's key; all its tabs show the same session."""
LOAD_KEY = """() => {
    const labelMotions = () => {
        document.querySelectorAll('#motions button.thumbnail-item').forEach((button) => {
            const name = button.querySelector('.caption-label')?.textContent.trim()
            if (name && button.ariaLabel !== name) button.ariaLabel = name
        })
    }
    new MutationObserver(labelMotions).observe(document.body, {childList: true, subtree: true})
    labelMotions()
    return localStorage.getItem('sherf-session') || ''
}"""
"""JavaScript: returns the browser's key; also labels motions by name for screen readers, where Gradio numbers them."""

DELETE_KEY = "() => { localStorage.removeItem('sherf-session'); location.reload() }"
"""JavaScript: forgets the session and shows the page as it was first."""


class Private(TypedDict):
    """Arguments of event listeners that programs cannot call."""

    api_visibility: Literal["private"]


class Quiet(Private):
    """Arguments of private event listeners that show no progress."""

    show_progress: Literal["hidden"]


PRIVATE: Private = {"api_visibility": "private"}
QUIET: Quiet = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class Page:
    """All components that events read or write."""

    session: gr.State
    key: gr.Textbox
    """Hidden: the session's key."""
    tabs: gr.Tabs
    delete: gr.Button
    """On the tab *About*."""
    photo: PhotoSection
    view: ViewSection
    animate: AnimateSection
    export: ExportSection

    @property
    def photo_results(self) -> list[Block]:
        """Outputs of `callbacks.photo_results`."""
        photo = self.photo
        shown = [photo.overlay, photo.comparison, photo.verdict, photo.to_view]
        return [*shown, photo.fit.accordion, self.export.command]


def page(minutes: int = 60, backend: Backend | None = None) -> gr.Blocks:
    """Return the whole page.

    Args:
        minutes: without use after which a session's files are deleted.
        backend: where avatars are encoded, rendered and exported; None chooses it.
    """
    sessions = Sessions(minutes, backend)
    with gr.Blocks(title="SHERF", analytics_enabled=False, delete_cache=(60, 60 * minutes)) as blocks:
        layout = _lay_out(minutes)
        _wire_navigation(layout)
        _wire_photo(layout, sessions)
        _wire_fit(layout, sessions)
        _wire_view(layout)
        _wire_animate(layout)
        _wire_export(layout)
        _wire_restore(layout, sessions, blocks)
    return blocks


def _lay_out(minutes: int) -> Page:
    session = gr.State(None, time_to_live=60 * minutes)
    key = gr.Textbox(visible="hidden", label="Key")
    delete = gr.Button("Delete my photos and results", variant="stop", render=False)
    gr.Markdown(WELCOME)
    with gr.Tabs() as tabs:
        layout = Page(session, key, tabs, delete, photo_section(), view_section(), animate_section(), export_section())
        with gr.Tab("About", id="about"):
            gr.Markdown(ABOUT.format(minutes=minutes))
            delete.render()
    return layout


def _wire_navigation(page: Page) -> None:
    buttons = ((page.photo.to_view, "view"), (page.view.to_animate, "animate"), (page.animate.to_export, "export"))
    for button, tab in buttons:
        button.click(partial(gr.Tabs, selected=tab), None, page.tabs, queue=False, **QUIET)


def _wire_photo(page: Page, sessions: Sessions) -> None:
    """Wire up every way to an avatar: button, upload, example, click on a person, and corrections."""
    photo, session = page.photo, page.session
    # registered first, so that work on the replaced photo is cancelled before the new one is read
    for event in (photo.create.click, photo.photo.upload, photo.examples.dataset.click):
        cleared = [photo.overlay, photo.comparison, photo.verdict, photo.to_view]
        event(photo_callbacks.reset, session, cleared, queue=False, **QUIET)
    photo.fit.apply.click(photo_callbacks.cancel, session, None, queue=False, **QUIET)
    _wire_api(page, sessions)
    _wire_creation(page, sessions)
    photo.photo.change(photo_callbacks.reset_person, [photo.photo, photo.person, session], photo.person, **QUIET)
    page.key.change(None, page.key, None, js=SAVE_KEY, **PRIVATE)


def _wire_api(page: Page, sessions: Sessions) -> None:
    """Wire up the endpoint /reconstruct: unlike the page, it returns a view at once."""
    gr.Button(visible=False).click(
        partial(photo_callbacks.reconstruct, sessions),
        [page.photo.photo, page.photo.person, page.session],
        [page.photo.overlay, page.photo.verdict, page.view.image, page.export.command, page.session],
        api_name="reconstruct",
        **EXCLUSIVE,
    )


def _wire_creation(page: Page, sessions: Sessions) -> None:
    photo = page.photo
    create = partial(photo_callbacks.create, sessions)
    inputs = [photo.photo, page.session, photo.person]
    outputs = [*page.photo_results, page.session, page.key]
    selected = photo.photo.select(photo_callbacks.select_person, inputs, photo.person, trigger_mode="multiple", **QUIET)
    _wire_build(page, photo.create.click(create, inputs, outputs, **EXCLUSIVE, **PRIVATE), api_name="build")
    for created in (
        photo.photo.upload(create, inputs[:2], outputs, trigger_mode="multiple", **EXCLUSIVE, **PRIVATE),
        photo.examples.load_input_event.success(create, inputs[:2], outputs, **EXCLUSIVE, **PRIVATE),
        selected.success(partial(photo_callbacks.create_selected, sessions), inputs, outputs, **EXCLUSIVE, **PRIVATE),
    ):
        _wire_build(page, created)


def _wire_build(page: Page, created: Dependency, api_name: str | None = None) -> None:
    """After an avatar was made: show a preview of it, then build its mesh."""
    view, mask = page.view, page.photo.fit.mask
    created.success(photo_callbacks.close_mask_editor, None, [mask.accordion, mask.editor], queue=False, **QUIET)
    turned = created.success(avatar_callbacks.turn, page.session, view.turn, **EXCLUSIVE, **QUIET)
    previewed = turned.success(
        avatar_callbacks.preview, page.session, [view.image, view.visibility], **EXCLUSIVE, **QUIET
    )
    built = previewed.success(
        avatar_callbacks.build,
        page.session,
        [view.image, view.visibility, page.session],
        api_name=api_name,
        api_visibility="public" if api_name else "private",
        show_progress_on=view.visibility,
        **EXCLUSIVE,
    )
    built.success(avatar_callbacks.turn, page.session, view.turn, **EXCLUSIVE, **QUIET)


def _wire_fit(page: Page, sessions: Sessions) -> None:
    fit, session = page.photo.fit, page.session
    mask = [fit.mask.accordion, fit.mask.editor]
    corrections = [fit.landmarks, fit.shown, fit.summary, fit.swapped, fit.focal, fit.height, fit.mask.upload]
    refitted = fit.apply.click(
        partial(photo_callbacks.refit, sessions),
        [fit.shown, fit.swapped, fit.focal, fit.height, fit.mask.upload, fit.mask.editor, session],
        [*page.photo_results, session, page.key],
        **EXCLUSIVE,
        **PRIVATE,
    )
    refitted.success(photo_callbacks.show_corrections, session, corrections, **QUIET)
    _wire_build(page, refitted)
    fit.accordion.expand(photo_callbacks.show_corrections, session, corrections, **QUIET)
    # the editor lays out its image only while visible, so it exists only while its accordion is open
    fit.mask.accordion.expand(photo_callbacks.open_mask_editor, session, fit.mask.editor, **QUIET)
    collapsed = [fit.mask.accordion.collapse, fit.accordion.collapse]
    gr.on(collapsed, photo_callbacks.close_mask_editor, None, mask, queue=False, **QUIET)
    fit.landmarks.input(photo_callbacks.move_landmark, session, fit.summary, trigger_mode="multiple", **QUIET)


def _wire_view(page: Page) -> None:
    view = page.view
    view.turn.input(avatar_callbacks.show_rest, page.session, view.turn, trigger_mode="always_last", **QUIET)
    controls = (view.azimuth, view.elevation, view.zoom, view.show)
    for control in controls:
        is_first = control is view.azimuth
        control.change(
            avatar_callbacks.look,
            [*controls, page.session],
            view.image,
            api_name="render" if is_first else None,
            api_visibility="public" if is_first else "private",
            trigger_mode="always_last",
            show_progress="hidden",
        )


def _wire_animate(page: Page) -> None:
    animate, motion, options = page.animate, page.animate.motion, page.animate.options
    motion.gallery.select(avatar_callbacks.select_motion, None, motion.name, **QUIET)
    gr.on(
        [motion.name.change, motion.file.change],
        avatar_callbacks.describe_motion,
        [motion.name, motion.file],
        [motion.selected, options.seconds],
        **QUIET,
    )
    choices: list[gr.Dropdown | gr.File | gr.Slider | gr.Checkbox | gr.Radio] = [
        motion.name,
        motion.file,
        options.seconds,
        options.speed,
        options.loop,
        options.in_place,
        options.background,
        options.size,
        options.camera,
    ]
    inputs = [*choices, page.session]
    changes = [choice.change for choice in choices]
    gr.on(changes, avatar_callbacks.update_command, inputs, page.export.command, **QUIET)
    started = animate.start.click(
        avatar_callbacks.animate,
        inputs,
        [animate.video, animate.downloads, page.session],
        api_name="animate",
        show_progress_on=animate.video,
        **EXCLUSIVE,
    )
    animate.cancel.click(avatar_callbacks.cancel_video, page.session, None, cancels=started, **QUIET)


def _wire_export(page: Page) -> None:
    motion, export = page.animate.motion, page.export
    export.start.click(
        avatar_callbacks.export,
        [motion.name, motion.file, page.session],
        [export.model, export.downloads, page.session],
        api_name="export",
        **EXCLUSIVE,
    )


def _wire_restore(page: Page, sessions: Sessions, blocks: gr.Blocks) -> None:
    """After a reload: show what the browser's session has, and resume what was in progress. Or delete all of it."""
    photo, view, animate, export = page.photo, page.view, page.animate, page.export
    outputs = [
        photo.photo,
        photo.person,
        *page.photo_results,
        view.turn,
        view.image,
        view.visibility,
        animate.video,
        animate.downloads,
        export.model,
        export.downloads,
        page.session,
        page.key,
    ]
    restored = blocks.load(partial(avatar_callbacks.restore, sessions), page.key, outputs, js=LOAD_KEY, **QUIET)
    deleted = page.delete.click(partial(avatar_callbacks.delete, sessions), page.key, None, queue=False, **QUIET)
    deleted.success(None, None, None, js=DELETE_KEY, **PRIVATE)
    resumed = restored.success(
        avatar_callbacks.resume,
        page.session,
        [view.image, view.visibility, page.session],
        show_progress_on=view.visibility,
        **EXCLUSIVE,
        **PRIVATE,
    )
    resumed.success(avatar_callbacks.turn_again, page.session, view.turn, **EXCLUSIVE, **QUIET)
