"""All sessions of a server, found by their keys, until they expire."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path

from sherf.api.encoders import load_encoder
from sherf.app.session import Session
from sherf.body.files import load_body_model
from sherf.errors import SherfError
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.fit import FitOptions, fit_body
from sherf.photo.photo_reader import read_photo
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend
from sherf.render.quick_open3d import quick_open3d

EXAMPLES = Path(str(files("sherf.examples")))
MAX_SESSIONS = 64
"""Sessions that are kept."""
MAX_BYTES = 8 * 2**30
"""Size of all sessions' files from which surplus sessions are deleted."""
MAX_IN_MEMORY = 4
"""Sessions whose meshes and renderers are kept in memory."""
RECENT_S = 300.0
"""Sessions that were used within this time are in use: newcomers do not displace them."""
SWEEP_INTERVAL_S = 20.0


class ServerFull(SherfError):
    """All sessions are in use."""


class Sessions:
    """Creates, finds and deletes sessions. A session can be found by its key alone.

    Sessions exist from their first photo on, so that opening the page costs nothing. They are deleted after some time
    without use, or for newcomers if there are too many or their files are too large: the least recently used first,
    and none that is in use.
    """

    def __init__(self, minutes: int, backend: Backend | None = None) -> None:
        """Start without sessions.

        Args:
            minutes: without use after which a session is deleted.
            backend: where sessions compute; None chooses it.
        """
        self.seconds = 60 * minutes
        self.backend = backend or choose_backend("auto")
        self._by_key: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._deleted: list[Session] = []
        """Deleted by their users while a step was in progress; closed when it has ended."""
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the background threads, once: they load models for the first photo, and delete idle sessions."""
        with self._lock:
            if not self._threads:
                works = (self._sweep_forever, partial(_warm_up, self.backend))
                self._threads = [threading.Thread(target=work, daemon=True) for work in works]
                for thread in self._threads:
                    thread.start()

    def find(self, key: str) -> Session | None:
        """Return the session of a key; None if it was deleted or never existed."""
        with self._lock:
            return self._by_key.get(key)

    @contextmanager
    def use(self, session: Session | None) -> Iterator[Session]:
        """Keep a session while it is used, and create it if need be; without an avatar in the end, it is deleted.

        Args:
            session: of a browser tab; None or a deleted one for a new one.

        Yields:
            The session.

        Raises:
            ServerFull: it would be new, and all others are in use.
        """
        self.start()
        with self._lock:
            if session is None or self._by_key.get(session.key) is not session:
                session = self._new()
            steps = ExitStack()
            steps.enter_context(session.usage.step())
        try:
            with steps:
                yield session
        finally:
            with self._lock:
                if session.avatar is None:
                    self._close(session)

    def delete(self, session: Session) -> None:
        """Delete a session and its files; a step in progress is cancelled, and ends first."""
        session.usage.call_when_idle(self.sweep)
        with self._lock:
            self._by_key.pop(session.key, None)
            self._deleted.append(session)
        session.cancel()
        self.sweep()

    def sweep(self) -> None:
        """Close idle and deleted sessions; free the memory of all but the most recently used."""
        with self._lock:
            for session in self._by_age():
                if session.usage.idle_seconds > self.seconds:
                    self._close(session)
            self._deleted = [session for session in self._deleted if not session.close()]
            latest = self._by_age()[::-1]
        for session in latest[MAX_IN_MEMORY:]:
            session.release_memory()

    def _by_age(self) -> list[Session]:
        """Return all sessions, the least recently used first."""
        return sorted(self._by_key.values(), key=lambda session: session.usage.last_used)

    def _new(self) -> Session:
        """Create a session, for which others are closed if need be."""
        self._make_room()
        session = Session(self.backend)
        self._by_key[session.key] = session
        return session

    def _make_room(self) -> None:
        """Close sessions that are not in use until a new one may be created.

        Raises:
            ServerFull: the rest are in use.
        """
        sizes = {key: session.num_bytes for key, session in self._by_key.items()}
        for session in self._by_age():
            if len(self._by_key) < MAX_SESSIONS and sum(sizes.values()) < MAX_BYTES:
                return
            if session.usage.idle_seconds > RECENT_S and self._close(session):
                del sizes[session.key]
        if len(self._by_key) >= MAX_SESSIONS or sum(sizes.values()) >= MAX_BYTES:
            raise ServerFull(f"all {len(self._by_key)} sessions of this page are in use. Try again in a few minutes.")

    def _close(self, session: Session) -> bool:
        if not session.close():
            return False
        self._by_key.pop(session.key, None)
        return True

    def _sweep_forever(self) -> None:
        while True:
            time.sleep(SWEEP_INTERVAL_S)
            self.sweep()


def _warm_up(backend: Backend) -> None:
    """Load what the first photo needs while its user is still choosing it."""
    image = read_photo(EXAMPLES / "person_1.jpg").image
    person = choose_person(detect_people(image))
    height, width = image.shape[1:]
    fit_body(load_body_model("openbody"), person, (height, width), None, FitOptions(1, 1))
    load_encoder("sherf-small", backend)
    quick_open3d()
