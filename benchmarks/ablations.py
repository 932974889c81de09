"""What each part of sherf-small is worth: every variant trained for the same time, then scored on validation people.

    python benchmarks/ablations.py --data people --minutes 20 --out out/ablations

Trains and scores one variant after the other on an otherwise idle machine, and prints the table. The same command
again continues; --only NAME takes some of the variants.
"""

import argparse
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sherf.datasets.openpeople_data import OpenPeople

SHERF = [sys.executable, "-m", "sherf.cli"]
SCALED = {
    "base": "sherf-paper",
    "model": {
        "name": "sherf-paper-scaled", "body_model": "openbody", "encoder_width": 28, "plane_resolution": 128,
        "synthesis_base": 4096, "synthesis_most": 128, "volume_channels": [16, 32, 48],
    },
    "batch": 1, "patch": 64, "rays": 512, "learning_rate": 5e-4, "halve_steps": 0, "clip": 0.5, "steps": 60_000,
}  # fmt: skip
SMALL = {"base": "sherf-small", "maps_steps": 800}
"""A third of the time."""
VARIANTS: dict[str, dict] = {
    "sherf-small": {},
    "no maps alone at first": {"maps_steps": 0},
    "no maps at all": {"maps_steps": 0, "losses": {"texture": 0.0, "stand_off": 0.0}},
    "published, scaled down": SCALED,
    "no occlusion": {"model": {"occlusion": "none"}},
    "occlusion by the bare body": {"model": {"occlusion": "body"}},
    "only the seen look-up": {"model": {"lookups": ["seen"]}},
    "no opposite look-up": {"model": {"lookups": ["seen", "mirrored"]}},
    "no mirrored look-up": {"model": {"lookups": ["seen", "opposite"]}},
    "density not anchored": {"model": {"anchored": False}, "losses": {"stand_off": 0.0}},
    "colour not blended": {"model": {"blend": False}},
    "no unwrapped planes": {
        "model": {"levels": ["pixel"]},
        "maps_steps": 0,
        "losses": {"texture": 0.0, "stand_off": 0.0},
    },
    "no image features": {"model": {"levels": ["global"]}},
    "no fusion": {"model": {"fusion_depth": 0}},
    "no perceptual loss": {"losses": {"lpips": 0.0, "ssim": 0.0}},
    "no depth supervision": {"losses": {"occupancy": 0.0, "surface": 0.0}},
    "no augmentation": {
        "augment": {"mirror": 0.0, "exposure": 0.0, "gamma": 0.0, "fit": 0.0, "occluded": 0.0, "cut": 0.0}
    },
}
PEOPLE = 10


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0, help="of training for each variant")
    parser.add_argument("--out", type=Path, default=Path("out/ablations"))
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="some of the variants")
    options = parser.parse_args()
    subjects = OpenPeople(options.data, "validation").subjects[:PEOPLE]
    print("| variant | steps | PSNR | SSIM | LPIPS-VGG | LPIPS-Alex | novel pose PSNR |\n|---|---|---|---|---|---|---|")
    for name in options.only or VARIANTS:
        folder = options.out / name.replace(" ", "_").replace(",", "")
        print(row(name, folder, options.data, subjects, options.minutes), flush=True)


def row(name: str, folder: Path, data: Path, subjects: tuple[str, ...], minutes: float) -> str:
    """One variant's line."""
    results = folder / "scores" / "results.json"
    if not results.exists():
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.json"
        config.write_text(json.dumps({**SMALL, **VARIANTS[name]}, indent=1))
        share_baked(folder)
        left = 60 * minutes - trained(folder)
        if left > 1:
            command = ["train", config, "--data", data, "--out", folder / "run", "--precision", "bf16"]
            run(*command, "--validation-steps", "0", "--for", f"{left:.0f}s")
        scored = ["benchmark", "openpeople", "--data", data, "--split", "validation", "--out", folder / "scores"]
        run(*scored, "--model", folder / "run" / "checkpoint.safetensors", "--subjects", *subjects)
    about = json.loads((folder / "run" / "checkpoint.json").read_text())["training"]
    scores = json.loads(results.read_text())["protocols"]["standard_person_box"]
    view, pose = scores["novel_view"], scores["novel_pose"]
    numbers = [f"{view[key]:.{digits}f}" for key, digits in METRICS] + [f"{pose['psnr']:.2f}"]
    return f"| {name} | {about['step']} | {' | '.join(numbers)} |"


METRICS = (("psnr", 2), ("ssim", 3), ("lpips_vgg", 3), ("lpips_alex", 3))


def share_baked(folder: Path) -> None:
    """All variants learn from the same maps: they are made once."""
    (folder.parent / "baked").mkdir(exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (folder / "run" / "baked").symlink_to(Path("../../baked"))


def trained(folder: Path) -> float:
    """Seconds that a variant was trained already."""
    about = folder / "run" / "checkpoint.json"
    return json.loads(about.read_text())["training"]["seconds"] if about.exists() else 0.0


def run(*arguments: str | Path) -> None:
    """One command as its own process."""
    subprocess.run([*SHERF, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
