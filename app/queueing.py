"""Whose turn it is: heavy work one at a time, and nobody fills the queue alone."""

from typing import Any

import fastapi
from gradio.queueing import Queue

MOST_WAITING, MOST_EACH = 16, 6
"""Requests that may wait, of all visitors and of each."""
HEAVY: dict[str, Any] = {"concurrency_id": "device", "concurrency_limit": 1}
"""Of events that keep the whole machine busy: one runs at a time, whoever asks for it."""


def share(queue: Queue, most: int = MOST_EACH) -> None:
    """Refuse whoever has `most` requests waiting, told apart by name and address, while others still come in."""
    push = queue.push

    async def push_fairly(body: Any, request: fastapi.Request, username: str | None) -> tuple:
        who = _visitor(request, username)
        waiting = (event for events in queue.event_queue_per_concurrency_id.values() for event in events.queue)
        if sum(_visitor(event.request, event.username) == who for event in waiting) >= most:
            return False, f"{most} of your requests are waiting already. Let them end first.", "error"
        return await push(body=body, request=request, username=username)

    queue.push = push_fairly


def _visitor(request: fastapi.Request, username: str | None) -> tuple[str | None, str | None]:
    return username, request.client.host if request.client else None
