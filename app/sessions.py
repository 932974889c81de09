"""All sessions of a server, found by their keys, until they expire."""

import threading
import time
from importlib.resources import files
from pathlib import Path

from sherf.api.encoders import load_encoder
from sherf.app.session import Session
from sherf.body.files import load_body_model
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.fit import FitOptions, fit_body
from sherf.photo.photo_reader import read_photo
from sherf.render.devices import choose_backend
from sherf.render.quick_open3d import quick_open3d

EXAMPLES = Path(str(files("sherf.examples")))
MAX_SESSIONS = 64
"""Sessions whose files are kept; beyond that, the least recently used are deleted."""
MAX_IN_MEMORY = 4
"""Sessions whose meshes and renderers are kept in memory."""
SWEEP_INTERVAL_S = 20.0


class Sessions:
    """Creates, finds and deletes sessions. A session can be found by its key alone."""

    def __init__(self, minutes: int) -> None:
        """Start without sessions.

        Args:
            minutes: without use after which a session is deleted.
        """
        self.seconds = 60 * minutes
        self._by_key: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def new(self) -> Session:
        """Create a session. The first call also starts the background threads."""
        session = Session()
        with self._lock:
            self._by_key[session.key] = session
            self._start_threads()
        self.sweep()
        return session

    def find(self, key: str) -> Session | None:
        """Return the session of a key; None if it has expired or never existed."""
        with self._lock:
            return self._by_key.get(key)

    def sweep(self) -> None:
        """Close idle and surplus sessions; free the memory of all but the most recently used."""
        with self._lock:
            latest = sorted(self._by_key.values(), key=lambda session: -session.last_used)
            now = time.monotonic()
            expired = [
                session
                for i, session in enumerate(latest)
                if i >= MAX_SESSIONS or (now - session.last_used > self.seconds and not session.is_busy)
            ]
            for session in expired:
                del self._by_key[session.key]
        for session in expired:
            session.close()
        for session in latest[MAX_IN_MEMORY:]:
            session.release_memory()

    def _start_threads(self) -> None:
        if not self._threads:
            self._threads = [threading.Thread(target=work, daemon=True) for work in (self._sweep_forever, _warm_up)]
            for thread in self._threads:
                thread.start()

    def _sweep_forever(self) -> None:
        while True:
            time.sleep(SWEEP_INTERVAL_S)
            self.sweep()


def _warm_up() -> None:
    """Load what the first photo needs while its user is still choosing it."""
    image = read_photo(EXAMPLES / "person_1.jpg").image
    person = choose_person(detect_people(image))
    height, width = image.shape[1:]
    fit_body(load_body_model("openbody"), person, (height, width), None, FitOptions(1, 1))
    load_encoder("sherf-small", choose_backend("cpu"))
    quick_open3d()
