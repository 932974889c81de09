"""Pairs of pictures: random access that depends on the index alone, a cache that is bounded, sizes that agree."""

import pickle
from dataclasses import dataclass, field

import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.body.model import BodyModel
from sherf.camera import project
from sherf.datasets.multiview import MultiviewData, View
from sherf.datasets.pairs import CachedViews, EvaluationPairs, Key, TrainingPairs, num_bytes, resized
from sherf.errors import BadInput


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


def test_training_pairs_are_of_one_subject_and_pose_and_depend_on_the_index_alone(rooms: Rooms) -> None:
    pairs = TrainingPairs(rooms, seed=3)
    assert len(pairs) == 9 and pairs.left_out == {"broken": "broken/annots.npy is missing."}
    first = [(_number(p.observation), _number(p.target)) for p in (pairs[i] for i in range(9))]
    assert all(a // 10 == b // 10 for a, b in first)
    again = TrainingPairs(rooms, seed=3)
    assert [(_number(again[i].observation), _number(again[i].target)) for i in reversed(range(9))] == first[::-1]
    again.epoch = 1
    assert [(_number(again[i].observation), _number(again[i].target)) for i in range(9)] != first


def test_evaluation_pairs_come_in_order(rooms: Rooms) -> None:
    keys = [(Key("anna", 0, 1), Key("anna", 2, 0)), (Key("ben", 0, 0), Key("ben", 0, 2))]
    pairs = EvaluationPairs(rooms, keys)
    assert [(_number(p.observation), _number(p.target)) for p in (pairs[0], pairs[1])] == [(1, 20), (100, 102)]


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
