"""All sessions of a server, each known by its key, until nobody has used it for a while."""

import threading
import time
from importlib.resources import files
from pathlib import Path

from sherf.app.session import Session
from sherf.body.files import load_body_model
from sherf.models.load import load_avatar_model
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.fit import FitOptions, fit_body
from sherf.photo.read import read_photo
from sherf.render.devices import choose_backend
from sherf.render.quick_open3d import quick_open3d

EXAMPLES = Path(str(files("sherf.examples")))
MOST_VISITS = 64
"""Whose files are kept; beyond, those that were used longest ago go."""
MOST_AWAKE = 4
"""Whose meshes and renderers are kept in memory."""
EVERY_S = 20.0


class Sessions:
    """Makes, finds and forgets sessions. A session's key leads to it and to no other."""

    def __init__(self, minutes: int) -> None:
        self.seconds = 60 * minutes
        self._known: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def new(self) -> Session:
        """A session that nobody has begun."""
        session = Session()
        with self._lock:
            self._known[session.key] = session
            self._begin_once()
        self.sweep()
        return session

    def find(self, key: str) -> Session | None:
        """The session of a key, if it is still there."""
        with self._lock:
            return self._known.get(key)

    def sweep(self) -> None:
        """Forget who has been idle for too long; give back what the others hardly use."""
        with self._lock:
            latest = sorted(self._known.values(), key=lambda session: -session.used)
            now = time.monotonic()
            over = [
                session
                for i, session in enumerate(latest)
                if i >= MOST_VISITS or (now - session.used > self.seconds and not session.busy)
            ]
            for session in over:
                del self._known[session.key]
        for session in over:
            session.close()
        for session in latest[MOST_AWAKE:]:
            session.rest()

    def _begin_once(self) -> None:
        if not self._threads:
            self._threads = [threading.Thread(target=work, daemon=True) for work in (self._sweep_on, _warm_up)]
            for thread in self._threads:
                thread.start()

    def _sweep_on(self) -> None:
        while True:
            time.sleep(EVERY_S)
            self.sweep()


def _warm_up() -> None:
    """What the first photo needs is loaded while its visitor still chooses it."""
    picture = read_photo(EXAMPLES / "person_1.jpg").image
    person = choose_person(detect_people(picture))
    fit_body(load_body_model("openbody"), person, tuple(picture.shape[1:]), None, FitOptions(1, 1))
    load_avatar_model("sherf-small", choose_backend("cpu"))
    quick_open3d()
