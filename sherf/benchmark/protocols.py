"""Which images are observed and which are scored: the published evaluations' tables, and OpenPeople's own."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import Key
from sherf.errors import BadInput

Kind = Literal["novel_view", "novel_pose"]
KINDS: tuple[Kind, ...] = get_args(Kind)

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
ZJU_MOCAP_SUBJECTS = ("CoreView_377", "CoreView_313", "CoreView_315")


@dataclass(frozen=True)
class EvaluationPair:
    """One image to predict, and the observation to predict it from."""

    kind: Kind
    observation: Key
    target: Key
    replaced: bool = False
    """A frame that the protocol names is missing and another replaces it: counts in the published protocol only."""


@dataclass
class _FramePicker:
    """Replaces missing frames at random, as the published evaluation does, and remembers which."""

    frames: Sequence[int]
    rng: random.Random
    missing: set[int] = field(default_factory=set)

    def pick(self, frame: int) -> tuple[int, bool]:
        """Return the frame, or a random other one, and whether it was replaced."""
        if frame in self.frames:
            return frame, False
        self.missing.add(frame)
        return self.rng.choice(self.frames), True


@dataclass(frozen=True)
class Protocol:
    """The evaluation of one data set."""

    name: str
    choose_subjects: Callable[[Sequence[str]], list[str]]
    """Return the test subjects among those listed."""
    scale: float
    """The published image_scaling."""
    observation_views: tuple[int, ...]
    """Cameras that serve as the observation, one after the other."""
    novel_view_poses: tuple[int, ...] | None
    """Poses in which novel views are scored; None: the subject's first."""
    novel_pose_observation: int | None
    """The pose that is observed for novel poses; None: the first."""
    novel_pose_poses: tuple[int, ...] | None
    """Poses that are scored as novel poses; None: all but the first."""
    views: tuple[int, ...] | None
    """Cameras that are scored; None: all. For novel views the observation's own is left out."""
    silhouette_margin: float = 0.05
    """Targets are black outside the projection of the body's box enlarged by this margin, metres."""

    def pairs(self, data: MultiviewData, subject: str, rng: random.Random) -> tuple[list[EvaluationPair], list[str]]:
        """List all pairs to evaluate of a subject.

        Args:
            data: the data set.
            subject: one of its subjects.
            rng: chooses the replacements of missing frames.

        Returns:
            The pairs, and a message that names the missing frames, if there are any.

        Raises:
            BadInput: the subject has no frames.
        """
        poses = data.poses(subject)
        if not poses:
            raise BadInput(f"{data.name}: subject {subject} has no frames.")
        views = data.views(subject) if self.views is None else self.views
        picker = _FramePicker(poses, rng)
        pairs: list[EvaluationPair] = []
        for observed_view in self.observation_views:
            pairs += self._novel_views(subject, observed_view, views, picker)
            pairs += self._novel_poses(subject, observed_view, views, picker)
        missing = ", ".join(map(str, sorted(picker.missing)))
        return pairs, [f"{subject}: frames {missing} are missing"] if missing else []

    def _novel_views(
        self, subject: str, observed_view: int, views: Sequence[int], picker: _FramePicker
    ) -> list[EvaluationPair]:
        pairs: list[EvaluationPair] = []
        for wanted in picker.frames[:1] if self.novel_view_poses is None else self.novel_view_poses:
            pose, replaced = picker.pick(wanted)
            observation = Key(subject, pose, observed_view)
            targets = [Key(subject, pose, view) for view in views if view != observed_view]
            pairs += [EvaluationPair("novel_view", observation, target, replaced) for target in targets]
        return pairs

    def _novel_poses(
        self, subject: str, observed_view: int, views: Sequence[int], picker: _FramePicker
    ) -> list[EvaluationPair]:
        first = picker.frames[0]
        observed_pose, observation_replaced = picker.pick(
            first if self.novel_pose_observation is None else self.novel_pose_observation
        )
        observation = Key(subject, observed_pose, observed_view)
        others = [pose for pose in picker.frames if pose != first]
        pairs: list[EvaluationPair] = []
        for wanted in others if self.novel_pose_poses is None else self.novel_pose_poses:
            pose, target_replaced = picker.pick(wanted)
            replaced = target_replaced or observation_replaced
            pairs += [EvaluationPair("novel_pose", observation, Key(subject, pose, view), replaced) for view in views]
        return pairs


def _lines(first: int, last: int) -> Callable[[Sequence[str]], list[str]]:
    return lambda listed: list(listed[first:last])


def _named(names: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    return lambda listed: [name for name in names if name in listed]


PROTOCOLS = {
    "thuman": Protocol(
        "thuman",
        _lines(90, 100),
        scale=1.0,
        observation_views=(4, 12, 20),
        novel_view_poses=(0, 2, 4, 6, 8),
        novel_pose_observation=0,
        novel_pose_poses=(2, 4, 6, 8),
        views=tuple(range(0, 24, 2)),
    ),
    "renderpeople": Protocol(
        "renderpeople",
        _lines(450, 480),
        scale=1.0,
        observation_views=(0, 16, 31),
        novel_view_poses=(0, 2, 4, 6, 8),
        novel_pose_observation=2,
        novel_pose_poses=(4, 6, 8, 10),
        views=tuple(range(0, 36, 2)),
    ),
    "humman": Protocol(
        "humman",
        _named(HUMMAN_SUBJECTS),
        scale=1 / 3,
        observation_views=(0, 4, 8),
        novel_view_poses=tuple(range(0, 97, 6)),
        novel_pose_observation=0,
        novel_pose_poses=tuple(range(6, 97, 6)),
        views=tuple(range(10)),
        silhouette_margin=0.0,
    ),
    "zju-mocap": Protocol(
        "zju-mocap",
        _named(ZJU_MOCAP_SUBJECTS),
        scale=0.5,
        observation_views=(4, 10, 16),
        novel_view_poses=tuple(range(0, 481, 20)),
        novel_pose_observation=0,
        novel_pose_poses=tuple(range(20, 481, 20)),
        views=tuple(range(0, 20, 2)),
    ),
    "openpeople": Protocol(
        "openpeople",
        list,
        scale=1.0,
        observation_views=(0,),
        novel_view_poses=None,
        novel_pose_observation=None,
        novel_pose_poses=None,
        views=None,
    ),
}
"""By data set, the four published ones as in the evaluation code of SHERF (Hu et al., ICCV 2023)."""
