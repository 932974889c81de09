"""Which pair of pictures each place of each step shows: a function of the seed and the place alone."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import CachedViews, Key, Pair
from sherf.errors import BadInput
from sherf.models.surface.atlas import atlas_of
from sherf.scene import OnDevice
from sherf.training.options import TrainingOptions
from sherf.training.texture_cache import Baked, Bakery

CACHE_BYTES = 2**30
RAYS, CHOICE = 1, 0
"""Streams of random numbers."""


@dataclass(frozen=True)
class Drawn(OnDevice):
    """A pair, where it comes from, and the seed of what is looked at in it."""

    observation: Key
    target: Key
    pair: Pair
    baked: Baked | None
    """Of the observation's moment: its light is the photo's."""
    seed: list[int]


class DrawnPairs(Dataset[Drawn]):
    """Place number i of the training: step i // batch, pair i % batch. Independent of workers and processes."""

    bakery: Bakery | None = None
    """Makes what the losses of the maps need."""

    def __init__(self, data: MultiviewData, options: TrainingOptions, first: int, rank: int, processes: int, last: int):
        """Offer what one process sees.

        Args:
            first: the step to begin with; `last` is the one after the end.
            rank: of this process among `processes`; each sees its share of every step's pairs.
        """
        self.views, self.options = CachedViews(data, CACHE_BYTES), options
        self.left_out: dict[str, str] = {}
        """Subjects that cannot be trained on, and why."""
        self.subjects: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
        for name in data.subjects:
            try:
                self.subjects.append((name, data.poses(name), data.views(name)))
            except BadInput as error:
                self.left_out[name] = str(error)
        if not self.subjects:
            raise BadInput(
                f"none of the {len(data.subjects)} subjects can be read: {next(iter(self.left_out.values()))}"
            )
        share = options.batch // processes
        self.places = range(first * share, last * share)
        self.share, self.rank = share, rank

    @property
    def knows_depth(self) -> bool:
        """Whether the data set says where the clothed surface is."""
        subject, poses, views = self.subjects[0]
        return self.views[Key(subject, poses[0], views[0])].depth is not None

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Drawn:
        step, place = divmod(self.places[index], self.share)
        return self.drawn(step, self.rank * self.share + place)

    def drawn(self, step: int, place: int) -> Drawn:
        """One pair of one step."""
        options = self.options
        rng = np.random.default_rng([options.seed, step, place, CHOICE])
        subject, poses, views = self.subjects[int(rng.integers(len(self.subjects)))]
        view = views[0] if rng.random() < options.front else int(rng.choice(views))
        pose = int(rng.choice(poses))
        observation = Key(subject, pose, view)
        if len(poses) > 1 and rng.random() >= options.same_pose:
            pose = int(rng.choice([p for p in poses if p != pose]))
        others = [v for v in views if v != view or pose != observation.pose] or list(views)
        target = Key(subject, pose, int(rng.choice(others)))
        pair = Pair(self.views[observation], self.views[target])
        baked = None if self.bakery is None else self.baked(self.bakery, subject, observation.pose, views)
        return Drawn(observation, target, pair, baked, [options.seed, step, place, RAYS])

    def baked(self, bakery: Bakery, subject: str, pose: int, views: tuple[int, ...]) -> Baked:
        """What all views of a moment show of each texel."""
        return bakery(f"{subject}_{pose}", lambda: [self.views.data.view(subject, pose, view) for view in views])


def bakery_of(body: BodyModel, options: TrainingOptions, out: Path, data_sha256: str) -> Bakery:
    """The one that a training in the folder `out` uses."""
    return Bakery(body, atlas_of(body, *options.model.plane_size), out / "baked" / data_sha256[:16])


def data_digest(data: MultiviewData) -> str:
    """Tells a data set from another, and from itself after a change."""
    content: Any = getattr(data, "digests", None)
    if content is None:
        content = {name: [data.poses(name), data.views(name)] for name in data.subjects}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
