"""The page's queue: heavy work runs one job at a time, and each user has a limited number of queue slots."""

from typing import Any, TypedDict

import fastapi
from gradio.queueing import Queue

MAX_WAITING, MAX_WAITING_EACH = 16, 6
"""Queue slots: of all users together, and of each."""


class Concurrency(TypedDict):
    """How many events of a group run at a time; keyword arguments of Gradio's event listeners."""

    concurrency_id: str
    concurrency_limit: int


EXCLUSIVE: Concurrency = {"concurrency_id": "device", "concurrency_limit": 1}
"""For events that keep the whole machine busy: one of them runs at a time."""


def limit_queue_slots(queue: Queue, limit: int = MAX_WAITING_EACH) -> None:
    """Reject requests of users who have `limit` requests waiting; users are told apart by name and address.

    Args:
        queue: of the served page; its `push` is replaced.
        limit: queue slots of each user.
    """
    push = queue.push

    async def push_within_limit(body: Any, request: fastapi.Request, username: str | None) -> tuple:
        user = _user(request, username)
        waiting = (event for events in queue.event_queue_per_concurrency_id.values() for event in events.queue)
        if sum(_user(event.request, event.username) == user for event in waiting) >= limit:
            return False, f"{limit} of your requests are already waiting. Please wait until they finish.", "error"
        return await push(body=body, request=request, username=username)

    queue.push = push_within_limit  # type: ignore[method-assign]  # Gradio has no hook for a limit per user


def _user(request: fastapi.Request, username: str | None) -> tuple[str | None, str | None]:
    return username, request.client.host if request.client else None
