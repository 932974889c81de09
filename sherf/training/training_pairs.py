"""Which training pairs each step draws: a function of seed, step and position in the batch alone."""

from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import CachedViews, Key, Pair
from sherf.errors import BadInput
from sherf.scene import OnDevice
from sherf.training.options import TrainingOptions
from sherf.training.texture_cache import TexelTargets, TextureCache

CACHE_BYTES = 2**30
RAYS, CHOICE = 1, 0
"""Streams of random numbers: of augmentation and rays, and of the choice of views."""


@dataclass(frozen=True)
class TrainingPair(OnDevice):
    """An observation and a target view, their identities, and the seed of augmentation and rays."""

    observation: Key
    target: Key
    pair: Pair
    targets: TexelTargets | None
    """Texel targets of the observation's pose, lit as in the photo; None: not needed or not available."""
    seed: list[int]


class TrainingPairs(Dataset[TrainingPair]):
    """All pairs of a training, by step: the same pairs for any number of processes and workers."""

    texture_cache: TextureCache | None = None
    """Provides texel targets for the losses on UV feature maps; None: these losses are not used."""

    def __init__(self, data: MultiviewData, options: TrainingOptions, first: int, rank: int, processes: int, last: int):
        """List the subjects, and the pairs that one process trains on.

        Args:
            data: the training split.
            options: batch size, seed and sampling of views.
            first: the step to begin with.
            rank: of this process; each one takes its share of every step's pairs.
            processes: number of processes; divides the batch size.
            last: the step after the last one.

        Raises:
            BadInput: no subject can be read.
        """
        self.views, self.options = CachedViews(data, CACHE_BYTES), options
        self.skipped: dict[str, str] = {}
        """Subjects that cannot be read, and why."""
        self.subjects: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
        for name in data.subjects:
            try:
                self.subjects.append((name, data.poses(name), data.views(name)))
            except BadInput as error:
                self.skipped[name] = str(error)
        if not self.subjects:
            raise BadInput(
                f"none of the {len(data.subjects)} subjects can be read: {next(iter(self.skipped.values()))}"
            )
        share = options.batch // processes
        self.positions = range(first * share, last * share)
        self.share, self.rank = share, rank

    def share_cache(self, workers: int) -> None:
        """Divide the memory of the cached views among worker processes, each of which has a cache of its own."""
        self.views.most_bytes = CACHE_BYTES // max(workers, 1)

    @property
    def has_depth(self) -> bool:
        """Whether the data set has depths of the clothed surface."""
        subject, poses, views = self.subjects[0]
        return self.views[Key(subject, poses[0], views[0])].depth is not None

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> TrainingPair:
        step, position = divmod(self.positions[index], self.share)
        return self.draw(step, self.rank * self.share + position)

    def draw(self, step: int, position: int) -> TrainingPair:
        """Draw one pair of one step.

        Args:
            step: of the training, from 0.
            position: in the batch over all processes.

        Returns:
            The pair, on the CPU.

        Raises:
            BadInput: an image of it is missing or damaged.
        """
        options = self.options
        rng = np.random.default_rng([options.seed, step, position, CHOICE])
        subject, poses, views = self.subjects[int(rng.integers(len(self.subjects)))]
        view = views[0] if rng.random() < options.front else int(rng.choice(views))
        pose = int(rng.choice(poses))
        observation = Key(subject, pose, view)
        if len(poses) > 1 and rng.random() >= options.same_pose:
            pose = int(rng.choice([p for p in poses if p != pose]))
        others = [v for v in views if v != view or pose != observation.pose] or list(views)
        target = Key(subject, pose, int(rng.choice(others)))
        pair = Pair(self.views[observation], self.views[target])
        targets = None
        if self.texture_cache is not None:
            targets = self.targets(self.texture_cache, subject, observation.pose, views)
        return TrainingPair(observation, target, pair, targets, [options.seed, step, position, RAYS])

    def targets(self, cache: TextureCache, subject: str, pose: int, views: tuple[int, ...]) -> TexelTargets:
        """Return the texel targets of a pose from all of its views.

        Args:
            cache: where they are looked for first.
            subject: its name in the data set.
            pose: its number.
            views: numbers of the views to fuse.

        Returns:
            The targets, on the CPU.

        Raises:
            BadInput: an image is missing or damaged.
            OutputError: the cache cannot be written.
        """
        return cache.get(f"{subject}_{pose}", lambda: [self.views.data.view(subject, pose, view) for view in views])
