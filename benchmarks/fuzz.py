"""Damaged files by the hundred thousand: `python benchmarks/fuzz.py --inputs 100000 [--only NAME ...] [--seconds N]`.

Each reader of `fuzz_readers.py` gets damaged copies of small sound files. Only a SherfError may come out of it, or a
result of finite numbers; within seconds; without much memory; and without writing, connecting or starting anything.
What breaks a rule is kept in the corpus folder. An input follows from the seed, the reader's name and its number, so
the same command again finds the same, and with --out it goes on where it was.
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
"""Of a core, as all seconds here: it does not matter what else the machine does."""
HANG_SECONDS = 30.0
"""Code that does not return to Python cannot be interrupted: its process is ended."""
DEADLOCK_SECONDS = 600.0
"""By the clock: of code that only waits."""
PREPARING = -1
"""In place of an input's number: imports may take long."""
MOST_GROWTH_MB = 256
ADDRESS_SPACE = 3 * 2**30
"""Beyond what the process has at its start: allocating more fails."""
LONGEST_MESSAGE = 3000
FIRST_BATCH, LARGEST_BATCH, BATCH_SECONDS = 200, 5000, 8.0
"""Readers take turns by time, not by number."""
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
    """What one reader did so far."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    growth_mb: float = 0.0
    """Most memory beyond that at the start."""
    seconds: float = 0.0
    found: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Count another batch too."""
        for name in ("inputs", "accepted", "refused", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.growth_mb = max(self.growth_mb, other.growth_mb)
        for fault, count in other.found.items():
            self.found[fault] = self.found.get(fault, 0) + count


class TooSlow(BaseException):
    """Not an Exception: no reader may take it for a damaged file."""


class _Watch:
    """What the interpreter is asked to do while a file is read."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
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
def _watch() -> _Watch:
    return _Watch()  # the interpreter never lets go of it


def fault_of(reader: Reader, read: Any, path: Path, watch: _Watch) -> tuple[str | None, bool]:
    """Which rule an input breaks, and whether the file was accepted."""
    accepted, fault = False, None
    watch.seen.clear()
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    watch.folder = str(path.parent)
    try:
        result = read(path)
        accepted = True
    except SherfError as error:
        if len(str(error)) > LONGEST_MESSAGE:
            fault = f"a message of {len(str(error))} characters"
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
        fault = f"asks the system for {watch.seen[0]}"
    return fault, accepted


def _is_finite(result: Any) -> bool:
    """Whether all numbers of a result are."""
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
    """What `fuzz_mutate` makes of the reader's sound files, by number."""
    sound = reader.seeds()
    return lambda number: mutated(sound, Random(f"{seed} {reader.name} {number}"))


def run_batch(
    reader: Reader, input_of: InputOf, start: int, stop: int, folder: Path, corpus: Path | None = None, at: Any = None
) -> Tally:
    """Inputs of these numbers, in this process.

    Args:
        folder: for the files; anything may be in it afterwards.
        corpus: where what breaks a rule is kept.
        at: a shared number that says which input is being read.
    """
    tally, watch = Tally(), _watch()
    read = reader.prepare(folder)
    path = folder / f"input{reader.suffix}"
    for data in reader.seeds():  # imports, caches, and whether the seeds are sound at all
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
        peak = _peak_mb()  # making the input may have taken more than reading anything before
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
    """The smallest input of each fault, and the fault in words beside it."""
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
    with open(os.devnull, "w") as nothing:  # libraries of C complain there
        os.dup2(nothing.fileno(), 2)
    torch.set_num_threads(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, resource.RLIM_INFINITY))
    try:
        sender.send(run_batch(*arguments))
    except Exception:
        sender.send(traceback.format_exc())


def batch_in_child(reader: Reader, input_of: InputOf, start: int, stop: int, corpus: Path | None = None) -> Tally:
    """Likewise in a process of its own, whose end (a crash, a hang) counts as a fault of the input that it had."""
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
            sys.exit(f"{reader.name}: the harness itself ended ({child.exitcode}).")
        fault = f"ends the process ({signal.Signals(-child.exitcode).name if child.exitcode < 0 else child.exitcode})"
        keep(corpus, reader, fault, input_of(number))
        tally = Tally(inputs=number - start + 1, found={fault: 1})
    child.join()
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(tally, str):
        sys.exit(f"{reader.name}: the harness itself failed.\n{tally}")
    return tally


def _spent(pid: int) -> Callable[[], float]:
    """The seconds of a core that a process has taken so far."""
    process = psutil.Process(pid)

    def spent() -> float:
        with suppress(psutil.NoSuchProcess):
            return sum(process.cpu_times()[:2])
        return 0.0

    return spent


def table(tallies: dict[str, Tally]) -> str:
    """In Markdown."""
    lines = [
        "| reader | inputs | accepted | refused | slowest | most memory | a second | found |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, t in tallies.items():
        rate = t.inputs / t.seconds if t.seconds else 0
        most = sorted(t.found.items(), key=lambda item: -item[1])[:6]
        found = "; ".join(f"{fault} ({count})" for fault, count in most).replace("|", "/")
        lines.append(
            f"| {name} | {t.inputs:,} | {t.accepted:,} | {t.refused:,} | {1000 * t.slowest_s:.0f} ms | "
            f"{t.growth_mb:.0f} MB | {rate:.0f} | {found or 'nothing'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Go round the readers, a batch each, until all have their inputs or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="of each reader, those of earlier runs included")
    parser.add_argument(
        "--only", nargs="+", choices=READERS, metavar="NAME", default=list(READERS), help=", ".join(READERS)
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="figures as JSON; the same command again goes on")
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz"), help="where what breaks a rule is kept")
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
