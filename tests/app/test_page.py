"""The web page: a session from photo to files, mistakes in words, and a server that keeps to itself."""

import asyncio
import json
import shlex
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pygltflib
import pytest
from PIL import Image

from sherf.app.options import AppOptions
from sherf.app.queueing import MOST_WAITING, share
from sherf.app.serve import serve
from sherf.app.session import VIEW_SIZE, Session, Stopped
from sherf.app.sessions import MOST_AWAKE, Sessions
from sherf.app.texts import command_lines, on_page
from sherf.app.thumbnails import FOLDER, SIDE, made_of, thumbnail
from sherf.cli.main import main
from sherf.errors import BadInput, NoPerson
from sherf.export.rigged import RiggedMesh, rigged_mesh
from sherf.files.digest import file_sha256
from sherf.motion.motion import BUILTIN_FOLDER, builtin_motions
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.render.options import RenderOptions

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
import fastapi  # noqa: E402
from gradio.queueing import EventQueue, Queue  # noqa: E402

PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"
coarse_mesh = partial(rigged_mesh, triangles=3000, texture=128, spacing=0.012)


@pytest.fixture(scope="module")
def session() -> Session:
    """A session with the shipped example, its mesh a coarse one."""
    patch = pytest.MonkeyPatch()
    patch.setattr("sherf.app.session.rigged_mesh", coarse_mesh)
    session = Session()
    report = session.read(PHOTO)
    assert report["verdict"] == "good"
    session.coarse = [session.view(azimuth, 0.0, 1.0) for azimuth in (30.0, 150.0)]
    session.build()
    yield session
    patch.undo()
    folder = session.folder
    session.close()
    assert not folder.exists()


def test_the_photo_is_encoded_once(session: Session) -> None:
    before = session.avatar_file.stat().st_mtime_ns
    mesh = session.build()
    session.read(PHOTO)
    assert session.avatar_file.stat().st_mtime_ns == before and session.build() is mesh
    assert Image.open(session.overlay).width > 500


def test_before_there_is_a_mesh_views_are_coarse(session: Session) -> None:
    front, back = session.coarse
    assert front.shape == (VIEW_SIZE, VIEW_SIZE, 3) and np.abs(front.astype(float) - back).mean() > 1
    with Image.open(session.turned(session.coarse)) as turning:
        assert turning.n_frames == 2
    assert session.view_again().shape == (VIEW_SIZE, VIEW_SIZE, 3)


def test_looking_around_shows_the_person_from_there(session: Session) -> None:
    front, back, above = session.view(0.0, 0.0, 1.0), session.view(180.0, 0.0, 1.0), session.view(0.0, 50.0, 1.0)
    assert front.shape == (512, 512, 3) and front.dtype == np.uint8
    assert all((picture < 250).any() for picture in (front, back, above))
    assert np.abs(front.astype(float) - back).mean() > 1
    covered = [(picture < 250).any(axis=2).any(axis=1).sum() for picture in (front, above)]
    assert covered[1] < 0.9 * covered[0], "from above a standing person is shorter"
    near = session.view(0.0, 0.0, 2.0)
    assert (near < 250).any(axis=2).sum() > 1.5 * (front < 250).any(axis=2).sum()


def test_seen_is_green_and_invented_orange(session: Session) -> None:
    front, back = (session.view(azimuth, 0.0, 1.0, colours=False).astype(float) for azimuth in (0.0, 180.0))
    greener = [((picture[..., 1] - picture[..., 0]) * (picture.min(axis=2) < 240)).sum() for picture in (front, back)]
    assert greener[0] > 0 > greener[1]


def test_it_moves_and_becomes_files(session: Session) -> None:
    *videos, origin = session.film("wave", MotionOptions(end=0.5), RenderOptions(size=64, gif=True), "turntable")
    assert [video.suffix for video in videos] == [".mp4", ".gif"] and all(video.stat().st_size > 0 for video in videos)
    model, avatar, same = session.model("wave", MotionOptions())
    assert [clip.name for clip in pygltflib.GLTF2.load(str(model)).animations] == ["wave"]
    assert avatar == session.avatar_file
    assert all(json.loads(path.read_text())["model"] == "sherf-small" for path in (origin, same))
    with pytest.raises(BadInput, match="plays"):
        session.film("wave", MotionOptions(speed=0.05), RenderOptions(size=64), "still")


def test_whoever_wants_no_more_of_it_need_not_wait_for_the_mesh(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while the mesh is made, nothing is left of it; asked for again, it is made."""
    mesh, renderer, began = session.mesh, session._renderer, []

    def watched(*arguments: Any, watch: Callable[[], None]) -> RiggedMesh:
        def stop() -> None:
            began.append(time.monotonic())
            session.stopping.set()
            watch()

        return coarse_mesh(*arguments, watch=stop)

    session.mesh = session._renderer = None
    with monkeypatch.context() as patch:
        patch.setattr("sherf.app.session.rigged_mesh", watched)
        with pytest.raises(Stopped):
            session.film("wave", MotionOptions(), RenderOptions(size=64, fast=True), "still")
    assert len(began) == 1 and session.mesh is None
    with pytest.raises(Stopped):
        session.build()  # until the visitor wants something again
    session.stopping.clear()
    assert len(session.build().vertices) == len(mesh.vertices)
    session.mesh, session._renderer = mesh, renderer


def test_a_click_finds_the_smallest_person_there_whatever_the_photos_size(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child stands before a parent; the photo was reduced to half before anybody was looked for."""
    with Image.open(session.photo) as photo:
        size = [photo.width // 2, photo.height // 2]
    monkeypatch.setattr(Session, "fit", property(lambda session: {"size": size}))
    people = [{"box": [10, 10, 200, 290]}, {"box": [100, 150, 150, 290]}, {"box": [250, 10, 390, 290]}]
    monkeypatch.setitem(session.avatar.report, "people", people)
    clicks = ((100.0, 100.0), (250.0, 400.0), (600.0, 100.0), (480.0, 100.0))
    assert [session.person_at(*click) for click in clicks] == [1, 2, 3, None]


def test_nobody_fills_the_queue_alone() -> None:
    """Of each visitor so many requests may wait; another one's still come in."""
    queue, asked_for = Queue(False, 1, 0, MOST_WAITING, gr.Blocks()), []
    held = EventQueue("device", 1)
    queue.event_queue_per_concurrency_id["device"] = held

    async def push(body: None, request: Any, username: str | None) -> tuple:
        asked_for.append(request.client.host)
        held.queue.append(SimpleNamespace(request=request, username=username))
        return True, "event", "success"

    queue.push = push
    share(queue, most=2)
    requests = [fastapi.Request({"type": "http", "client": (host, 1)}) for host in ("a", "a", "a", "b")]
    told = [asyncio.run(queue.push(None, request, None)) for request in requests]
    assert [taken for taken, *_ in told] == [True, True, False, True] and asked_for == ["a", "a", "b"]
    assert told[2][1] == "2 of your requests are waiting already. Let them end first."


def test_visits_do_not_mix(session: Session, tmp_path: Path) -> None:
    other = Session()
    assert other.folder != session.folder and other.avatar is None
    with pytest.raises(BadInput, match="no photo"):
        other.view(0.0, 0.0, 1.0)
    Image.new("RGB", (200, 300), "grey").save(tmp_path / "wall.png")
    with pytest.raises(NoPerson):
        other.read(tmp_path / "wall.png")
    other.close()


def test_a_key_leads_to_its_visit_until_nobody_used_it_for_a_while() -> None:
    sessions = Sessions(minutes=1)
    made = [sessions.new() for _ in range(MOST_AWAKE + 1)]
    first = made[0]
    assert len({session.key for session in made}) == len(made) and all(len(session.key) >= 43 for session in made)
    assert sessions.find(first.key) is first and sessions.find("") is None and sessions.find(first.key[:-1]) is None
    first.mesh = made[1].mesh = object()
    first.used = time.monotonic() - 30
    sessions.sweep()
    assert first.folder.exists() and first.mesh is None and made[1].mesh is not None, "memory is for the latest"
    first.used = time.monotonic() - 61
    with first._making:
        sessions.sweep()
    assert first.folder.exists(), "somebody waits for its mesh"
    sessions.sweep()
    assert sessions.find(first.key) is None and not first.folder.exists() and made[1].folder.exists()
    for session in made:
        session.close()


def test_a_refresh_brings_back_what_was_made(session: Session) -> None:
    from sherf.app.callbacks import come_back, find

    sessions = Sessions(minutes=1)
    sessions.new = lambda: session
    *_, opened, key = come_back(sessions, "somebody else's")
    assert (opened, key) == (session, session.key)
    sessions.find = {session.key: session}.get
    photo, person, overlay, *_, line, view, share, _, _, _, _, again, key = come_back(sessions, session.key)
    assert Path(photo).read_bytes() == PHOTO.read_bytes() and Path(overlay).exists() and view is session.shown
    assert person == 1 and "sherf animate person_1.jpg" in line and "photo saw" in share and again is session
    assert find(sessions, str(PHOTO), session)[-2:] == (session, session.key), "the same session goes on"


def test_the_command_line_says_the_same(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = {}
    monkeypatch.setattr("sherf.api.render.animate_motion", lambda *said: heard.update(said=said) or [])
    moving = MotionOptions(in_place=True, speed=1.5, end=3.0, loop=True)
    options = RenderOptions(size=256, background="#d7d9de", gif=True, fast=True)
    lines = command_lines(session.avatar.report, False, "my walk.bvh", moving, options, "turntable").splitlines()
    main(shlex.split(lines[0])[1:])
    source, motion, frames, path, _, photo, rendered, moved = heard["said"]
    assert (source, motion, frames, path) == (Path("person_1.jpg"), "my walk.bvh", None, "turntable")
    assert (photo, rendered, moved) == (PhotoOptions(), options, moving)
    assert lines[1] == "sherf export person_1.jpg --motion 'my walk.bvh' --out me.glb"
    poor = session.avatar.report | {"verdict": "poor", "person": 2, "not_seen": {"feet": ""}}
    poor["options"] = poor["options"] | {"person": 2}
    assert "person_1.jpg --person 2 --allow-partial --force" in command_lines(
        poor, False, "walk", moving, options, "still"
    )
    assert "animate avatar.safetensors --motion" in command_lines(poor, True, "walk", moving, options, "still")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "the photo /tmp/gradio/ab12/wall.png is empty (0 bytes).\nUse another.",
            "the photo wall.png is empty (0 bytes). Use another.",
        ),
        ("3 people found; took the most prominent one (--person N takes another).", "3 people found; took the"),
        ("the fit is poor: it is off.\nPass --edit fit.json, or --force to go on.", "the fit is poor: it is off. Put"),
        ("nobody is there: show\nhead and shoulders, and pass --allow-partial to go on.", "nobody is there: show"),
        ("--force is needed.", "not possible"),
        (
            "Where only legs are in the frame, nobody is recognised: show at least\n"
            "head and shoulders, and pass --allow-partial to have the rest invented.",
            "nobody is recognised: show at least head and shoulders.",
        ),
    ],
)
def test_no_message_on_the_page_is_about_command_lines(said: str, told: str) -> None:
    assert told in on_page(said)
    assert "--" not in on_page(said) and "/tmp" not in on_page(said)


def test_every_built_in_motion_has_a_small_moving_picture() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(builtin_motions())
    for name in builtin_motions():
        assert thumbnail(name).stat().st_size <= 60_000
        with Image.open(thumbnail(name)) as picture:
            assert picture.size == (SIDE, SIDE) and picture.n_frames > 5
        assert made_of(name) == file_sha256(BUILTIN_FOLDER / f"{name}.npz"), "python -m sherf.app.thumbnails mends it"


def test_mistakes_are_sentences_on_the_page() -> None:
    from sherf.app.callbacks import find, look
    from sherf.app.page import page

    with pytest.raises(gr.Error, match="Drop a photo first"):
        find(Sessions(1), None, None)
    with pytest.raises(gr.Error, match="no person yet"):
        look(0.0, 0.0, 1.0, "colours", None)
    labels = {block.api_name for block in page().fns.values()}
    assert {"reconstruct", "build", "render", "animate", "export"} <= labels


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (AppOptions(host="0.0.0.0"), "--auth"),
        (AppOptions(host="0.0.0.0", auth="me"), "NAME:PASSWORD"),
        (AppOptions(port=0), "--port"),
        (AppOptions(minutes=0), "--minutes"),
    ],
)
def test_it_does_not_open_itself_to_others(options: AppOptions, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        serve(options)
