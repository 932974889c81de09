"""Pairs of pictures: draws that depend on the place alone, a cache that is bounded, sizes that agree."""

import pickle
from dataclasses import dataclass, field

import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.datasets.multiview import MultiviewData, View
from sherf.datasets.pairs import CachedViews, Key, num_bytes, resized
from sherf.errors import BadInput
from sherf.models.config import SMALL
from sherf.training.options import TrainingOptions
from sherf.training.training_pairs import DrawnPairs


@dataclass
class Rooms:
    """Two subjects, one of them short of frames; a picture's first number says which picture it is."""

    view_template: View
    name: str = "rooms"
    body_model: str = "openbody"
    reads: list[tuple] = field(default_factory=list)

    @property
    def subjects(self) -> tuple[str, ...]:
        return "anna", "broken", "ben"

    def poses(self, subject: str) -> tuple[int, ...]:
        if subject == "broken":
            raise BadInput("broken/annots.npy is missing.")
        return (0, 2) if subject == "anna" else (0,)

    def views(self, subject: str) -> tuple[int, ...]:
        return 0, 1, 2

    def view(self, subject: str, pose: int, view: int) -> View:
        self.reads.append((subject, pose, view))
        number = ("anna", "ben").index(subject) * 100 + pose * 10 + view
        template = self.view_template
        return View(template.subject, torch.full_like(template.vertices, number))


@pytest.fixture
def rooms(body: BodyModel) -> Rooms:
    seen = photograph(body, standing(), camera_in_front((48, 40)))
    return Rooms(View(seen, body.pose(seen.pose).vertices))


def _number(view: View) -> int:
    return int(view.vertices[0, 0])


def test_the_protocol_is_met(rooms: Rooms) -> None:
    assert isinstance(rooms, MultiviewData)


def _drawn(rooms: Rooms, rank: int = 0, processes: int = 1, first: int = 0) -> list[tuple[int, int, tuple]]:
    options = TrainingOptions(SMALL, batch=2, front=0.5, same_pose=0.5)
    pairs = DrawnPairs(rooms, options, first, rank, processes, last=20)
    assert pairs.left_out == {"broken": "broken/annots.npy is missing."}
    drawn = [pairs[i] for i in range(len(pairs))]
    return [(_number(d.pair.observation), _number(d.pair.target), tuple(d.seed)) for d in drawn]


def test_training_sees_pairs_of_one_subject_that_depend_on_the_place_alone(rooms: Rooms) -> None:
    drawn = _drawn(rooms)
    assert len(drawn) == 40 and all(a // 100 == b // 100 and a != b for a, b, _ in drawn)
    assert len({a for a, _, _ in drawn}) > 4 and len({seed for _, _, seed in drawn}) == 40
    assert any(a // 10 != b // 10 for a, b, _ in drawn) and any(a // 10 == b // 10 for a, b, _ in drawn)
    assert _drawn(rooms) == drawn
    assert _drawn(rooms, first=7) == drawn[14:]


def test_processes_share_the_batch_of_one(rooms: Rooms) -> None:
    shares = [_drawn(rooms, rank, processes=2) for rank in (0, 1)]
    assert [pair for both in zip(*shares, strict=True) for pair in both] == _drawn(rooms)


def test_the_cache_reads_once_and_keeps_to_its_bytes(rooms: Rooms) -> None:
    one = num_bytes(rooms.view("anna", 0, 0))
    views = CachedViews(rooms, most_bytes=2 * one)
    rooms.reads.clear()
    a, b, c = Key("anna", 0, 0), Key("anna", 0, 1), Key("anna", 0, 2)
    for key in (a, b, a, a, b):
        views[key]
    assert rooms.reads == [tuple(a), tuple(b)]
    views[c]
    views[b]
    assert rooms.reads == [tuple(a), tuple(b), tuple(c)]
    views[a]
    assert rooms.reads[-1] == tuple(a)


def test_a_copy_for_a_worker_begins_empty(rooms: Rooms) -> None:
    views = CachedViews(rooms)
    views[Key("anna", 0, 0)]
    copy = pickle.loads(pickle.dumps(views))
    assert num_bytes(copy[Key("anna", 0, 0)]) > 0
    assert len(copy._views) == 1 and copy.data is not rooms


def test_another_size_shows_the_same_scene(body: BodyModel) -> None:
    seen = photograph(body, standing(), camera_in_front((96, 80)))
    whole = View(seen, body.pose(seen.pose).vertices, depth=torch.rand(96, 80))
    half = resized(whole, (48, 40))
    assert half.subject.image.shape == (3, 48, 40) and half.subject.camera.size == (48, 40)
    torch.testing.assert_close(half.subject.image[:, 0, 0], seen.image[:, :2, :2].mean((1, 2)))
    full_pixels, depth = project(seen.camera, whole.vertices)
    half_pixels, same_depth = project(half.subject.camera, whole.vertices)
    torch.testing.assert_close(half_pixels * 2, full_pixels, rtol=0, atol=1e-3)
    torch.testing.assert_close(same_depth, depth)
    assert half.depth is not None and half.depth[0, 0] in whole.depth[:2, :2]
