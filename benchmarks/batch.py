"""Scaling of `sherf batch`: the same photos with one worker on one core, then with one worker per core.

    python benchmarks/batch.py [--photos 6]

Uses the example photos, each slightly smaller than the one before; makes an avatar and 12 frames of 256 x 256 of each,
no mesh. Run it on an otherwise idle machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from PIL import Image

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("person_*.jpg"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=6)
    count = parser.parse_args().photos
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for number, path in enumerate(islice(cycle(EXAMPLES), count)):
            with Image.open(path) as image:
                size = (image.width - 2 * number, image.height - 2 * number)
                image.resize(size).save(photos / f"{number:03d}.jpg", quality=95)
        seconds = []
        for workers in (1, len(cores)):
            os.sched_setaffinity(0, cores[:workers])
            out = Path(folder) / f"out{workers}"
            command = [sys.executable, "-m", "sherf.cli", "batch", photos, "--out", out, "--frames", 12, "--size", 256]
            start = time.perf_counter()
            subprocess.run([*map(str, command), "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
            print(f"{workers} worker(s) on as many cores: {count} photos in {seconds[-1]:.1f} s", flush=True)
    print(f"speed-up {seconds[0] / seconds[1]:.2f} of {len(cores)}")


if __name__ == "__main__":
    main()
