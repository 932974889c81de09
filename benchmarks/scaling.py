"""Run the scheduler of `sherf batch` on simulated machines: makespan, lost work, memory, ledger.

    python benchmarks/scaling.py --photos 1000000 --workers 200
    python benchmarks/scaling.py --photos 5000 --workers 1 --runs 200      # 200 shards: the slowest one counts

The loop, the ledger and the retries are real; only time is simulated. Each photo yields an avatar, two videos and a
GLB. The time per photo follows a log-normal distribution; machines fail and return.
"""

import argparse
import heapq
import random
import resource
import statistics
import tempfile
import time
from collections import Counter, deque
from pathlib import Path

from sherf.batch.engine import JobUpdate
from sherf.batch.job import Item, Job, Settings
from sherf.batch.job_runner import Result
from sherf.batch.ledger import Done, Ledger
from sherf.batch.scheduler import run_jobs

LABELS = (("avatar", "avatar"), ("walk-still", "video"), ("turntable", "video"), ("glb", "glb"))
UNUSABLE = 0.03
"""Fraction of photos without a person."""
BACK_AFTER_S = 600.0
"""Time until a failed machine returns."""


class SimulatedEngine:
    """Workers in simulated time (`sherf.batch.engine.Engine`)."""

    def __init__(self, workers: int, seconds: float, spread: float, hours_between_failures: float, seed: int):
        self.now, self.busy_s, self.lost_s, self.deaths = 0.0, 0.0, 0.0, 0
        self._seconds, self._spread = seconds, spread
        self._random = random.Random(seed)
        self._failures = 1 / (3600 * hours_between_failures) if hours_between_failures else 0.0
        self._free = [(0.0, worker) for worker in range(workers)]
        self._ends: list[tuple[float, int, bool, Job]] = []
        self._number = 0

    def has_capacity(self) -> bool:
        """Return whether a worker is idle; each takes one job."""
        return bool(self._free)

    def submit(self, job: Job, chunk: int | None) -> None:
        """Start a job as soon as its worker is available."""
        free, _ = heapq.heappop(self._free)
        start = max(free, self.now)
        seconds = self._random.lognormvariate(0, self._spread) * self._seconds * len(job.items) / len(LABELS)
        death = self._random.expovariate(self._failures) if self._failures else float("inf")
        self._number += 1
        heapq.heappush(self._ends, (start + min(seconds, death), self._number, death < seconds, job))
        spent = min(seconds, death)
        self.busy_s += spent
        self.lost_s += spent if death < seconds else 0.0

    def wait(self) -> JobUpdate:
        """Advance to the next end of a job."""
        self.now, number, died, job = heapq.heappop(self._ends)
        heapq.heappush(self._free, (self.now + (BACK_AFTER_S if died else 0.0), number))
        if died:
            self.deaths += 1
            return JobUpdate(job, is_finished=True, crash="the machine failed", is_machine_lost=True)
        if job.items[0].label == "avatar" and self._random.random() < UNUSABLE:
            return JobUpdate(job, (Result("avatar", "failed", reason="no person in the photo"),), is_finished=True)
        done = (Result(i.label, "done", Done(i.key, i.label, [], 1.0)) for i in job.items)
        return JobUpdate(job, tuple(done), is_finished=True)

    def close(self) -> None:
        """Do nothing: there are no processes to stop."""


def jobs_of(count: int) -> list[Job]:
    """Return jobs as the plan makes them."""
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
    parser.add_argument("--seconds", type=float, default=20.0, help="median time per photo on a worker")
    parser.add_argument("--spread", type=float, default=0.5, help="standard deviation of the logarithm of the time")
    parser.add_argument("--mtbf", type=float, default=500.0, help="hours between a worker's failures; 0: none")
    parser.add_argument("--runs", type=int, default=1, help="number of shards, each with these photos and workers")
    parser.add_argument("--on-disk", action="store_true", help="keep the ledger on disk, as in real batches")
    options = parser.parse_args()
    ends, wall, commits = [], 0.0, 0
    for seed in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder) / "ledger.sqlite" if options.on_disk else Path(":memory:"))
            engine = SimulatedEngine(options.workers, options.seconds, options.spread, options.mtbf, seed)
            jobs = jobs_of(options.photos)
            start = time.perf_counter()
            times = Counter(item.key for item in run_jobs(deque(jobs), ledger, engine, 3))
            wall += time.perf_counter() - start
            commits += len(times)
            states = [ledger[item].status for job in jobs for item in job.items]
            assert states.count("waiting") == 0, "an item was lost"
            assert all(count == 1 for count in times.values()), "an item was made twice"
            ends.append(engine.now)
            ledger.close()
    hours = max(ends) / 3600
    print(f"{options.runs} x {options.photos:,} photos on {options.workers} workers: {hours:.2f} hours")
    if options.runs > 1:
        print(f"median shard: {statistics.median(ends) / 3600:.2f} hours")
    used = engine.busy_s / (options.workers * engine.now)
    print(f"utilisation {used:.1%}; lost to {engine.deaths} failures: {engine.lost_s / engine.busy_s:.3%} (last run)")
    print(f"scheduler and ledger: {commits:,} items in {wall:.1f} s, {wall / commits * 1e6:.0f} microseconds each")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")


if __name__ == "__main__":
    main()
