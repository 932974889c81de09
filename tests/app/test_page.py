"""The web page: a session from photo to files, errors as messages, and a server that is closed to the network."""

import asyncio
import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pygltflib
import pytest
from PIL import Image

from sherf.app.avatar_results import Cancelled
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.options import AppOptions
from sherf.app.queueing import MAX_WAITING, limit_queue_slots
from sherf.app.serve import serve
from sherf.app.session import Session
from sherf.app.sessions import Sessions
from sherf.app.texts import command_lines, page_message
from sherf.app.thumbnails import FOLDER, SIDE, source_sha256, thumbnail
from sherf.app.viewer import VIEW_SIZE, View, write_turntable
from sherf.cli.main import main
from sherf.errors import BadInput
from sherf.export.rigged import RiggedMesh, build_rigged_mesh
from sherf.files.digest import file_sha256
from sherf.motion.options import MotionOptions
from sherf.motion.read import BUILTIN_FOLDER, builtin_motions
from sherf.photo.options import PhotoOptions
from sherf.render.options import RenderOptions

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
import fastapi  # noqa: E402
from gradio.queueing import EventQueue, Queue  # noqa: E402

from sherf.app.avatar_callbacks import look, restore  # noqa: E402
from sherf.app.page import page  # noqa: E402
from sherf.app.photo_callbacks import create  # noqa: E402

PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"
coarse_mesh = partial(build_rigged_mesh, triangles=3000, texture=128, spacing=0.012)


@pytest.fixture(scope="module")
def session() -> Session:
    """A session with the shipped example and a coarse mesh."""
    patch = pytest.MonkeyPatch()
    patch.setattr("sherf.app.avatar_results.build_rigged_mesh", coarse_mesh)
    session = Session()
    report = session.read(PHOTO)
    assert report["verdict"] == "good"
    session.coarse = [session.avatar.render(View(azimuth)) for azimuth in (30.0, 150.0)]
    session.avatar.build_mesh()
    yield session
    patch.undo()
    folder = session.folder
    session.close()
    assert not folder.exists()


def test_the_photo_is_encoded_once(session: Session) -> None:
    fitted, mesh = session.avatar.fitted, session.avatar.build_mesh()
    before = fitted.avatar_file.stat().st_mtime_ns
    session.read(PHOTO)
    assert fitted.avatar_file.stat().st_mtime_ns == before and session.avatar.build_mesh() is mesh
    assert Image.open(fitted.overlay).width > 500


def test_views_without_a_mesh_are_coarse(session: Session, tmp_path: Path) -> None:
    front, back = session.coarse
    assert front.shape == (VIEW_SIZE, VIEW_SIZE, 3) and np.abs(front.astype(float) - back).mean() > 1
    with Image.open(write_turntable(session.coarse, tmp_path / "turntable.webp")) as turntable:
        assert turntable.n_frames == 2
    assert session.avatar.render_again().shape == (VIEW_SIZE, VIEW_SIZE, 3)


def test_views_show_the_person_from_their_camera(session: Session) -> None:
    front, back, above = (session.avatar.render(View(*angles)) for angles in ((0.0, 0.0), (180.0, 0.0), (0.0, 50.0)))
    assert front.shape == (512, 512, 3) and front.dtype == np.uint8
    assert all((view < 250).any() for view in (front, back, above))
    assert np.abs(front.astype(float) - back).mean() > 1
    covered = [(view < 250).any(axis=2).any(axis=1).sum() for view in (front, above)]
    assert covered[1] < 0.9 * covered[0], "from above a standing person is shorter"
    near = session.avatar.render(View(0.0, 0.0, 2.0))
    assert (near < 250).any(axis=2).sum() > 1.5 * (front < 250).any(axis=2).sum()


def test_seen_parts_are_green_and_generated_ones_orange(session: Session) -> None:
    front, back = (
        session.avatar.render(View(azimuth, shows_visibility=True)).astype(float) for azimuth in (0.0, 180.0)
    )
    greener = [((view[..., 1] - view[..., 0]) * (view.min(axis=2) < 240)).sum() for view in (front, back)]
    assert greener[0] > 0 > greener[1]


def test_the_avatar_is_animated_and_exported(session: Session) -> None:
    avatar, options = session.avatar, RenderOptions(size=64, gif=True)
    earlier = avatar.make_video("bow", MotionOptions(end=0.1), options, "still")
    *videos, record = avatar.make_video("wave", MotionOptions(end=0.5), options, "turntable")
    assert not any(path.exists() for path in earlier), "only the latest video is kept"
    assert [video.suffix for video in videos] == [".mp4", ".gif"] and all(video.stat().st_size > 0 for video in videos)
    model, avatar_file, model_record = avatar.export("wave", MotionOptions())
    assert [clip.name for clip in pygltflib.GLTF2.load(str(model)).animations] == ["wave"]
    assert avatar_file == avatar.fitted.avatar_file
    assert all(json.loads(path.read_text())["model"] == "sherf-small" for path in (record, model_record))
    with pytest.raises(BadInput, match="at most"):
        avatar.make_video("wave", MotionOptions(speed=0.05), RenderOptions(size=64), "still")


def test_cancelling_interrupts_the_mesh(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled mesh leaves nothing behind, and is built when requested again."""
    avatar = session.avatar
    mesh, renderer, started = avatar.mesh, avatar.viewer.mesh_renderer, []

    def watched(*arguments: Any, watch: Callable[[], None]) -> RiggedMesh:
        def stop() -> None:
            started.append(True)
            avatar.cancel()
            watch()

        return coarse_mesh(*arguments, watch=stop)

    avatar.mesh = avatar.viewer.mesh_renderer = None
    with monkeypatch.context() as patch:
        patch.setattr("sherf.app.avatar_results.build_rigged_mesh", watched)
        with pytest.raises(Cancelled):
            avatar.make_video("wave", MotionOptions(), RenderOptions(size=64, fast=True), "still")
    assert len(started) == 1 and avatar.mesh is None
    with pytest.raises(Cancelled):
        avatar.build_mesh()  # until the user requests something again
    avatar.resume()
    assert len(avatar.build_mesh().vertices) == len(mesh.vertices)
    avatar.mesh, avatar.viewer.mesh_renderer = mesh, renderer


def test_a_click_selects_the_smallest_person_in_photos_of_any_size(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child stands before a parent; the photo was reduced to half before people were detected."""
    fitted = session.avatar.fitted
    with Image.open(fitted.photo) as photo:
        size = [photo.width // 2, photo.height // 2]
    monkeypatch.setattr(FittedPhoto, "fit", property(lambda fitted: {"size": size}))
    people = [{"box": [10, 10, 200, 290]}, {"box": [100, 150, 150, 290]}, {"box": [250, 10, 390, 290]}]
    monkeypatch.setitem(fitted.report, "people", people)
    clicks = ((100.0, 100.0), (250.0, 400.0), (600.0, 100.0), (480.0, 100.0))
    assert [fitted.person_at(*click) for click in clicks] == [1, 2, 3, None]


def test_no_user_can_fill_the_queue() -> None:
    """Each user has a limited number of queue slots; other users' requests are still accepted."""
    queue, accepted = Queue(False, 1, 0, MAX_WAITING, gr.Blocks()), []
    events = EventQueue("device", 1)
    queue.event_queue_per_concurrency_id["device"] = events

    async def push(body: None, request: Any, username: str | None) -> tuple:
        accepted.append(request.client.host)
        events.queue.append(SimpleNamespace(request=request, username=username))
        return True, "event", "success"

    queue.push = push
    limit_queue_slots(queue, limit=2)
    requests = [fastapi.Request({"type": "http", "client": (host, 1)}) for host in ("a", "a", "a", "b")]
    replies = [asyncio.run(queue.push(None, request, None)) for request in requests]
    assert [is_accepted for is_accepted, *_ in replies] == [True, True, False, True] and accepted == ["a", "a", "b"]
    assert replies[2][1].startswith("2 of your requests are already waiting.")


def test_a_reload_restores_all_results(session: Session) -> None:
    sessions = Sessions(minutes=1)
    sessions.start = lambda: None
    sessions._by_key[session.key] = session
    *nothing, opened, key = restore(sessions, "another user's key")
    assert (opened, key) == (None, "") and all(update == gr.skip() for update in nothing)
    session.avatar.write_turning()
    restored = restore(sessions, session.key)
    photo, person, overlay, *_, line, turned, view, visibility, _, _, _, _, again, key = restored
    assert turned["name"] == session.avatar.fitted.name and Path(turned["model"]["path"]).exists()
    assert Path(photo).read_bytes() == PHOTO.read_bytes() and Path(overlay).exists()
    assert view is session.avatar.viewer.last_image
    assert person == 1 and "sherf animate person_1.jpg" in line and "The photo shows" in visibility and again is session
    assert create(sessions, str(PHOTO), session)[-2:] == (session, session.key), "the session is kept"


def test_the_command_line_makes_the_same(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    received = {}
    monkeypatch.setattr(
        "sherf.api.render.animate_motion", lambda *arguments: received.update(arguments=arguments) or []
    )
    moving = MotionOptions(in_place=True, speed=1.5, end=3.0, loop=True)
    options = RenderOptions(size=256, background="#d7d9de", gif=True, fast=True)
    lines = command_lines(session.avatar.fitted.report, False, "my walk.bvh", moving, options, "turntable").splitlines()
    main(shlex.split(lines[0])[1:])
    source, motion, frames, path, _, photo, rendered, moved = received["arguments"]
    assert (source, motion, frames, path) == (Path("person_1.jpg"), "my walk.bvh", None, "turntable")
    assert (photo, rendered, moved) == (PhotoOptions(), options, moving)
    assert lines[1] == "sherf export person_1.jpg --motion 'my walk.bvh' --out me.glb"
    poor = session.avatar.fitted.report | {"verdict": "poor", "person": 2, "not_seen": {"feet": ""}}
    poor["options"] = poor["options"] | {"person": 2}
    assert "person_1.jpg --person 2 --allow-partial --force" in command_lines(
        poor, False, "walk", moving, options, "still"
    )
    assert "animate avatar.safetensors --motion" in command_lines(poor, True, "walk", moving, options, "still")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "the photo /tmp/gradio/ab12/wall.png is empty (0 bytes).\nUse another.",
            "The photo wall.png is empty (0 bytes). Use another.",
        ),
        ("3 people found; took the most prominent one (--person N takes another).", "3 people found; took the"),
        (
            "the fit is poor: it is off.\nPass --edit fit.json, or --force to go on.",
            "The fit is poor: it is off. Correct",
        ),
        ("nobody is there: show\nhead and shoulders, and pass --allow-partial to go on.", "Nobody is there: show"),
        ("--force is needed.", "not possible"),
        (
            "Where only legs are in the frame, nobody is recognised: show at least\n"
            "head and shoulders, and pass --allow-partial to have the rest invented.",
            "nobody is recognised: show at least head and shoulders.",
        ),
    ],
)
def test_no_message_on_the_page_is_about_the_command_line(message: str, shown: str) -> None:
    assert shown in page_message(message)
    assert "--" not in page_message(message) and "/tmp" not in page_message(message)


def test_every_built_in_motion_has_an_animated_thumbnail() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(builtin_motions())
    for name in builtin_motions():
        assert thumbnail(name).stat().st_size <= 60_000
        with Image.open(thumbnail(name)) as image:
            assert image.size == (SIDE, SIDE) and image.n_frames > 5
        assert source_sha256(name) == file_sha256(BUILTIN_FOLDER / f"{name}.npz"), "run python -m sherf.app.thumbnails"


def test_user_errors_are_messages_on_the_page() -> None:
    with pytest.raises(gr.Error, match="Upload a photo first"):
        create(Sessions(1), None, None)
    with pytest.raises(gr.Error, match="no avatar yet"):
        look(0.0, 0.0, 1.0, "colours", None)
    public = {fn.api_name for fn in page().fns.values() if fn.api_visibility == "public"}
    assert {"reconstruct", "build", "render", "animate", "export"} == public


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (AppOptions(host="0.0.0.0"), "--auth"),
        (AppOptions(port=0), "--port"),
        (AppOptions(minutes=0), "--minutes"),
    ],
)
def test_unsafe_and_impossible_options_are_refused(options: AppOptions, option: str) -> None:
    with pytest.raises(BadInput, match=option):
        serve(options)
