"""The ledger: what each item's state is, and everything that happened to it, in one SQLite file.

One process writes it, the one that holds the folder's lock. It can be lost: what is done is also written down beside
each output (`Done`), and found again.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sherf.batch.plan import AVATAR, Item, Job
from sherf.errors import OutputError
from sherf.files.lock import LOCK, alone_in
from sherf.files.output import write_json
from sherf.progress import print_status

LEDGER = "ledger.sqlite"
DONE_FOLDER = ".done"
Status = Literal["waiting", "done", "failed"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS item (key TEXT PRIMARY KEY, photo TEXT, label TEXT, status TEXT, attempts INTEGER,
    reason TEXT, record TEXT);
CREATE TABLE IF NOT EXISTS event (at REAL, key TEXT, what TEXT, reason TEXT);
"""


@dataclass(frozen=True)
class Done:
    """An item that is made; kept as JSON in the photo's folder, under .done/, from the moment that it is."""

    key: str
    label: str
    files: list[str]
    """Seen from the photo's folder."""
    seconds: float
    frames: int = 0
    size: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    """Of an avatar: verdict, reasons, warnings."""


@dataclass(frozen=True)
class Entry:
    """An item's line in the ledger."""

    status: Status
    attempts: int = 0
    reason: str = ""
    done: Done | None = None


class Ledger:
    """States of items by their keys. Each change is on the disk when the call returns."""

    def __init__(self, path: Path):
        self.path = path
        self._db = _opened(path)
        try:
            rows = self._db.execute("SELECT key, status, attempts, reason, record FROM item").fetchall()
            self.entries = {row[0]: _entry(*row[1:]) for row in rows}
        except (sqlite3.DatabaseError, TypeError, ValueError):
            self._db.close()
            aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            path.replace(aside)
            print_status(
                f"warning: {path} is damaged; moved to {aside.name}. What is done is found again beside the outputs."
            )
            self._db = _opened(path)
            self.entries = {}

    def __getitem__(self, item: Item) -> Entry:
        return self.entries.get(item.key, Entry("waiting"))

    def finish(self, job: Job, item: Item, done: Done, what: str = "done") -> None:
        """The item is made."""
        self._write(job, item, Entry("done", self[item].attempts, "", done), what)

    def fail(self, job: Job, item: Item, reason: str) -> None:
        """The item is given up."""
        self._write(job, item, Entry("failed", self[item].attempts, reason), "failed")

    def broke(self, job: Job, item: Item, reason: str) -> int:
        """An attempt did not end; returns how many that makes."""
        attempts = self[item].attempts + 1
        self._write(job, item, Entry("waiting", attempts, reason), "broke")
        return attempts

    def forget(self, job: Job, item: Item, what: str) -> None:
        """The item is to be made again."""
        self._write(job, item, Entry("waiting"), what)

    def times_done(self) -> dict[str, int]:
        """How often each item was made, ever."""
        rows = self._db.execute("SELECT key, COUNT(*) FROM event WHERE what = 'done' GROUP BY key")
        return dict(rows.fetchall())

    def failures(self, job: Job) -> list[tuple[str, str]]:
        """Labels and reasons; of a photo without an avatar the avatar's alone."""
        failed = [(item, self[item].reason) for item in job.items if self[item].status == "failed"]
        shown = failed[:1] if failed and failed[0][0].output == AVATAR else failed
        return [(item.label, reason) for item, reason in shown]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _write(self, job: Job, item: Item, entry: Entry, what: str) -> None:
        record = None if entry.done is None else json.dumps(asdict(entry.done))
        row = (item.key, job.name, item.label, entry.status, entry.attempts, entry.reason, record)
        try:
            with self._db:
                self._db.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", (time.time(), item.key, what, entry.reason))
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"cannot write {self.path}: {error}.\nTo mend it: check the disk's free space and permissions, then "
                "run the same command again: nothing is lost."
            ) from error
        self.entries[item.key] = entry


def write_done(folder: Path, done: Done) -> None:
    """Write down beside the outputs that they are complete."""
    write_json(_done_path(folder, done.label), asdict(done))


def find_done(folder: Path, item: Item) -> Done | None:
    """What an earlier run wrote down of this very item, if all its files are there."""
    try:
        done = Done(**json.loads(_done_path(folder, item.label).read_text(encoding="utf-8")))
        there = all((folder / name).stat().st_size > 0 for name in done.files)  # a power cut leaves empty files
    except (OSError, ValueError, TypeError):
        return None
    return done if done.key == item.key and there else None


def _done_path(folder: Path, label: str) -> Path:
    return folder / DONE_FOLDER / f"{label}.json"


def recover(ledger: Ledger, jobs: list[Job], retry_failed: bool) -> None:
    """Bring the ledger up to what lies on the disk: found outputs count, lost ones are made again."""
    for job in jobs:
        for item in job.items:
            # the note beside the outputs decides: the folder may have been another photo's meanwhile
            entry, found = ledger[item], find_done(job.folder, item)
            if entry.status == "done" and found is None:
                ledger.forget(job, item, "lost")
            elif entry.status != "done" and found is not None:
                ledger.finish(job, item, found, "found")
            elif entry.status == "failed" and retry_failed:
                ledger.forget(job, item, "again")


@contextmanager
def locked(out: Path, shard: str) -> Iterator[None]:
    """Keep other batches out of the folder; shards of one batch share it.

    Raises:
        OutputError: another one works there, or the folder cannot be written.
    """
    with alone_in(out, shared=bool(shard)):
        if not shard:
            yield
            return
        with alone_in(out, f"{LOCK}-{_in_names(shard)}"):
            yield


def ledger_path(out: Path, shard: str) -> Path:
    """A shard has a ledger of its own."""
    return out / (f"ledger-{_in_names(shard)}.sqlite" if shard else LEDGER)


def _in_names(shard: str) -> str:
    return shard.replace("/", "-of-")


def take_in_shards(ledger: Ledger, jobs: list[Job]) -> None:
    """What failed in shards is known to the common ledger too; what they made is found beside the outputs."""
    for path in sorted(ledger.path.parent.glob("ledger-*-of-*.sqlite")):
        with closing(Ledger(path)) as other:
            for job in jobs:
                for item in job.items:
                    if other[item].status == "failed" and ledger[item].status == "waiting":
                        ledger.fail(job, item, other[item].reason)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, timeout=30)
    except sqlite3.OperationalError as error:
        raise OutputError(f"cannot open {path}: {error}.") from error
    with suppress(sqlite3.DatabaseError):  # no database: found out when it is read
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(SCHEMA)
    return db


def _entry(status: Status, attempts: int, reason: str, record: str | None) -> Entry:
    return Entry(status, attempts, reason, None if record is None else Done(**json.loads(record)))
