"""Sessions: who has one, how long it is kept, and what is deleted for newcomers."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sherf.app import session as session_module
from sherf.app import sessions as kept
from sherf.app.session import MAX_AVATARS, Session
from sherf.app.sessions import MAX_IN_MEMORY, RECENT_S, ServerFull, Sessions
from sherf.avatar.encoder import EncodedAvatar
from sherf.errors import BadInput, NoPerson
from sherf.render.backend import Backend

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")

from sherf.app.avatar_callbacks import delete, look, restore  # noqa: E402
from sherf.app.photo_callbacks import create  # noqa: E402


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Any) -> Path:
    """A file that stands for a photo: each session makes an avatar of it at once, of 1000 bytes."""

    def obtain_avatar(photo: Path, output: Any, *_: Any) -> tuple:
        if photo.read_text() == "wall":
            raise NoPerson("no person was found.")
        output.out.mkdir(parents=True, exist_ok=True)
        (output.out / "avatar.safetensors").write_bytes(bytes(1000))
        avatar = object.__new__(EncodedAvatar)
        vars(avatar).update(bank=None, report={"photo": photo.name, "out": str(output.out)})
        return avatar, body

    monkeypatch.setattr("sherf.app.session.obtain_avatar", obtain_avatar)
    monkeypatch.setattr("sherf.app.sessions.Sessions.start", lambda sessions: None)
    path = tmp_path / "me.png"
    path.write_text("me")
    return path


@pytest.fixture
def visit(photo: Path) -> Callable[..., Session]:
    """Return a function that uploads the photo to a page: in a new session, or in a given one."""

    def upload(sessions: Sessions, session: Session | None = None) -> Session:
        with sessions.use(session) as used:
            used.read(photo)
        return used

    return upload


def age(session: Session, seconds: float) -> None:
    session.usage.last_used = time.monotonic() - seconds


def test_opening_and_reloading_the_page_creates_no_session(photo: Path) -> None:
    sessions = Sessions(1)
    for key in ("", None, "a key of yesterday"):
        *_, session, shown_key = restore(sessions, key)
        assert session is None and shown_key == ""
    assert not sessions._by_key
    photo.write_text("wall")
    with pytest.raises(gr.Error, match="No person was found"):
        create(sessions, str(photo), None)
    assert not sessions._by_key, "a photo without a person is not kept either"


def test_keys_cannot_be_guessed_and_a_browser_keeps_its_session(visit: Callable[..., Session]) -> None:
    sessions = Sessions(1)
    first, second = visit(sessions), visit(sessions)
    assert first.key != second.key and first.folder != second.folder and len(first.key) >= 43
    assert sessions.find(first.key) is first and sessions.find("") is None and sessions.find(first.key[:-1]) is None
    assert visit(sessions, first) is first and len(sessions._by_key) == 2
    assert first.folder.stat().st_mode & 0o077 == 0, "other users of the machine cannot read it"


def test_idle_sessions_are_deleted_and_busy_ones_are_not(visit: Callable[..., Session]) -> None:
    sessions = Sessions(minutes=1)
    idle, busy = visit(sessions), visit(sessions)
    for session in (idle, busy):
        age(session, 61)
    with busy.usage.step():
        age(busy, 61)
        sessions.sweep()
        assert sessions.find(busy.key) is busy and busy.folder.exists()
    assert sessions.find(idle.key) is None and not idle.folder.exists()
    sessions.sweep()
    assert sessions.find(busy.key) is busy, "the end of a step counts as use"
    with pytest.raises(BadInput, match="has ended"), idle.usage.step():
        pass
    with pytest.raises(gr.Error, match="no avatar yet"):
        look(0.0, 0.0, 1.0, "colours", idle)
    assert visit(sessions, idle) is not idle


def test_newcomers_replace_the_longest_unused_session_and_none_that_is_in_use(
    visit: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_SESSIONS", 3)
    sessions = Sessions(60)
    busy, recent, idle = (visit(sessions) for _ in range(3))
    age(recent, RECENT_S - 10)
    age(idle, RECENT_S + 10)
    with busy.usage.step():
        age(busy, RECENT_S + 20)
        newcomer = visit(sessions)
        assert set(sessions._by_key) == {busy.key, recent.key, newcomer.key} and not idle.folder.exists()
        with pytest.raises(ServerFull, match=r"all 3 sessions of this page are in use\. Try again in a few minutes"):
            visit(sessions)
        assert visit(sessions, recent) is recent, "who has a session goes on"
    assert set(sessions._by_key) == {busy.key, recent.key, newcomer.key}


def test_room_is_made_for_newcomers_when_files_are_too_large(
    visit: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = Sessions(60)
    first, second = visit(sessions), visit(sessions)
    monkeypatch.setattr(kept, "MAX_BYTES", first.num_bytes + second.num_bytes)
    with pytest.raises(ServerFull):
        visit(sessions)
    age(first, RECENT_S + 10)
    third = visit(sessions)
    assert set(sessions._by_key) == {second.key, third.key}


def test_memory_is_kept_for_the_most_recently_used(visit: Callable[..., Session]) -> None:
    sessions = Sessions(60)
    made = [visit(sessions) for _ in range(MAX_IN_MEMORY + 2)]
    for seconds, session in enumerate(reversed(made)):
        session.avatar.mesh = object()
        age(session, seconds)
    with made[0].usage.step():
        sessions.sweep()
    assert [session.avatar.mesh is None for session in made] == [False, True] + [False] * MAX_IN_MEMORY, (
        "a step in progress may need its mesh"
    )


def test_a_session_keeps_the_files_of_its_latest_avatars_only(photo: Path) -> None:
    session = Session()
    for number in range(MAX_AVATARS + 3):
        photo.write_text(f"person {number}")
        session.read(photo)
        latest = session.avatar.fitted
    assert len(list(session.folder.iterdir())) == len(list(session.folder.rglob("avatar.safetensors"))) == MAX_AVATARS
    photo.write_text("wall")
    with pytest.raises(NoPerson):
        session.read(photo)
    assert len(list(session.folder.iterdir())) == MAX_AVATARS and latest.avatar_file.exists()
    assert session.close() and not session.folder.exists()


def test_a_user_can_delete_everything_at_once(visit: Callable[..., Session]) -> None:
    sessions = Sessions(60)
    session, other = visit(sessions), visit(sessions)
    for wrong in (None, "", session.key[:-1]):
        delete(sessions, wrong)
    assert session.folder.exists()
    delete(sessions, session.key)
    assert sessions.find(session.key) is None and not session.folder.exists() and other.folder.exists()
    with other.usage.step():
        delete(sessions, other.key)
        assert sessions.find(other.key) is None and other.avatar.is_cancelled
        assert other.folder.exists()
    assert not other.folder.exists(), "once the step in progress has ended"


def test_sessions_compute_on_the_device_of_the_page(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding as well as rendering and export."""
    gpu, encoded_on, obtain = object.__new__(Backend), [], session_module.obtain_avatar

    def noting(photo: Path, output: Any, options: Any, backend: Backend) -> tuple:
        encoded_on.append(backend)
        return obtain(photo, output, options, backend)

    monkeypatch.setattr("sherf.app.session.obtain_avatar", noting)
    sessions = Sessions(60, gpu)
    with sessions.use(None) as session:
        session.read(photo)
    avatar = session.avatar
    assert [*encoded_on, avatar.backend, avatar.viewer._backend] == [gpu] * 3
