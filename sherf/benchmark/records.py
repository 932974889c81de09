"""Scores of single pictures: kept in a CSV that grows by a line a picture, so that a run can be taken up again."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sherf.benchmark.metrics import METRICS, Scores
from sherf.benchmark.protocols import Item, Kind
from sherf.errors import BadInput

SCOPES = ("published", "standard", "standard_person_box")
"""published and standard look at the body's box; the last one, in the standard convention, at the person's."""
KEYS = ("kind", "subject", "observed_pose", "observed_view", "pose", "view", "replaced", "angle")
SCORES = tuple(f"{scope}.{metric}" for scope in SCOPES for metric in METRICS)
COLUMNS = (*KEYS, *SCORES, "seconds")


@dataclass(frozen=True)
class Record:
    """One predicted picture."""

    kind: Kind
    subject: str
    observed_pose: int
    observed_view: int
    pose: int
    view: int
    replaced: bool
    angle: float
    """Between the directions of both cameras about the body's vertical axis, degrees, 0 to 180."""
    scores: dict[str, float]
    """By scope and metric, such as `standard.psnr`."""
    seconds: float
    """For rendering."""

    @property
    def key(self) -> tuple:
        """What tells one picture of a run from another."""
        return self.kind, self.subject, self.observed_pose, self.observed_view, self.pose, self.view

    @property
    def picture(self) -> str:
        """Name of its strip of pictures."""
        return f"{self.kind}_{self.observed_pose}_{self.observed_view}_to_{self.pose}_{self.view}.jpg"


def key_of(item: Item) -> tuple:
    """The key that an item's record will have."""
    observation, target = item.observation, item.target
    return item.kind, target.subject, observation.pose, observation.view, target.pose, target.view


def record_of(item: Item, angle: float, scores: dict[str, Scores], seconds: float) -> Record:
    """The record of a scored item."""
    flat = {f"{scope}.{metric}": getattr(scores[scope], metric) for scope in SCOPES for metric in METRICS}
    return Record(*key_of(item), item.replaced, angle, flat, seconds)


class RecordFile:
    """images.csv: one line a picture, written through to the disk before the next picture begins."""

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> list[Record]:
        """All whole lines; a line that an interruption cut short is taken away."""
        if not self.path.exists():
            return []
        text = self.path.read_text()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self.path.write_text(whole)
        lines = csv.DictReader(whole.splitlines())
        if lines.fieldnames is not None and tuple(lines.fieldnames) != COLUMNS:
            raise BadInput(f"{self.path} has other columns than this version writes.\nChoose another --out.")
        return list(_records(lines))

    def append(self, record: Record) -> None:
        """Add a line."""
        new = not self.path.exists() or self.path.stat().st_size == 0
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(COLUMNS)
            row = [*record.key, int(record.replaced), f"{record.angle:.2f}"]
            writer.writerow([*row, *(f"{record.scores[name]:.6g}" for name in SCORES), f"{record.seconds:.4f}"])
            file.flush()
            os.fsync(file.fileno())


def _records(lines: csv.DictReader) -> Iterator[Record]:
    for line in lines:
        kind: Kind = "novel_view" if line["kind"] == "novel_view" else "novel_pose"
        numbers = [int(line[name]) for name in ("observed_pose", "observed_view", "pose", "view")]
        scores = {name: float(line[name]) for name in SCORES}
        yield Record(
            kind,
            line["subject"],
            *numbers,
            line["replaced"] == "1",
            float(line["angle"]),
            scores,
            float(line["seconds"]),
        )


def keys_in(records: list[Record]) -> set[tuple]:
    """Which pictures are done."""
    return {record.key for record in records}
