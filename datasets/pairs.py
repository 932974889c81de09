"""Pairs of an observation and a target, and a bounded cache of views: random access, safe in worker processes."""

from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from torch import Tensor

from sherf.datasets.multiview import MultiviewData, View
from sherf.scene import OnDevice


class Key(NamedTuple):
    """Identifies one view of a data set."""

    subject: str
    pose: int
    view: int


@dataclass(frozen=True)
class Pair(OnDevice):
    """What a model is given, and what it has to render."""

    observation: View
    target: View


class CachedViews:
    """The views used last, up to a number of bytes. A copy for a worker process starts empty."""

    def __init__(self, data: MultiviewData, most_bytes: int = 2**30):
        """Start with an empty cache.

        Args:
            data: where views are read from.
            most_bytes: size limit of all cached tensors; the last view stays even if it is larger.
        """
        self.data, self.most_bytes = data, most_bytes
        self._views: OrderedDict[Key, View] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, key: Key) -> View:
        """Return a view, from the cache if possible.

        Raises:
            BadInput: a file of the view is missing or damaged.
        """
        if key in self._views:
            self._views.move_to_end(key)
            return self._views[key]
        view = self.data.view(*key)
        self._views[key] = view
        self._bytes += num_bytes(view)
        while self._bytes > self.most_bytes and len(self._views) > 1:
            _, oldest = self._views.popitem(last=False)
            self._bytes -= num_bytes(oldest)
        return view

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data, "most_bytes": self.most_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.data, self.most_bytes = state["data"], state["most_bytes"]
        self._views, self._bytes = OrderedDict(), 0


def num_bytes(value: Any) -> int:
    """Return the bytes of all tensors in a dataclass, nested ones included."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if hasattr(value, "__dataclass_fields__"):
        return sum(num_bytes(getattr(value, field.name)) for field in fields(value))
    return 0
