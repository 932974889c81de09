"""Whether a session is in use: its steps in progress, and when it was last used."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sherf.errors import BadInput


class Usage:
    """Counts the steps of a session that are in progress, so that it is not closed in the middle of one."""

    def __init__(self) -> None:
        """Start unused."""
        self.last_used = time.monotonic()
        """Time of the user's last action or of the last progress, of time.monotonic."""
        self._lock = threading.Lock()
        self._num_steps = 0
        self._has_ended = False
        self._when_idle: Callable[[], None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a step is in progress."""
        return self._num_steps > 0

    @property
    def idle_seconds(self) -> float:
        """Time since the last use; 0 while a step is in progress."""
        return 0.0 if self.is_busy else time.monotonic() - self.last_used

    @contextmanager
    def step(self) -> Iterator[None]:
        """Count what is done inside as use of the session.

        Yields:
            Nothing.

        Raises:
            BadInput: the session has ended.
        """
        with self._lock:
            if self._has_ended:
                raise BadInput("this session has ended and its files were deleted. Upload the photo again.")
            self._num_steps += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_steps -= 1
                self.last_used = time.monotonic()
                when_idle = None if self._num_steps else self._when_idle
            if when_idle is not None:
                when_idle()

    def call_when_idle(self, function: Callable[[], None]) -> None:
        """Call a function whenever the last step in progress has ended, in that step's thread."""
        self._when_idle = function

    def touch(self) -> None:
        """Count this moment as use of the session."""
        self.last_used = time.monotonic()

    def end(self) -> bool:
        """Refuse all further steps, unless one is in progress. Returns whether that was done."""
        with self._lock:
            self._has_ended = not self.is_busy
            return self._has_ended
