"""Scores of single images, in a CSV that grows by one row per image, so that an interrupted run can resume."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sherf.benchmark.metrics import METRICS, Scores
from sherf.benchmark.protocols import EvaluationPair, Kind
from sherf.errors import BadInput
from sherf.files.output import write_text
from sherf.progress import print_status

SCOPES = ("published", "standard", "standard_person_box")
"""How an image is scored: `published` and `standard` are the conventions of `sherf.benchmark.metrics` over the body's
box, `standard_person_box` is the standard one over the bounding rectangle of the person's mask."""
KEYS = ("kind", "subject", "observed_pose", "observed_view", "pose", "view", "replaced", "angle")
SCORES = tuple(f"{scope}.{metric}" for scope in SCOPES for metric in METRICS)
COLUMNS = (*KEYS, *SCORES, "seconds")
HEADER = ",".join(COLUMNS) + "\r\n"


class RecordKey(NamedTuple):
    """Identifies one predicted image of a run."""

    kind: Kind
    subject: str
    observed_pose: int
    observed_view: int
    pose: int
    view: int


@dataclass(frozen=True)
class Record:
    """The scores of one predicted image."""

    kind: Kind
    subject: str
    observed_pose: int
    observed_view: int
    pose: int
    view: int
    replaced: bool
    """Whether a missing frame was replaced, see `EvaluationPair`."""
    angle: float
    """Azimuth between both cameras about the body's vertical axis, degrees, 0 to 180."""
    scores: dict[str, float]
    """By scope and metric, such as `standard.psnr`."""
    seconds: float
    """Rendering time."""

    @property
    def key(self) -> RecordKey:
        """Identity of the image within its run."""
        return RecordKey(self.kind, self.subject, self.observed_pose, self.observed_view, self.pose, self.view)

    @property
    def strip_name(self) -> str:
        """File name of the image strip."""
        return f"{self.kind}_{self.observed_pose}_{self.observed_view}_to_{self.pose}_{self.view}.jpg"


def key_of(pair: EvaluationPair) -> RecordKey:
    """Return the key that the record of a pair will have."""
    observation, target = pair.observation, pair.target
    return RecordKey(pair.kind, target.subject, observation.pose, observation.view, target.pose, target.view)


def make_record(pair: EvaluationPair, angle: float, scores: dict[str, Scores], seconds: float) -> Record:
    """Return the record of a scored pair.

    Args:
        pair: what was predicted.
        angle: see `Record`, degrees.
        scores: by scope.
        seconds: rendering time.
    """
    flat = {f"{scope}.{metric}": getattr(scores[scope], metric) for scope in SCOPES for metric in METRICS}
    return Record(*key_of(pair), replaced=pair.replaced, angle=angle, scores=flat, seconds=seconds)


class RecordFile:
    """images.csv: one row per image, flushed to disk before the next image is predicted."""

    def __init__(self, path: Path):
        """Name the file; nothing is read or written yet."""
        self.path = path

    def read(self) -> list[Record]:
        """Read all whole rows; rows that a crash or power cut damaged are removed from the file.

        Returns:
            The records, none if the file does not exist.

        Raises:
            BadInput: the file has other columns than `COLUMNS`.
            OutputError: damaged rows cannot be removed.
        """
        if not self.path.exists():
            return []
        text = self.path.read_bytes().decode(errors="replace")
        lines = list(io.StringIO(text, newline="\n"))
        header = lines[0] if lines else HEADER
        if header.endswith("\n") and header.rstrip() != HEADER.rstrip():
            raise BadInput(f"{self.path} was written by another version: its columns differ.\nChoose another --out.")
        records = [(line, _parse_row(line)) for line in lines[1:]]
        whole = [line for line, record in records if record is not None]
        if [header, *whole] != lines or not header.endswith("\n"):
            print_status(f"{self.path} is damaged: keeping its {len(whole)} whole rows; the others are scored again.")
            write_text(self.path, "".join([HEADER, *whole]))
        return [record for _, record in records if record is not None]

    def append(self, record: Record) -> None:
        """Append a row and flush it to disk."""
        if not self.path.exists():
            write_text(self.path, HEADER)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            row = [*record.key, int(record.replaced), f"{record.angle:.2f}"]
            scores = [f"{record.scores[name]:.6g}" for name in SCORES]
            csv.writer(file).writerow([*row, *scores, f"{record.seconds:.4f}"])
            file.flush()
            os.fsync(file.fileno())


def _parse_row(line: str) -> Record | None:
    """Return the record of a row; None if the row is damaged."""
    if not line.endswith("\n"):
        return None
    try:
        (cells,) = csv.reader([line])
        row = dict(zip(COLUMNS, cells, strict=True))
        return Record(
            kind="novel_view" if row["kind"] == "novel_view" else "novel_pose",
            subject=row["subject"],
            observed_pose=int(row["observed_pose"]),
            observed_view=int(row["observed_view"]),
            pose=int(row["pose"]),
            view=int(row["view"]),
            replaced=row["replaced"] == "1",
            angle=float(row["angle"]),
            scores={name: float(row[name]) for name in SCORES},
            seconds=float(row["seconds"]),
        )
    except (ValueError, csv.Error):
        return None
