"""All visits of a server, each known by its key, until nobody has used it for a while."""

import threading
import time
from importlib.resources import files
from pathlib import Path

from sherf.app.visit import Visit
from sherf.avatar_model import load_avatar_model
from sherf.body.files import load_body_model
from sherf.devices import choose_backend
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.fit import FitOptions, fit_body
from sherf.photo.read import read_photo
from sherf.quick_open3d import quick_open3d

EXAMPLES = Path(str(files("sherf.examples")))
MOST_VISITS = 64
"""Whose files are kept; beyond, those that were used longest ago go."""
MOST_AWAKE = 4
"""Whose meshes and renderers are kept in memory."""
EVERY_S = 20.0


class Visits:
    """Makes, finds and forgets visits. A visit's key leads to it and to no other."""

    def __init__(self, minutes: int) -> None:
        self.seconds = 60 * minutes
        self._known: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def new(self) -> Visit:
        """A visit that nobody has begun."""
        visit = Visit()
        with self._lock:
            self._known[visit.key] = visit
            self._begin_once()
        self.sweep()
        return visit

    def find(self, key: str) -> Visit | None:
        """The visit of a key, if it is still there."""
        with self._lock:
            return self._known.get(key)

    def sweep(self) -> None:
        """Forget who has been idle for too long; give back what the others hardly use."""
        with self._lock:
            latest = sorted(self._known.values(), key=lambda visit: -visit.used)
            now = time.monotonic()
            over = [
                visit
                for i, visit in enumerate(latest)
                if i >= MOST_VISITS or (now - visit.used > self.seconds and not visit.busy)
            ]
            for visit in over:
                del self._known[visit.key]
        for visit in over:
            visit.close()
        for visit in latest[MOST_AWAKE:]:
            visit.rest()

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
