"""Ablation study of sherf-small: train every variant for the same time, then score it on validation people.

    python benchmarks/ablations.py --data people --minutes 7 --jobs 2 --out out/ablations

Time is CPU time of one core, so other load on the machine and parallel jobs do not matter. Prints a table. Run the same
command again to resume; --only NAME selects variants.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from sherf.body.files import load_body_model
from sherf.datasets.data_digest import data_digest
from sherf.datasets.openpeople_data import OpenPeople
from sherf.models.atlas import atlas_of
from sherf.models.checkpoint import read_about
from sherf.progress import progress
from sherf.training.read_options import read_training
from sherf.training.texture_cache import TextureCache
from sherf.training.training_pairs import TrainingPairs

SHERF = [sys.executable, "-m", "sherf.cli"]
SCALED = {
    "base": "sherf-paper",
    "model": {
        "name": "sherf-paper-scaled", "body_model": "openbody", "encoder_width": 28, "plane_resolution": 128,
        "synthesis_base": 4096, "synthesis_most": 128, "volume_channels": [16, 32, 48],
    },
    "batch": 1, "patch": 64, "rays": 512, "learning_rate": 5e-4, "halve_steps": 0, "clip": 0.5, "steps": 60_000,
}  # fmt: skip
SMALL = {"base": "sherf-small", "maps_steps": 215, "warm_up": 60, "model": {"unwrap_depth": 1}}
"""A third of seven minutes trains the UV feature maps alone; the learning rate soon reaches its plateau. The inpainting
U-Net is small, as for most of the training of the released weights."""
VARIANTS: dict[str, dict] = {
    "sherf-small": {},
    "another seed": {"seed": 1},
    "published network, scaled down": SCALED,
    "no occlusion": {"model": {"occlusion": "none"}},
    "occlusion by the bare body": {"model": {"occlusion": "body"}},
    "no mirrored sampling": {"model": {"lookups": ["seen", "opposite"]}},
    "no opposite sampling": {"model": {"lookups": ["seen", "mirrored"]}},
    "direct sampling only": {"model": {"lookups": ["seen"]}},
    "density not anchored": {"model": {"anchored": False}, "losses": {"stand_off": 0.0}},
    "colour not blended": {"model": {"blend": False}},
    "no perceptual loss": {"losses": {"lpips": 0.0, "ssim": 0.0}},
    "no initial training of the maps": {"maps_steps": 0},
    "no UV feature maps": {
        "model": {"levels": ["pixel"]},
        "maps_steps": 0,
        "losses": {"texture": 0.0, "stand_off": 0.0},
    },
    "no image features": {"model": {"levels": ["global"]}},
    "no augmentation": {
        "augment": {"mirror": 0.0, "exposure": 0.0, "gamma": 0.0, "fit": 0.0, "occluded": 0.0, "cut": 0.0}
    },
    "no fusion": {"model": {"fusion_depth": 0}},
    "no depth supervision": {"losses": {"occupancy": 0.0, "surface": 0.0}},
    "a deeper inpainting U-Net": {"model": {"unwrap_depth": 3}},
    "no supervision of the maps": {"maps_steps": 0, "losses": {"texture": 0.0, "stand_off": 0.0}},
}
PEOPLE = 4
METRICS = (("psnr", 2), ("ssim", 3), ("lpips_vgg", 3), ("lpips_alex", 3))
STOP = threading.Event()
"""Set it to end all trainings."""
ONE_CORE = os.environ | {"OMP_NUM_THREADS": "1"}


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.0, help="CPU time for training each variant")
    parser.add_argument("--jobs", type=int, default=1, help="variants trained in parallel")
    parser.add_argument("--out", type=Path, default=Path("out/ablations"))
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="variants to run; all if not given")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    subjects = OpenPeople(options.data, "validation").subjects[:PEOPLE]
    write_texture_cache(options.out, options.data)
    print("| variant | steps | PSNR | SSIM | LPIPS-VGG | LPIPS-Alex | novel pose PSNR |\n|---|---|---|---|---|---|---|")
    one = partial(row, out=options.out, data=options.data, subjects=subjects, seconds=60 * options.minutes)
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            for line in pool.map(one, options.only or VARIANTS):
                print(line, flush=True)
        except BaseException:
            STOP.set()
            pool.shutdown(cancel_futures=True)
            raise


def write_texture_cache(out: Path, data: Path) -> None:
    """Write the texture targets that all variants train on, once, before the first one."""
    options = read_training(str(prepared(out / "bake", "sherf-small")))
    people, body = OpenPeople(data, "train"), load_body_model(options.model.body_model)
    pairs = TrainingPairs(people, options, 0, 0, 1, 1)
    atlas = atlas_of(body, *options.model.plane_size)
    cache = TextureCache(body, atlas, out / "baked" / data_digest(people)[:16])
    for name, poses, views in progress(pairs.subjects, "texture targets"):
        for pose in poses:
            pairs.targets(cache, name, pose, views)


def prepared(folder: Path, name: str) -> Path:
    """Write a variant's configuration and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    variant = VARIANTS[name]
    path.write_text(json.dumps({**SMALL, **variant, "model": SMALL["model"] | variant.get("model", {})}, indent=1))
    return path


def train(config: Path, data: Path, run: Path, *more: str) -> psutil.Popen:
    """Start a training process."""
    arguments = ["train", config, "--data", data, "--out", run, "--precision", "bf16", "--validation-steps", "0", *more]
    with (config.parent / "log").open("a") as log:
        return psutil.Popen([*SHERF, *map(str, arguments)], env=ONE_CORE, stdout=log, stderr=log)


def row(name: str, out: Path, data: Path, subjects: tuple[str, ...], seconds: float) -> str:
    """Return one variant's row of the table."""
    folder = out / name.replace(" ", "_").replace(",", "")
    results, run = folder / "scores" / "results.json", folder / "run"
    if not results.exists():
        config = prepared(folder, name)
        run.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (run / "baked").symlink_to(Path("../../baked"))
        train_for(seconds, partial(train, config, data, run), folder / "seconds.json")
        scored = ["benchmark", "openpeople", "--data", data, "--split", "validation", "--out", folder / "scores"]
        scored += ["--model", run / "checkpoint.safetensors", "--subjects", *subjects]
        subprocess.run([*SHERF, *map(str, scored)], env=ONE_CORE, check=True, stdout=subprocess.DEVNULL)
    about = read_about(run / "checkpoint.safetensors")["training"]
    scores = json.loads(results.read_text())["protocols"]["standard_person_box"]
    view, pose = scores["novel_view"], scores["novel_pose"]
    numbers = [f"{view[key]:.{digits}f}" for key, digits in METRICS] + [f"{pose['psnr']:.2f}"]
    return f"| {name} | {about['step']} | {' | '.join(numbers)} |"


def train_for(seconds: float, start: Callable[[], psutil.Popen], spent: Path) -> None:
    """Train until the processes have used so many CPU seconds, including those recorded in `spent`."""
    before = json.loads(spent.read_text()) if spent.exists() else 0.0
    if before >= seconds:
        return
    training, taken = start(), 0.0
    try:
        while training.poll() is None and before + taken < seconds and not STOP.is_set():
            time.sleep(1.0)
            with suppress(psutil.NoSuchProcess):
                taken = sum(training.cpu_times()[:2])
    finally:
        if training.poll() is None:
            training.send_signal(signal.SIGINT)  # it saves its state
        if training.wait() not in (0, 130):
            sys.exit(f"the training ended with exit code {training.returncode}; see {spent.with_name('log')}")
        spent.write_text(json.dumps(before + taken))
    if before + taken < seconds:
        sys.exit("interrupted; run the same command again to resume")


if __name__ == "__main__":
    main()
