"""Pairs of an observation and a target: random access, cached, safe in workers."""

from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from sherf.camera.pinhole import resize
from sherf.datasets.multiview import MultiviewData, View
from sherf.scene import OnDevice


class Key(NamedTuple):
    """Which picture."""

    subject: str
    pose: int
    view: int


@dataclass(frozen=True)
class Pair(OnDevice):
    """What is given, and what is asked for."""

    observation: View
    target: View


class CachedViews:
    """The views read last, up to a number of bytes. A copy for a worker begins empty."""

    def __init__(self, data: MultiviewData, most_bytes: int = 2**30):
        self.data, self.most_bytes = data, most_bytes
        self._views: OrderedDict[Key, View] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, key: Key) -> View:
        """Read a view, or remember it."""
        if key in self._views:
            self._views.move_to_end(key)
            return self._views[key]
        view = self.data.view(*key)
        self._views[key] = view
        self._bytes += num_bytes(view)
        while self._bytes > self.most_bytes and len(self._views) > 1:
            _, old = self._views.popitem(last=False)
            self._bytes -= num_bytes(old)
        return view

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data, "most_bytes": self.most_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["data"], state["most_bytes"])  # type: ignore[misc]


def resized(view: View, size: tuple[int, int]) -> View:
    """A view at another size (height, width): areas averaged, the camera exact."""
    subject = view.subject

    def scaled(layers: Tensor) -> Tensor:
        return F.interpolate(layers[None], size=size, mode="area")[0]

    # A depth belongs to one surface: no mean over an edge.
    depth = None if view.depth is None else F.interpolate(view.depth[None, None], size=size, mode="nearest-exact")[0, 0]
    unsure = None if view.unsure is None else scaled(view.unsure[None].float())[0] > 0
    return replace(
        view,
        subject=replace(
            subject,
            image=scaled(subject.image),
            mask=scaled(subject.mask[None])[0],
            camera=resize(subject.camera, size),
        ),
        unsure=unsure,
        depth=depth,
    )


def num_bytes(value: Any) -> int:
    """Bytes of all tensors in a dataclass."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if hasattr(value, "__dataclass_fields__"):
        return sum(num_bytes(getattr(value, field.name)) for field in fields(value))
    return 0
