"""Speed beside another busy process: seconds when quiet and under load, side by side.

    python benchmarks/load.py [--json FILE] [--repeats N] [--setting GOMP_SPINCOUNT=1000 ...]

The load is one Python process that computes without a pause. Every measurement is a fresh process, quiet and loaded in
turn, so that other programs disturb both alike. "As set by SHERF" is what users get; "as before" are the defaults of
libgomp and OpenBLAS. `--setting` measures further settings of threads, to compare them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PHOTO = Path(__file__).parent.parent / "examples" / "person_1.jpg"
SHERF = [sys.executable, "-m", "sherf.cli"]
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OPENBLAS_THREAD_TIMEOUT", "OMP_NUM_THREADS")
SETTINGS = {
    "as set by SHERF": {},
    "as before": {"GOMP_SPINCOUNT": "300000", "OPENBLAS_THREAD_TIMEOUT": "28"},
}
FRAMES = {"frame": 5, "template frame": 5, "fast frame": 60}
"""Warm frames of 512 x 512 of which the median counts; a single fast one takes tens of milliseconds."""
AVATAR = "photo to avatar"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write all measurements to this file")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each kind")
    parser.add_argument("--only", nargs="*", default=[*FRAMES, AVATAR], help="what to measure")
    parser.add_argument("--setting", action="append", default=[], help="further variables, as A=1 or A=1,B=2")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "AVATAR"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(warm_frame(arguments.measure[0], arguments.measure[1]))
        return
    settings = SETTINGS | {text: dict(pair.split("=") for pair in text.split(",")) for text in arguments.setting}
    with tempfile.TemporaryDirectory() as folder:
        avatars = make_avatars(Path(folder))
        rows = [
            measure(what, name, variables, avatars, arguments.repeats)
            for what in arguments.only
            for name, variables in settings.items()
        ]
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def make_avatars(folder: Path) -> dict[str, Path]:
    """Make an avatar of each model, and return it by what is measured."""
    avatars = {}
    for model in ("sherf-small", "template"):
        command = [*SHERF, "reconstruct", str(PHOTO), "--model", model, "--out", str(folder / model)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        avatars[model] = folder / model / "avatar.safetensors"
    small = avatars["sherf-small"]
    return {"frame": small, "template frame": avatars["template"], "fast frame": small, AVATAR: small}


def measure(what: str, name: str, variables: dict[str, str], avatars: dict[str, Path], repeats: int) -> dict:
    """Return the seconds of all measurements, quiet and loaded in turn."""
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES} | variables
    quiet, loaded = [], []
    for _ in range(repeats):
        quiet.append(seconds(what, avatars[what], environment))
        with busy_process():
            loaded.append(seconds(what, avatars[what], environment))
    return {"what": what, "threads": name, "quiet_s": quiet, "loaded_s": loaded}


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def seconds(what: str, avatar: Path, environment: dict[str, str]) -> float:
    """Measure once, in a fresh process; photo to avatar includes its start."""
    if what == AVATAR:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            subprocess.run(
                [*SHERF, "reconstruct", str(PHOTO), "--out", folder],
                env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
            )  # fmt: skip
            return time.perf_counter() - start
    command = [sys.executable, __file__, "--measure", what, str(avatar)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def warm_frame(what: str, avatar_path: str) -> float:
    """Return the median seconds of a 512² frame of one pose, from new views."""
    import sherf  # first: it sets how threads wait
    from sherf.body.files import load_body_model
    from sherf.camera.framing import frame_person
    from sherf.camera.pinhole import turntable

    avatar = sherf.load_avatar(avatar_path)
    subject = avatar.subject
    vertices = load_body_model("openbody").pose(subject.pose).vertices
    base, centre = frame_person(vertices, subject.camera, (512, 512))
    renderer = avatar.renderer(fast=what == "fast frame")
    first, *cameras = turntable(base, centre, FRAMES[what] + 1)
    renderer.frame(first, subject.pose)
    taken = []
    for camera in cameras:
        start = time.perf_counter()
        renderer.frame(camera, subject.pose)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def show(rows: list[dict]) -> None:
    """Print medians and their ratio."""
    print(f"{len(os.sched_getaffinity(0))} cores\n")
    print("| what | threads | quiet | loaded | loaded / quiet |\n|---|---|---|---|---|")
    for row in rows:
        quiet, loaded = statistics.median(row["quiet_s"]), statistics.median(row["loaded_s"])
        print(f"| {row['what']} | {row['threads']} | {quiet:.3g} s | {loaded:.3g} s | {loaded / quiet:.2f} |")


if __name__ == "__main__":
    main()
