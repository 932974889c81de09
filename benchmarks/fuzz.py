"""Fuzz all file readers: `python benchmarks/fuzz.py --inputs 100000 [--only NAME ...] [--seconds N]`.

Each reader of `fuzz_readers.py` gets mutated copies of small valid files. It must either raise a SherfError or return
finite numbers; within seconds; in bounded memory; and without writing files, opening connections or starting processes.
Inputs that break a rule are kept in the corpus folder. An input depends only on the seed, the reader's name and its
number, so runs are reproducible; with --out, the same command resumes.
"""

import argparse
import faulthandler
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
import torch
from fuzz_mutate import mutated
from fuzz_readers import READERS, Reader

from sherf.errors import SherfError

MOST_SECONDS = 5.0
"""CPU time, as most times here: other load on the machine does not matter."""
HANG_SECONDS = 30.0
"""Code that does not return to Python cannot be interrupted: its process is killed."""
DEADLOCK_SECONDS = 600.0
"""Wall-clock limit for code that only waits."""
PREPARING = -1
"""Stands for the input number during imports, which may take long."""
MOST_GROWTH_MB = 256
ADDRESS_SPACE = 3 * 2**30
"""Bytes beyond those at the start of the process: allocating more fails."""
LONGEST_MESSAGE = 3000
FIRST_BATCH, LARGEST_BATCH, BATCH_SECONDS = 200, 5000, 8.0
"""Batches are sized by time, so that readers get equal shares of it."""
FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "socket.",
    "pickle.find_class", "ctypes.dlopen", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser.",
)  # fmt: skip
CHANGING = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "shutil.",
)


InputOf = Callable[[int], bytes]


@dataclass
class Tally:
    """Results of one reader so far."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    growth_mb: float = 0.0
    """Largest memory growth during one input."""
    seconds: float = 0.0
    found: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Add the results of another batch."""
        for name in ("inputs", "accepted", "refused", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.growth_mb = max(self.growth_mb, other.growth_mb)
        for fault, count in other.found.items():
            self.found[fault] = self.found.get(fault, 0) + count


class TooSlow(BaseException):
    """The time limit was exceeded. Not an Exception, so that no reader mistakes it for a damaged file."""


class _AuditWatch:
    """Records forbidden operations while a file is read (Python's audit events)."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._record)

    def _record(self, event: str, arguments: tuple) -> None:
        if self.folder is None:
            return
        if event.startswith(FORBIDDEN):
            self.seen.append(event)
        elif event == "open" and isinstance(arguments[2], int):
            writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if writes and not os.fspath(str(arguments[0])).startswith((self.folder, "/dev/null")):
                self.seen.append(f"writes {arguments[0]}")
        elif event.startswith(CHANGING) and not all(
            str(x).startswith(self.folder) for x in arguments if isinstance(x, str | Path)
        ):
            self.seen.append(event)


@cache
def _watch() -> _AuditWatch:
    return _AuditWatch()  # audit hooks cannot be removed


def fault_of(reader: Reader, read: Any, path: Path, watch: _AuditWatch) -> tuple[str | None, bool]:
    """Return which rule an input breaks, and whether the file was accepted."""
    accepted, fault = False, None
    watch.seen.clear()
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    watch.folder = str(path.parent)
    try:
        result = read(path)
        accepted = True
    except SherfError as error:
        if len(str(error)) > LONGEST_MESSAGE:
            fault = f"raises a message of {len(str(error))} characters"
    except TooSlow:
        fault = f"takes more than {MOST_SECONDS:g} s"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)
        own = next((f for f in reversed(place) if "/sherf/" in f.filename or "/datasets/" in f.filename), place[-1])
        fault = f"{type(error).__name__} at {Path(own.filename).name}:{own.name}: {str(error)[:100]}"
    finally:
        watch.folder = None
        signal.setitimer(signal.ITIMER_PROF, 0)
    if accepted and not _is_finite(result):
        fault = "accepts numbers that are not finite"
    if watch.seen:
        fault = f"triggers {watch.seen[0]}"
    return fault, accepted


def _is_finite(result: Any) -> bool:
    """Return whether all numbers of a result are finite."""
    waiting = [result]
    while waiting:
        match waiting.pop():
            case torch.Tensor() as value if not bool(value.isfinite().all()):
                return False
            case np.ndarray() as value if value.dtype.kind in "fc" and not np.isfinite(value).all():
                return False
            case float() as value if not np.isfinite(value):
                return False
            case dict() as value:
                waiting.extend(value.values())
            case list() | tuple() as value:
                waiting.extend(value)
            case value if is_dataclass(value):
                waiting.extend(getattr(value, f.name) for f in fields(value))
    return True


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _too_slow(*_: Any) -> None:
    raise TooSlow


def damaged(reader: Reader, seed: int) -> InputOf:
    """Return a function from input number to mutated file."""
    valid = reader.seeds()
    return lambda number: mutated(valid, Random(f"{seed} {reader.name} {number}"))


def run_batch(
    reader: Reader, input_of: InputOf, start: int, stop: int, folder: Path, corpus: Path | None = None, at: Any = None
) -> Tally:
    """Read inputs start to stop - 1 in this process.

    Args:
        reader: which reader.
        input_of: gives each input by its number.
        start: number of the first input.
        stop: number after the last input.
        folder: scratch folder for the files.
        corpus: folder for inputs that break a rule.
        at: shared number of the input that is being read.
    """
    tally, watch = Tally(), _watch()
    read = reader.prepare(folder)
    path = folder / f"input{reader.suffix}"
    for data in reader.seeds():  # fills imports and caches, and checks that the seeds are valid
        path.write_bytes(data)
        read(path)
    held = set(folder.iterdir())
    signal.signal(signal.SIGPROF, _too_slow)
    begin = time.process_time()
    for number in range(start, stop):
        if at is not None:
            at.value = number
        data = input_of(number)
        path.write_bytes(data)
        peak = _peak_mb()  # creating the input may have raised the peak
        started = time.process_time()
        fault, accepted = fault_of(reader, read, path, watch)
        taken = time.process_time() - started
        grown = _peak_mb() - peak
        if grown > MOST_GROWTH_MB:
            fault = f"takes {grown:.0f} MB"
        strange = set(folder.iterdir()) - held - {path}
        if strange:
            fault = f"leaves {min(strange).name} behind"
            held |= strange
        tally.inputs += 1
        tally.accepted += accepted
        tally.refused += not accepted and fault is None
        tally.slowest_s = max(tally.slowest_s, taken)
        tally.growth_mb += grown
        if fault is not None:
            tally.found[fault] = tally.found.get(fault, 0) + 1
            keep(corpus, reader, fault, data)
    tally.seconds = time.process_time() - begin
    return tally


def keep(corpus: Path | None, reader: Reader, fault: str, data: bytes) -> None:
    """Keep the smallest input of each fault, with a description beside it."""
    if corpus is None:
        return
    kind = "".join(c if c.isalnum() else "-" for c in fault.split(": ")[0])[:80]
    path = corpus / reader.name.replace(" ", "-") / f"{kind}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size > len(data):
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{reader.name}: {fault}\n", errors="replace")


def _in_child(sender: Any, folder: Path, *arguments: Any) -> None:
    faulthandler.disable()
    os.chdir(folder)
    with open(os.devnull, "w") as nothing:  # C libraries print warnings there
        os.dup2(nothing.fileno(), 2)
    torch.set_num_threads(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, resource.RLIM_INFINITY))
    try:
        sender.send(run_batch(*arguments))
    except Exception:
        sender.send(traceback.format_exc())


def batch_in_child(reader: Reader, input_of: InputOf, start: int, stop: int, corpus: Path | None = None) -> Tally:
    """Read inputs in a child process; a crash or hang counts as a fault of the current input."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    at = context.Value("q", PREPARING, lock=False)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    arguments = (reader, input_of, start, stop, folder, corpus, at)
    child = context.Process(target=_in_child, args=(sender, folder, *arguments))
    child.start()
    sender.close()
    spent = _spent(child.pid)
    last, since, used = PREPARING, time.monotonic(), spent()
    while not receiver.poll(1.0) and child.is_alive():
        if at.value != last:
            last, since, used = at.value, time.monotonic(), spent()
        elif last != PREPARING and (spent() - used > HANG_SECONDS or time.monotonic() - since > DEADLOCK_SECONDS):
            child.kill()
    try:
        tally = receiver.recv()
    except EOFError:
        child.join()
        number = at.value
        if number == PREPARING:
            sys.exit(f"{reader.name}: the harness itself crashed ({child.exitcode}).")
        fault = f"ends the process ({signal.Signals(-child.exitcode).name if child.exitcode < 0 else child.exitcode})"
        keep(corpus, reader, fault, input_of(number))
        tally = Tally(inputs=number - start + 1, found={fault: 1})
    child.join()
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(tally, str):
        sys.exit(f"{reader.name}: the harness itself failed.\n{tally}")
    return tally


def _spent(pid: int) -> Callable[[], float]:
    """Return a function that gives a process's CPU time so far, seconds."""
    process = psutil.Process(pid)

    def spent() -> float:
        with suppress(psutil.NoSuchProcess):
            return sum(process.cpu_times()[:2])
        return 0.0

    return spent


def table(tallies: dict[str, Tally]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| reader | inputs | accepted | refused | slowest | peak memory | inputs/s | faults |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, t in tallies.items():
        rate = t.inputs / t.seconds if t.seconds else 0
        most = sorted(t.found.items(), key=lambda item: -item[1])[:6]
        found = "; ".join(f"{fault} ({count})" for fault, count in most).replace("|", "/")
        lines.append(
            f"| {name} | {t.inputs:,} | {t.accepted:,} | {t.refused:,} | {1000 * t.slowest_s:.0f} ms | "
            f"{t.growth_mb:.0f} MB | {rate:.0f} | {found or 'none'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run batches of all readers in turn until all inputs are done or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="per reader, including those of earlier runs")
    parser.add_argument(
        "--only", nargs="+", choices=READERS, metavar="NAME", default=list(READERS), help=", ".join(READERS)
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="results as JSON; run the same command again to resume")
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz"), help="folder for inputs that break a rule")
    options = parser.parse_args()
    tallies = {name: Tally() for name in options.only}
    if options.out and options.out.exists():
        known = json.loads(options.out.read_text())
        if known["seed"] == options.seed:
            for name in (name for name in READERS if name in known["readers"]):
                tallies[name] = Tally(**known["readers"][name])
    end = time.monotonic() + options.seconds
    waiting = list(options.only)
    inputs = {name: damaged(READERS[name], options.seed) for name in waiting}
    corpus = options.corpus.absolute()
    while waiting and time.monotonic() < end:
        for name in tuple(waiting):
            tally = tallies[name]
            if tally.inputs >= options.inputs or time.monotonic() >= end:
                waiting.remove(name)
                continue
            batch = BATCH_SECONDS * tally.inputs / tally.seconds if tally.seconds else FIRST_BATCH
            stop = min(tally.inputs + max(1, min(round(batch), LARGEST_BATCH)), options.inputs)
            tally.add(batch_in_child(READERS[name], inputs[name], tally.inputs, stop, corpus))
            if options.out:
                kept = {"seed": options.seed, "readers": {name: asdict(tally) for name, tally in tallies.items()}}
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(kept, indent=1))
    print(table(tallies))
    sys.exit(1 if any(tally.found for tally in tallies.values()) else 0)


if __name__ == "__main__":
    main()
