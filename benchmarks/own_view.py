"""The avatar through its own photo's camera, compared with the photo, for a folder of photographs.

    python benchmarks/own_view.py --photos FOLDER [--json out/own_view.json] [--strips out/own_view]
    python benchmarks/own_view.py --photos FOLDER --without layer face     # what each part contributes

For each photo: overlap (soft intersection over union of opacity and mask), what is missing and too much, PSNR of the
colours where both agree and over the person's box, LPIPS (AlexNet) of the box, all at 512 pixels on the longer side,
seconds from photo to avatar, and a strip photo | render | difference. Photos that are refused are listed.
"""

import argparse
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from sherf.api.encoders import load_encoder
from sherf.avatar.avatar_file import save_avatar
from sherf.avatar.own_view import OwnView, own_view
from sherf.avatar.reconstruct import reconstruct_photo
from sherf.avatar.renderer import FieldRenderer
from sherf.benchmark.image_strips import error_map
from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import bounding_rectangle, crop
from sherf.errors import SherfError
from sherf.files.output import write_json
from sherf.photo.options import PhotoOptions
from sherf.progress import progress
from sherf.render.devices import choose_backend

PARTS: dict[str, dict[str, Any]] = {
    "photo": {
        "sherf.models.surface.field.photo_trust": lambda observed, sample, directions: torch.zeros(len(sample.pixels)),
        "sherf.models.surface.tables.pixel_ratio": lambda *cameras: 1.0,
    },
    "outline": {
        "sherf.models.surface.filtered_photo.FilteredPhoto.coverage": lambda self, pixels, own=None: torch.ones(
            len(pixels)
        ),
        "sherf.models.surface.network.raise_surface": lambda tables, body: torch.zeros(len(tables.bank.vertices)),
        "sherf.models.surface.field.SWELL_M": 0.0,
    },
    "layer": {"sherf.models.surface.network.layer_of_uncovered": lambda *image: None},
    "displacement": {"sherf.avatar.reconstruct.lay_on_person": lambda body, fit, *evidence: fit},
    "face": {"sherf.avatar.reconstruct.find_face": lambda *photo: None},
}
"""What is replaced to measure without a part. photo: its colours where it shows a point. outline: the surface ends
at the mask's outline."""
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
FIGURES = ("overlap", "missing", "too_much", "psnr_inside", "psnr_box", "lpips_alex", "seconds")


def figures(view: OwnView, lpips: Lpips) -> dict[str, float]:
    """Return the figures of one own view; LPIPS over the bounding rectangle of mask and opacity, on white."""
    scored = bounding_rectangle(((view.mask > 0.5) | (view.frame.opacity > 0.5)).numpy())
    prediction, target = (x.permute(1, 2, 0).numpy() for x in (view.render, view.photo))
    _, alex = lpips(crop(prediction, scored), crop(target, scored), rescale=True)
    return {
        "overlap": view.overlap,
        "missing": view.missing,
        "too_much": view.too_much,
        "psnr_inside": view.psnr_inside,
        "psnr_box": view.psnr_box,
        "lpips_alex": alex,
    }


def _to_bytes(image: Float[torch.Tensor, "3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    return (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def measure(options: argparse.Namespace) -> None:
    """Measure all photos and print the table."""
    photos = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in SUFFIXES)
    backend = choose_backend(options.device)
    encoder, lpips = load_encoder(options.model, backend, options.personalise), Lpips()
    rows: list[dict[str, Any]] = []
    if options.strips is not None:
        options.strips.mkdir(parents=True, exist_ok=True)
    for photo in progress(photos, "photos"):
        row: dict[str, Any] = {"photo": photo.name}
        began = time.perf_counter()
        try:
            result = reconstruct_photo(photo, encoder, PhotoOptions(force=True, allow_partial=True))
        except SherfError as error:
            rows.append(row | {"refused": str(error).splitlines()[0]})
            continue
        row["seconds"] = time.perf_counter() - began
        subject = result.avatar.bank.subject
        view = own_view(FieldRenderer(result.avatar, result.body, backend), subject)
        rows.append(row | figures(view, lpips) | {"verdict": result.avatar.report["verdict"]})
        if options.strips is not None:
            strip = options.strips / f"{photo.stem}.jpg"
            photo_image, render = (_to_bytes(x) for x in (view.photo, view.render))
            difference = error_map(photo_image / 255, render / 255)
            Image.fromarray(np.concatenate([photo_image, render, difference], axis=1)).save(strip, quality=90)
            save_avatar(result.avatar, strip.with_suffix(".safetensors"))
    made = [row for row in rows if "refused" not in row]
    total = {
        how.__name__: {name: how([row[name] for row in made]) for name in FIGURES}
        for how in (statistics.mean, statistics.median)
        if made
    }
    print("| photo | overlap | missing | too much | PSNR inside | PSNR box | LPIPS | seconds | verdict |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in made + [{"photo": name, "verdict": ""} | values for name, values in total.items()]:
        numbers = (f"{row[name]:.{digits}f}" for name, digits in zip(FIGURES, (3, 3, 3, 2, 2, 3, 1), strict=True))
        print(f"| {row['photo']} | {' | '.join(numbers)} | {row['verdict']} |")
    for row in rows:
        if "refused" in row:
            print(f"| {row['photo']} | refused: {row['refused']} |")
    if options.json is not None:
        write_json(options.json, {"photos": rows, **total})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--strips", type=Path, help="folder for strips and avatars")
    parser.add_argument("--model", default=PhotoOptions().model)
    parser.add_argument("--personalise", default="")
    parser.add_argument("--without", nargs="*", choices=PARTS, default=[], help="parts to leave out")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    with ExitStack() as replaced:
        for part in options.without:
            for name, stand_in in PARTS[part].items():
                replaced.enter_context(patch(name, stand_in))
        measure(options)


if __name__ == "__main__":
    main()
