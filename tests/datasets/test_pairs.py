"""Pairs of views: draws that depend on the step alone, and a bounded cache."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData, View
from sherf.datasets.pairs import CachedViews, Key, num_bytes
from sherf.errors import BadInput
from sherf.models.config import SMALL
from sherf.training.options import TrainingOptions
from sherf.training.training_pairs import TrainingPairs


@dataclass
class ToyData:
    """Two subjects with few frames and a broken one; a view's first coordinate identifies it."""

    view_template: View
    name: str = "toy_data"
    body_model: str = "openbody"
    root: Path = Path()
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
def toy_data(body: BodyModel) -> ToyData:
    seen = photograph(body, standing(), camera_in_front((48, 40)))
    return ToyData(View(seen, body.pose(seen.pose).vertices))


def _number(view: View) -> int:
    return int(view.vertices[0, 0])


def test_the_toy_data_implements_the_protocol(toy_data: ToyData) -> None:
    assert isinstance(toy_data, MultiviewData)


def _drawn(toy_data: ToyData, rank: int = 0, processes: int = 1, first: int = 0) -> list[tuple[int, int, tuple]]:
    options = TrainingOptions(SMALL, batch=2, front=0.5, same_pose=0.5)
    pairs = TrainingPairs(toy_data, options, first, rank, processes, last=20)
    assert pairs.skipped == {"broken": "broken/annots.npy is missing."}
    drawn = [pairs[i] for i in range(len(pairs))]
    return [(_number(d.pair.observation), _number(d.pair.target), tuple(d.seed)) for d in drawn]


def test_training_draws_pairs_of_one_subject_that_depend_on_the_step_alone(toy_data: ToyData) -> None:
    drawn = _drawn(toy_data)
    assert len(drawn) == 40 and all(a // 100 == b // 100 and a != b for a, b, _ in drawn)
    assert len({a for a, _, _ in drawn}) > 4 and len({seed for _, _, seed in drawn}) == 40
    assert any(a // 10 != b // 10 for a, b, _ in drawn) and any(a // 10 == b // 10 for a, b, _ in drawn)
    assert _drawn(toy_data) == drawn
    assert _drawn(toy_data, first=7) == drawn[14:]


def test_several_processes_share_the_batch_of_a_single_one(toy_data: ToyData) -> None:
    shares = [_drawn(toy_data, rank, processes=2) for rank in (0, 1)]
    assert [pair for both in zip(*shares, strict=True) for pair in both] == _drawn(toy_data)


def test_the_cache_reads_once_and_keeps_its_size_limit(toy_data: ToyData) -> None:
    one = num_bytes(toy_data.view("anna", 0, 0))
    views = CachedViews(toy_data, most_bytes=2 * one)
    toy_data.reads.clear()
    a, b, c = Key("anna", 0, 0), Key("anna", 0, 1), Key("anna", 0, 2)
    for key in (a, b, a, a, b):
        views[key]
    assert toy_data.reads == [tuple(a), tuple(b)]
    views[c]
    views[b]
    assert toy_data.reads == [tuple(a), tuple(b), tuple(c)]
    views[a]
    assert toy_data.reads[-1] == tuple(a)


def test_a_copy_for_a_worker_starts_empty(toy_data: ToyData) -> None:
    views = CachedViews(toy_data)
    views[Key("anna", 0, 0)]
    copy = pickle.loads(pickle.dumps(views))
    assert num_bytes(copy[Key("anna", 0, 0)]) > 0
    assert len(copy._views) == 1 and copy.data is not toy_data
