"""The scheduler of `sherf batch`, run against machines that are only simulated: makespan, losses, memory, ledger.

    python benchmarks/scaling.py --photos 1000000 --workers 200
    python benchmarks/scaling.py --photos 5000 --workers 1 --runs 200      # 200 shards: the slowest one counts

The loop, the ledger and the retries are the program's own; only time is not real. Each photo is an avatar, two videos
and a GLB. What a photo takes is drawn from a log-normal distribution; machines go away and come back.
"""

import argparse
import heapq
import random
import resource
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

from sherf.batch.engine import Reply
from sherf.batch.ledger import Done, Ledger
from sherf.batch.manifest import Settings
from sherf.batch.plan import Item, Job
from sherf.batch.run_batch import settled
from sherf.batch.work import Result

LABELS = (("avatar", "avatar"), ("walk-still", "video"), ("turntable", "video"), ("glb", "glb"))
UNUSABLE = 0.03
"""Share of photos that give no avatar."""
BACK_AFTER_S = 600.0
"""Until a machine that went away is there again."""


class SimulatedEngine:
    """Workers whose time passes when asked (`sherf.batch.engine.Engine`)."""

    def __init__(self, workers: int, seconds: float, spread: float, hours_between_failures: float, seed: int):
        self.now, self.busy_s, self.lost_s, self.deaths = 0.0, 0.0, 0.0, 0
        self._seconds, self._spread = seconds, spread
        self._random = random.Random(seed)
        self._failures = 1 / (3600 * hours_between_failures) if hours_between_failures else 0.0
        self._free = [(0.0, worker) for worker in range(workers)]
        self._ends: list[tuple[float, int, bool, Job]] = []
        self._number = 0

    def ready(self) -> bool:
        """Every worker takes one job."""
        return bool(self._free)

    def submit(self, job: Job, chunk: int | None) -> None:
        """A job begins when its worker is there."""
        free, _ = heapq.heappop(self._free)
        start = max(free, self.now)
        seconds = self._random.lognormvariate(0, self._spread) * self._seconds * len(job.items) / len(LABELS)
        death = self._random.expovariate(self._failures) if self._failures else float("inf")
        self._number += 1
        heapq.heappush(self._ends, (start + min(seconds, death), self._number, death < seconds, job))
        spent = min(seconds, death)
        self.busy_s += spent
        self.lost_s += spent if death < seconds else 0.0

    def reply(self) -> Reply:
        """The next end."""
        self.now, number, died, job = heapq.heappop(self._ends)
        heapq.heappush(self._free, (self.now + (BACK_AFTER_S if died else 0.0), number))
        if died:
            self.deaths += 1
            return Reply(job, ended=True, crash="the machine went away", blameless=True)
        if job.items[0].label == "avatar" and self._random.random() < UNUSABLE:
            return Reply(job, (Result("avatar", "failed", reason="nobody is in the photo"),), ended=True)
        done = (Result(i.label, "done", Done(i.key, i.label, [], 1.0)) for i in job.items)
        return Reply(job, tuple(done), ended=True)

    def close(self) -> None:
        """Nothing to stop."""


def jobs_of(count: int) -> list[Job]:
    """As the plan makes them."""
    settings = Settings()
    return [
        Job(
            f"{number:07d}",
            Path(f"{number:07d}.jpg"),
            Path("out") / f"{number:07d}",
            tuple(Item(label, output, key=f"{number:060x}{place:04x}") for place, (label, output) in enumerate(LABELS)),
            settings,
        )
        for number in range(count)
    ]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0, help="a photo takes on a worker, median")
    parser.add_argument("--spread", type=float, default=0.5, help="standard deviation of its logarithm")
    parser.add_argument("--mtbf", type=float, default=500.0, help="hours between a worker's failures; 0: none")
    parser.add_argument("--runs", type=int, default=1, help="so many shards, each with these photos and workers")
    parser.add_argument("--on-disk", action="store_true", help="the ledger on the disk, as it really is")
    options = parser.parse_args()
    ends, wall, commits = [], 0.0, 0
    for seed in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder) / "ledger.sqlite" if options.on_disk else Path(":memory:"))
            engine = SimulatedEngine(options.workers, options.seconds, options.spread, options.mtbf, seed)
            jobs = jobs_of(options.photos)
            start = time.perf_counter()
            count = sum(1 for _ in settled(deque(jobs), ledger, engine, 3))
            wall += time.perf_counter() - start
            commits += count
            states = [ledger[item].status for job in jobs for item in job.items]
            assert states.count("waiting") == 0, "something was lost"
            made = ledger.times_done()
            assert all(times == 1 for times in made.values()), "something was made twice"
            ends.append(engine.now)
            ledger.close()
    hours = max(ends) / 3600
    print(f"{options.runs} x {options.photos:,} photos on {options.workers} workers: {hours:.2f} hours")
    if options.runs > 1:
        print(f"the median shard ends after {statistics.median(ends) / 3600:.2f} hours")
    used = engine.busy_s / (options.workers * engine.now)
    print(f"busy {used:.1%}; lost with {engine.deaths} machines {engine.lost_s / engine.busy_s:.3%} (the last run)")
    print(f"scheduler and ledger: {commits:,} items in {wall:.1f} s, {wall / commits * 1e6:.0f} microseconds each")
    print(f"largest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")


if __name__ == "__main__":
    main()
