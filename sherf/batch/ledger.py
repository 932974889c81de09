"""The ledger: the state of each item and a log of everything that happened to it, in one SQLite file.

One process writes it, the one that holds the folder's lock. It may be lost or deleted: what is done is also recorded
in a JSON file beside each output (`Done`), from which `reconcile` restores it.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sherf.batch.job import AVATAR, Item, Job
from sherf.errors import OutputError
from sherf.files.lock import LOCK, lock_folder
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
    """A finished item, recorded as JSON in the photo's folder, under .done/, right after its files are written."""

    key: str
    label: str
    files: list[str]
    """Relative to the photo's folder."""
    seconds: float
    frames: int = 0
    size: int = 0
    """Side of the rendered frames, pixels."""
    about: dict[str, Any] = field(default_factory=dict)
    """Of an avatar: verdict, reasons and warnings of the fit."""
    sizes: list[int] = field(default_factory=list)
    """Of the files, in bytes; empty in records of older versions."""

    def is_complete(self, folder: Path) -> bool:
        """Return whether all files are there and none was cut short since.

        Args:
            folder: the photo's.

        Raises:
            OSError: a file cannot be found.
        """
        sizes = self.sizes or [1] * len(self.files)
        return all((folder / name).stat().st_size >= max(size, 1) for name, size in zip(self.files, sizes, strict=True))


@dataclass(frozen=True)
class Entry:
    """An item's state in the ledger."""

    status: Status
    attempts: int = 0
    """How many attempts crashed."""
    reason: str = ""
    """Of the last failure."""
    done: Done | None = None


class Ledger:
    """States of items by their keys. Every change is on disk when the call returns."""

    def __init__(self, path: Path):
        """Open or create the ledger; a damaged one is moved aside with a warning.

        Args:
            path: an SQLite file, or `:memory:`.

        Raises:
            OutputError: the file cannot be opened.
        """
        self.path = path
        self._db = _open_database(path)
        try:
            self.entries = _read_entries(self._db)
        except (sqlite3.DatabaseError, TypeError, ValueError):
            self._db.close()
            backup = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            path.replace(backup)
            print_status(
                f"warning: {path} is damaged; moved to {backup.name}. It is rebuilt from the files beside the outputs."
            )
            self._db = _open_database(path)
            self.entries = {}

    def __getitem__(self, item: Item) -> Entry:
        return self.entries.get(item.key, Entry("waiting"))

    def mark_done(self, job: Job, item: Item, done: Done, event: str = "done") -> None:
        """Record that the item is finished.

        Args:
            job: whose item it is.
            item: the item.
            done: its files and costs.
            event: what the log says.

        Raises:
            OutputError: the ledger cannot be written.
        """
        self._write(job, item, Entry("done", self[item].attempts, "", done), event)

    def mark_failed(self, job: Job, item: Item, reason: str) -> None:
        """Record that the item is given up.

        Args:
            job: whose item it is.
            item: the item.
            reason: shown to the user.

        Raises:
            OutputError: the ledger cannot be written.
        """
        self._write(job, item, Entry("failed", self[item].attempts, reason), "failed")

    def record_crash(self, job: Job, item: Item, reason: str) -> int:
        """Record that an attempt crashed; the item waits for the next.

        Args:
            job: whose item it is.
            item: the item.
            reason: shown to the user.

        Returns:
            How many attempts have crashed so far.

        Raises:
            OutputError: the ledger cannot be written.
        """
        attempts = self[item].attempts + 1
        self._write(job, item, Entry("waiting", attempts, reason), "broke")
        return attempts

    def reset(self, job: Job, item: Item, event: str) -> None:
        """Make the item wait again, as if it had never been attempted.

        Args:
            job: whose item it is.
            item: the item.
            event: what the log says.

        Raises:
            OutputError: the ledger cannot be written.
        """
        self._write(job, item, Entry("waiting"), event)

    def failures(self, job: Job) -> list[tuple[str, str]]:
        """Return labels and reasons of failed items; of a photo without an avatar only the avatar's."""
        failed = [(item, self[item].reason) for item in job.items if self[item].status == "failed"]
        shown = failed[:1] if failed and failed[0][0].output == AVATAR else failed
        return [(item.label, reason) for item, reason in shown]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _write(self, job: Job, item: Item, entry: Entry, event: str) -> None:
        """Store the entry and log the event.

        Raises:
            OutputError: the ledger cannot be written.
        """
        record = None if entry.done is None else json.dumps(asdict(entry.done))
        row = (item.key, job.name, item.label, entry.status, entry.attempts, entry.reason, record)
        try:
            with self._db:
                self._db.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", (time.time(), item.key, event, entry.reason))
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"cannot write {self.path}: {error}.\nTo fix this: check the disk's free space and permissions, then "
                "run the same command again to resume; nothing is lost."
            ) from error
        self.entries[item.key] = entry


def write_done_file(folder: Path, done: Done) -> None:
    """Record in the photo's folder that an item is finished.

    Args:
        folder: the photo's output folder.
        done: the record.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(_done_file(folder, done.label), asdict(done))


def read_done_file(folder: Path, item: Item) -> Done | None:
    """Return what an earlier run recorded of exactly this item, if all its files are whole, else None."""
    try:
        done = Done(**json.loads(_done_file(folder, item.label).read_text(encoding="utf-8")))
        return done if done.key == item.key and done.is_complete(folder) else None
    except (OSError, ValueError, TypeError):
        return None


def _done_file(folder: Path, label: str) -> Path:
    return folder / DONE_FOLDER / f"{label}.json"


def reconcile(ledger: Ledger, jobs: list[Job], retry_failed: bool) -> None:
    """Update the ledger from the output folders: existing outputs count as done, lost ones wait again.

    Args:
        ledger: is updated.
        jobs: whose items to check.
        retry_failed: make failed items wait again.

    Raises:
        OutputError: the ledger cannot be written.
    """
    for job in jobs:
        for item in job.items:
            # the record beside the outputs decides: the folder may have been another photo's in between
            entry, done = ledger[item], read_done_file(job.folder, item)
            if entry.status == "done" and done is None:
                ledger.reset(job, item, "lost")
            elif entry.status != "done" and done is not None:
                ledger.mark_done(job, item, done, "found")
            elif entry.status == "failed" and retry_failed:
                ledger.reset(job, item, "again")


@contextmanager
def lock_batch_folder(out: Path, shard: str) -> Iterator[None]:
    """Keep other batches out of the folder; shards of one batch share it.

    Args:
        out: the batch's output folder, created if missing.
        shard: as I/N, or empty.

    Yields:
        Nothing.

    Raises:
        OutputError: another batch uses the folder, or it cannot be written.
    """
    with lock_folder(out, shared=bool(shard)):
        if not shard:
            yield
            return
        with lock_folder(out, f"{LOCK}-{_shard_suffix(shard)}"):
            yield


def ledger_path(out: Path, shard: str) -> Path:
    """Return the path of the batch's ledger, or of the shard's own."""
    return out / (f"ledger-{_shard_suffix(shard)}.sqlite" if shard else LEDGER)


def _shard_suffix(shard: str) -> str:
    return shard.replace("/", "-of-")


def import_shard_failures(ledger: Ledger, jobs: list[Job]) -> None:
    """Copy failures from the shards' ledgers into the batch's; `reconcile` finds what the shards finished.

    Args:
        ledger: is updated.
        jobs: whose items to look for.

    Raises:
        OutputError: a ledger cannot be opened or written.
    """
    for path in sorted(ledger.path.parent.glob("ledger-*-of-*.sqlite")):
        with closing(Ledger(path)) as shard:
            for job in jobs:
                for item in job.items:
                    if shard[item].status == "failed" and ledger[item].status == "waiting":
                        ledger.mark_failed(job, item, shard[item].reason)


def _open_database(path: Path) -> sqlite3.Connection:
    """Return a connection to the database, with its tables created.

    Raises:
        OutputError: the file cannot be opened.
    """
    try:
        db = sqlite3.connect(path, timeout=30)
    except sqlite3.OperationalError as error:
        raise OutputError(f"cannot open {path}: {error}.") from error
    with suppress(sqlite3.DatabaseError):  # not a database: noticed when it is read
        db.execute("PRAGMA synchronous = EXTRA")  # FULL may lose the last change in a power cut
        db.executescript(SCHEMA)
    return db


def _read_entries(db: sqlite3.Connection) -> dict[str, Entry]:
    """Return all entries by their keys.

    Raises:
        DatabaseError: the file is damaged, or is not an SQLite file.
        TypeError: a record lacks a field.
        ValueError: a record is not JSON.
    """
    (state,) = db.execute("PRAGMA quick_check").fetchone()
    if state != "ok":
        raise sqlite3.DatabaseError(state)
    rows = db.execute("SELECT key, status, attempts, reason, record FROM item")
    return {row[0]: _parse_entry(*row[1:]) for row in rows}


def _parse_entry(status: Status, attempts: int, reason: str, record: str | None) -> Entry:
    return Entry(status, attempts, reason, None if record is None else Done(**json.loads(record)))
