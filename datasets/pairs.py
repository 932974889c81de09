"""Pairs of an observation and a target, for training and evaluation: random access, cached, safe in workers."""

from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from sherf.camera import resize
from sherf.datasets.multiview import MultiviewData, View
from sherf.errors import BadInput
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


class EvaluationPairs(Dataset[Pair]):
    """Pairs in a given order."""

    def __init__(self, data: MultiviewData, pairs: list[tuple[Key, Key]], most_bytes: int = 2**28):
        self.views, self.pairs = CachedViews(data, most_bytes), pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:
        observed, wanted = self.pairs[index]
        return Pair(self.views[observed], self.views[wanted])


class TrainingPairs(Dataset[Pair]):
    """Every picture once as the target; the observation is a random view of the same subject in the same pose.

    Which view depends on (seed, epoch, index) alone: not on the worker, not on what was drawn before.
    """

    def __init__(self, data: MultiviewData, seed: int = 0, most_bytes: int = 2**30):
        self.views, self.seed, self.epoch = CachedViews(data, most_bytes), seed, 0
        self.left_out: dict[str, str] = {}
        """Subjects that could not be listed, and why."""
        self.targets: list[tuple[Key, tuple[int, ...]]] = []
        for subject in data.subjects:
            try:
                poses, views = data.poses(subject), data.views(subject)
            except BadInput as error:
                self.left_out[subject] = str(error)
                continue
            self.targets += [(Key(subject, pose, view), views) for pose in poses for view in views]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Pair:
        target, views = self.targets[index]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        observed = target._replace(view=int(rng.choice(views)))
        return Pair(self.views[observed], self.views[target])


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
