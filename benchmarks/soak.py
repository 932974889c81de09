"""Soak test: hours of mixed work, to find leaks: `python benchmarks/soak.py --minutes 120 --out out/soak`.

Serves the page and runs one session after the other: with a photo of one or several people (render, animate, export),
with a photo of a wall, with a broken file; every fifth job is a batch beside the page. No two photos are the same.
After each job it records memory, open files, threads and temporary files of the server, and the peak memory of the
batch. Prints a table, including files left behind when the server has stopped. Results: `jobs.jsonl`, `soak.json`.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

import numpy as np
import psutil
from gradio_client import Client, handle_file
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
PHOTOS = ("person_1.jpg", "person_2.jpg", "darknet_person.jpg")
MOTIONS = ("walk", "wave", "bow", "jump")
BATCH_EVERY, BATCH_PHOTOS = 5, 4
WARM_UP = 5
"""Jobs excluded from the slope, during which models are loaded."""
SESSION_MINUTES = 5
"""Session lifetime: short, so that sessions expire often."""
MB = 2**20
SHERF = [sys.executable, "-m", "sherf.cli"]


@dataclass
class Served:
    """The running page."""

    process: psutil.Process
    """`sherf app`; the server is its child."""
    address: str
    temporary: Path

    @property
    def server(self) -> psutil.Process:
        """The server process."""
        return max(self.process.children(), key=lambda child: child.memory_info().rss)

    def state(self) -> dict[str, float]:
        """Return its current memory, open files, threads and temporary files."""
        files = [path for path in self.temporary.rglob("*") if path.is_file()]
        return {
            "memory_mb": round(self.server.memory_info().rss / MB, 1),
            "open_files": self.server.num_fds(),
            "threads": self.server.num_threads(),
            "temporary_files": len(files),
            "temporary_mb": round(sum(_size(path) for path in files) / MB, 1),
        }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # deleted meanwhile
        return 0


def main() -> None:
    """Run jobs until the time is up, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--out", type=Path, default=Path("out/soak"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    out = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    work, temporary = out / "work", out / "tmp"
    work.mkdir(parents=True)
    temporary.mkdir()
    served = serve(out / "page.log", temporary)
    random, end = Random(options.seed), time.monotonic() + 60 * options.minutes
    try:
        for number in count():
            if time.monotonic() >= end:
                break
            record = job(number, random, work, served)
            with (out / "jobs.jsonl").open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
    except KeyboardInterrupt:
        print("interrupted: results so far")
    finally:
        code = stop(served)
    if not (out / "jobs.jsonl").exists():
        sys.exit("interrupted before the first job finished: no results")
    jobs = [json.loads(line) for line in (out / "jobs.jsonl").read_text().splitlines()]
    left = [str(path.relative_to(temporary)) for path in temporary.rglob("*") if path.is_file()]
    figures = {"exit_code": code, "left_behind": left, "log": (out / "page.log").read_text()[-2000:], **summarise(jobs)}
    (out / "soak.json").write_text(json.dumps(figures, indent=1))
    print(table(figures))


def serve(log: Path, temporary: Path) -> Served:
    """Start the page with its own folder for temporary files."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with log.open("w") as file:
        command = [*SHERF, "app", "--port", str(port), "--minutes", str(SESSION_MINUTES)]
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return Served(psutil.Process(process.pid), address, temporary)
        time.sleep(0.3)
    sys.exit(log.read_text())


def stop(served: Served) -> int | None:
    """Stop the page as Ctrl-C does, and return its exit code."""
    served.process.send_signal(signal.SIGINT)
    try:
        return served.process.wait(timeout=30)
    except psutil.TimeoutExpired:
        served.process.kill()
        return None


def job(number: int, random: Random, work: Path, served: Served) -> dict:
    """Run one job and return its record."""
    shutil.rmtree(work)
    work.mkdir()
    started, name, outcome, peak = time.monotonic(), "batch", "done", 0.0
    if number % BATCH_EVERY == BATCH_EVERY - 1:
        peak = batch(work, random, served.temporary)
    else:
        name = random.choices(list(SESSIONS), weights=(8, 1, 1))[0]
        outcome = run_session(SESSIONS[name], Client(served.address, verbose=False, download_files=work), work, random)
    return {
        "job": number,
        "kind": name,
        "said": outcome,
        "seconds": round(time.monotonic() - started, 1),
        "batch_peak_mb": peak,
        **served.state(),
    }


def run_session(act: Callable[[Client, Path, Random], str], page: Client, work: Path, random: Random) -> str:
    """Return the outcome of a session."""
    try:
        return act(page, work, random)
    except Exception as error:
        return f"refused: {str(error).splitlines()[0][:120]}"
    finally:
        page.close()


def session(page: Client, work: Path, random: Random) -> str:
    """Run a session from photo to exported files."""
    page.predict(handle_file(str(photo(work / "me.jpg", random))), 1, api_name="/reconstruct")
    page.predict(api_name="/build")
    for _ in range(3):
        page.predict(random.randint(-180, 180), random.randint(-60, 60), 1.2, "colours", api_name="/render")
    motion = random.choice(MOTIONS)
    choices = ("white", 256, "still") if random.random() < 0.7 else ("transparent", 256, "turntable")
    page.predict(motion, None, 2, 1, False, True, *choices, api_name="/animate")
    page.predict(motion, None, api_name="/export")
    return "done"


def wall(page: Client, work: Path, random: Random) -> str:
    """Upload a photo without a person."""
    grey = np.random.default_rng(random.getrandbits(32)).integers(118, 138, (600, 400, 3), dtype=np.uint8)
    Image.fromarray(grey).save(work / "wall.png")
    page.predict(handle_file(str(work / "wall.png")), 1, api_name="/reconstruct")
    return "accepted"


def broken(page: Client, work: Path, random: Random) -> str:
    """Upload a truncated photo."""
    path = photo(work / "me.jpg", random)
    path.write_bytes(path.read_bytes()[: random.randint(100, 20_000)])
    page.predict(handle_file(str(path)), 1, api_name="/reconstruct")
    return "accepted"


SESSIONS = {"session": session, "wall": wall, "broken file": broken}


def photo(path: Path, random: Random) -> Path:
    """Write a variant of an example photo."""
    with Image.open(EXAMPLES / random.choice(PHOTOS)) as image:
        scale = random.uniform(0.7, 1.0)
        image.resize((round(scale * image.width), round(scale * image.height))).save(path, quality=93)
    return path


def batch(work: Path, random: Random, temporary: Path) -> float:
    """Run a batch of a few photos with two workers; return the peak memory of all processes, MB."""
    (work / "photos").mkdir()
    for number in range(BATCH_PHOTOS):
        photo(work / "photos" / f"{number}.jpg", random)
    command = [*SHERF, "batch", work / "photos", "--out", work / "out", "--motions", random.choice(MOTIONS)]
    command += ["--size", "128", "--frames", "8", "--outputs", "video", "glb", "--workers", "2"]
    running = psutil.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(temporary)}
    )
    peaks, ended = [0.0], threading.Event()
    watching = threading.Thread(target=_watch, args=(running, peaks, ended), daemon=True)
    watching.start()
    code = running.wait()
    ended.set()
    watching.join()
    if code != 0:
        raise SystemExit(f"the batch ended with exit code {code}")
    return round(max(peaks), 1)


def _watch(running: psutil.Process, peaks: list[float], ended: threading.Event) -> None:
    while not ended.wait(1.0):
        try:
            family = [running, *running.children(recursive=True)]
            peaks.append(sum(process.memory_info().rss for process in family) / MB)
        except psutil.NoSuchProcess:
            continue


def summarise(jobs: list[dict]) -> dict:
    """Return start, end and slope of each measured quantity."""
    later = jobs[WARM_UP:]
    figures: dict = {"jobs": len(jobs), "hours": round(sum(job["seconds"] for job in jobs) / 3600, 2), "kinds": {}}
    for job in jobs:
        known = figures["kinds"].setdefault(job["kind"], {"count": 0, "refused": 0})
        known["count"] += 1
        known["refused"] += job["said"] != "done"
    hours = np.cumsum([job["seconds"] for job in jobs])[WARM_UP:] / 3600
    for what in ("memory_mb", "open_files", "threads", "temporary_files", "temporary_mb"):
        figures[what] = _course(hours, np.array([job[what] for job in later]))
    peaks = [(hour, job["batch_peak_mb"]) for hour, job in zip(hours, later, strict=True) if job["kind"] == "batch"]
    figures["batch_peak_mb"] = _course(*map(np.array, zip(*peaks, strict=True))) if peaks else None
    return figures


def _course(hours: np.ndarray, values: np.ndarray) -> dict[str, float] | None:
    if len(values) < 4:
        return None
    quarter = max(1, len(values) // 4)
    return {
        "first_quarter": round(float(np.median(values[:quarter])), 1),
        "last_quarter": round(float(np.median(values[-quarter:])), 1),
        "most": round(float(values.max()), 1),
        "slope_an_hour": round(float(np.polyfit(hours, values, 1)[0]), 2),
        "slope_an_hour_of_the_second_half": round(float(np.polyfit(*_half(hours, values), 1)[0]), 2),
    }


def _half(hours: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = len(values) // 2
    return hours[middle:], values[middle:]


def table(figures: dict) -> str:
    """Return the results as a Markdown table."""
    kinds = ", ".join(f"{of['count']} x {kind} ({of['refused']} refused)" for kind, of in figures["kinds"].items())
    lines = [f"{figures['jobs']} jobs in {figures['hours']} hours: {kinds}", ""]
    lines += [
        "| | first quarter | last quarter | maximum | slope per hour | slope of the second half |",
        "|---|---|---|---|---|---|",
    ]
    for what, course in figures.items():
        if isinstance(course, dict) and "most" in course:
            lines.append(f"| {what.replace('_', ' ')} | {' | '.join(f'{number:g}' for number in course.values())} |")
    lines += ["", f"exit code {figures['exit_code']}, {len(figures['left_behind'])} temporary files left behind"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
