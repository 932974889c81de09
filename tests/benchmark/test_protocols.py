"""The published evaluations' tables: how many pictures, which, and what happens to missing frames."""

import random
from dataclasses import dataclass

import pytest

from sherf.benchmark.protocols import PROTOCOLS
from sherf.datasets.multiview import View
from sherf.errors import BadInput


@dataclass
class Listed:
    """A data set of which only the lists matter."""

    frames: tuple[int, ...]
    cameras: int
    name: str = "listed"
    body_model: str = "smpl"
    subjects: tuple[str, ...] = ("anna",)

    def poses(self, subject: str) -> tuple[int, ...]:
        return self.frames

    def views(self, subject: str) -> tuple[int, ...]:
        return tuple(range(self.cameras))

    def view(self, subject: str, pose: int, view: int) -> View:
        raise NotImplementedError


WHOLE = {
    "thuman": Listed(tuple(range(20)), 24),
    "renderpeople": Listed(tuple(range(21)), 36),
    "humman": Listed(tuple(range(100)), 10),
    "zju-mocap": Listed(tuple(range(500)), 20),
}


@pytest.mark.parametrize(
    ("name", "novel_view", "novel_pose"),
    [
        ("thuman", (55, 55, 55), (48, 48, 48)),
        ("renderpeople", (85, 85, 90), (72, 72, 72)),
        ("humman", (153, 153, 153), (160, 160, 160)),
        ("zju-mocap", (225, 225, 225), (240, 240, 240)),
    ],
)
def test_as_many_pictures_as_published(name: str, novel_view: tuple, novel_pose: tuple) -> None:
    protocol = PROTOCOLS[name]
    items, missing = protocol.items(WHOLE[name], "anna", random.Random(0))
    assert not missing and not any(item.replaced for item in items)
    for kind, counts in (("novel_view", novel_view), ("novel_pose", novel_pose)):
        found = tuple(
            sum(i.kind == kind and i.observation.view == v for i in items) for v in protocol.observation_views
        )
        assert found == counts
    views = [i for i in items if i.kind == "novel_view"]
    assert all(i.observation.pose == i.target.pose and i.observation.view != i.target.view for i in views)
    assert len({(i.kind, i.observation, i.target) for i in items}) == len(items)


def test_frames_that_are_missing_are_replaced_and_reported() -> None:
    short = Listed((0, 1, 2), 24)
    items, missing = PROTOCOLS["thuman"].items(short, "anna", random.Random(0))
    assert missing == ["anna: frames 4, 6, 8 are missing"]
    assert {i.target.pose for i in items} <= {0, 1, 2}
    assert any(i.replaced for i in items) and not all(i.replaced for i in items)
    again, _ = PROTOCOLS["thuman"].items(short, "anna", random.Random(0))
    assert again == items


def test_a_subject_without_frames_is_named() -> None:
    with pytest.raises(BadInput, match="anna has no frames"):
        PROTOCOLS["thuman"].items(Listed((), 24), "anna", random.Random(0))


def test_the_test_subjects() -> None:
    names = [f"{n:03d}" for n in range(480)]
    assert PROTOCOLS["thuman"].choose_subjects(names) == names[90:100]
    assert PROTOCOLS["renderpeople"].choose_subjects(names) == names[450:480]
    assert len(PROTOCOLS["humman"].choose_subjects(["p000455_a000986", "x", "p100074_a000048"])) == 2
    assert PROTOCOLS["zju-mocap"].choose_subjects(["CoreView_313", "CoreView_386"]) == ["CoreView_313"]
