"""Which pictures are observed and which are scored: the published evaluations' tables, and OpenPeople's own."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import Key
from sherf.errors import BadInput

Kind = Literal["novel_view", "novel_pose"]

HUMMAN_SUBJECTS = (
    "p000455_a000986",
    "p000456_a000396",
    "p000465_a000048",
    "p000465_a000701",
    "p000474_a000048",
    "p000477_a000396",
    "p000482_a000793",
    "p000491_a005730",
    "p000503_a000064",
    "p000503_a000224",
    "p000532_a005711",
    "p000538_a000978",
    "p000538_a000986",
    "p000542_a000048",
    "p000545_a000064",
    "p000547_a000011",
    "p000547_a000145",
    "p000557_a000793",
    "p000582_a000048",
    "p100050_a001425",
    "p100056_a000049",
    "p100074_a000048",
)


@dataclass(frozen=True)
class Item:
    """One picture to predict."""

    kind: Kind
    observation: Key
    target: Key
    replaced: bool = False
    """The wanted frame is missing and another took its place: counts in the published protocol only."""


@dataclass(frozen=True)
class Protocol:
    """One data set's evaluation."""

    name: str
    choose_subjects: Callable[[Sequence[str]], list[str]]
    """The test subjects among those listed."""
    scale: float
    """The published image_scaling."""
    observation_views: tuple[int, ...]
    novel_view_poses: tuple[int, ...] | None
    """None: the first pose that the subject has."""
    novel_pose_observation: int | None
    """The pose that is observed for novel poses; None: the first."""
    novel_pose_poses: tuple[int, ...] | None
    """None: all others."""
    views: tuple[int, ...] | None
    """Cameras that are scored; None: all. In novel views the observation's own is left out."""
    silhouette_margin: float = 0.05
    """Targets are black outside the projection of the body's box with this margin, metres."""

    def items(self, data: MultiviewData, subject: str, rng: random.Random) -> tuple[list[Item], list[str]]:
        """All pictures to predict of a subject, and what is missing of it in words.

        Args:
            rng: chooses replacements of missing frames, as the published evaluation does at random.
        """
        poses = data.poses(subject)
        if not poses:
            raise BadInput(f"{data.name}: subject {subject} has no frames.")
        views = data.views(subject) if self.views is None else self.views
        first = poses[0]
        wanted = (first,) if self.novel_view_poses is None else self.novel_view_poses
        items: list[Item] = []
        missing: set[int] = set()

        def present(pose: int) -> tuple[int, bool]:
            if pose in poses:
                return pose, False
            missing.add(pose)
            return rng.choice(poses), True

        for observed_view in self.observation_views:
            for pose in wanted:
                there, replaced = present(pose)
                observation = Key(subject, there, observed_view)
                targets = [Key(subject, there, view) for view in views if view != observed_view]
                items += [Item("novel_view", observation, target, replaced) for target in targets]
            observed_pose, replaced_observation = present(
                first if self.novel_pose_observation is None else self.novel_pose_observation
            )
            observation = Key(subject, observed_pose, observed_view)
            others = tuple(p for p in poses if p != first) if self.novel_pose_poses is None else self.novel_pose_poses
            for pose in others:
                there, replaced = present(pose)
                changed = replaced or replaced_observation
                items += [Item("novel_pose", observation, Key(subject, there, view), changed) for view in views]
        words = [f"{subject}: frames {', '.join(map(str, sorted(missing)))} are missing"] if missing else []
        return items, words


def _lines(first: int, last: int) -> Callable[[Sequence[str]], list[str]]:
    return lambda listed: list(listed[first:last])


def _named(names: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    return lambda listed: [name for name in names if name in listed]


EVERY_SECOND_OF_24, EVERY_SECOND_OF_36, EVERY_SECOND_OF_20 = (tuple(range(0, n, 2)) for n in (24, 36, 20))

PROTOCOLS = {
    "thuman": Protocol(
        "thuman", _lines(90, 100), 1.0, (4, 12, 20), (0, 2, 4, 6, 8), 0, (2, 4, 6, 8), EVERY_SECOND_OF_24
    ),
    "renderpeople": Protocol(
        "renderpeople", _lines(450, 480), 1.0, (0, 16, 31), (0, 2, 4, 6, 8), 2, (4, 6, 8, 10), EVERY_SECOND_OF_36
    ),
    "humman": Protocol(
        "humman",
        _named(HUMMAN_SUBJECTS),
        1 / 3,
        (0, 4, 8),
        tuple(range(0, 97, 6)),
        0,
        tuple(range(6, 97, 6)),
        tuple(range(10)),
        silhouette_margin=0.0,
    ),
    "zju-mocap": Protocol(
        "zju-mocap",
        _named(("CoreView_377", "CoreView_313", "CoreView_315")),
        0.5,
        (4, 10, 16),
        tuple(range(0, 481, 20)),
        0,
        tuple(range(20, 481, 20)),
        EVERY_SECOND_OF_20,
    ),
    "openpeople": Protocol("openpeople", list, 1.0, (0,), None, None, None, None),
}
