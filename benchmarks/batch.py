"""How a batch grows with its workers: the same photos by one worker on one core, then by one worker on each core.

    python benchmarks/batch.py [--photos 6]

Photos are the shipped ones, each a little smaller than the one before; of each an avatar, 12 pictures of 256 x 256 and
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
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=6)
    count = parser.parse_args().photos
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for number, path in enumerate(islice(cycle(EXAMPLES), count)):
            with Image.open(path) as picture:
                size = (picture.width - 2 * number, picture.height - 2 * number)
                picture.resize(size).save(photos / f"{number:03d}.jpg", quality=95)
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
