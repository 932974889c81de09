"""The published evaluations' tables: how many images, which, and what happens to missing frames."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from sherf.benchmark.protocols import PROTOCOLS
from sherf.datasets.multiview import View
from sherf.errors import BadInput


@dataclass
class Listed:
    """A data set that only lists its frames and cameras."""

    frames: tuple[int, ...]
    cameras: int
    name: str = "listed"
    body_model: str = "smpl"
    root: Path = Path()
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
def test_there_are_as_many_images_as_published(name: str, novel_view: tuple, novel_pose: tuple) -> None:
    protocol = PROTOCOLS[name]
    pairs, missing = protocol.pairs(WHOLE[name], "anna", random.Random(0))
    assert not missing and not any(pair.replaced for pair in pairs)
    for kind, counts in (("novel_view", novel_view), ("novel_pose", novel_pose)):
        found = tuple(
            sum(p.kind == kind and p.observation.view == v for p in pairs) for v in protocol.observation_views
        )
        assert found == counts
    novel_views = [p for p in pairs if p.kind == "novel_view"]
    assert all(p.observation.pose == p.target.pose and p.observation.view != p.target.view for p in novel_views)
    assert len({(p.kind, p.observation, p.target) for p in pairs}) == len(pairs)


def test_missing_frames_are_replaced_and_reported() -> None:
    short = Listed((0, 1, 2), 24)
    pairs, missing = PROTOCOLS["thuman"].pairs(short, "anna", random.Random(0))
    assert missing == ["anna: frames 4, 6, 8 are missing"]
    assert {p.target.pose for p in pairs} <= {0, 1, 2}
    assert any(p.replaced for p in pairs) and not all(p.replaced for p in pairs)
    again, _ = PROTOCOLS["thuman"].pairs(short, "anna", random.Random(0))
    assert again == pairs


def test_a_subject_without_frames_is_named() -> None:
    with pytest.raises(BadInput, match="anna has no frames"):
        PROTOCOLS["thuman"].pairs(Listed((), 24), "anna", random.Random(0))


def test_the_test_subjects() -> None:
    names = [f"{n:03d}" for n in range(480)]
    assert PROTOCOLS["thuman"].choose_subjects(names) == names[90:100]
    assert PROTOCOLS["renderpeople"].choose_subjects(names) == names[450:480]
    assert len(PROTOCOLS["humman"].choose_subjects(["p000455_a000986", "x", "p100074_a000048"])) == 2
    assert PROTOCOLS["zju-mocap"].choose_subjects(["CoreView_313", "CoreView_386"]) == ["CoreView_313"]
