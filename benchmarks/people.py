"""Speed of generating OpenPeople: `python benchmarks/people.py`, on an otherwise idle machine."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from sherf.datasets.openpeople.generate import draw_valid_pose
from sherf.datasets.openpeople.lighting import Lighting
from sherf.datasets.openpeople.person import make_person, stream
from sherf.datasets.openpeople.stage import Stage
from sherf.datasets.openpeople.viewpoints import draw_viewpoints

PEOPLE, VIEWS, SIZE = 20, 12, 512
CORES = os.cpu_count() or 1


def one(seed: int) -> tuple[float, float, float]:
    """Return the seconds to build a person, to pose and light it, and to render one view."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    person = make_person(seed)
    assert person.parts
    built = time.perf_counter()
    _, _, posed = draw_valid_pose(person, 0)
    stage = Stage(posed, Lighting())
    ready = time.perf_counter()
    cameras = draw_viewpoints(stream(seed, "benchmark"), posed.vertices, VIEWS, SIZE)
    for camera in cameras:
        stage.render(camera)
    return built - start, ready - built, (time.perf_counter() - ready) / VIEWS


def bytes_of_a_person() -> float:
    """Return the size on disk of 24 views of 256 x 256."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sherf.cli", "generate", "openpeople", "--people", "10", "--out", folder]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        content = json.loads((Path(folder) / "manifest.json").read_text())
        assert len(content["people"]) == 10
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 10


def main() -> None:
    """Measure and print."""
    with ProcessPoolExecutor(CORES, get_context("spawn")) as pool:
        list(pool.map(one, range(1000, 1000 + CORES)))  # imports and caches
        seconds = np.array(list(pool.map(one, range(PEOPLE))))
    build, pose, view = np.median(seconds, axis=0)
    print(f"| what ({CORES} parallel processes) | figure | target |\n|---|---|---|")
    print(f"| building a person, per process (median; maximum {seconds[:, 0].max():.2f} s) | {build:.2f} s | 1.5 s |")
    print(f"| drawing a valid pose, occlusion and shadows, per process (median) | {pose:.2f} s | |")
    print(f"| {SIZE} x {SIZE} views of an existing person, all processes | {CORES / view:.1f} views/s | 5 |")
    print(f"| 500 people x 24 views of 256 x 256 on disk | {500 * bytes_of_a_person() / 2**30:.2f} GB | 2 GB |")


if __name__ == "__main__":
    main()
