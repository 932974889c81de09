"""Accuracy of the body fit on images with ground truth: rendered people in front of photographic backgrounds.

    python benchmarks/fit.py --seed-start 0 --images 200 --json out/fit.json

Seeds are those of OpenPeople's test split, from --seed-start on. The fit sees only the image.
"""

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sherf.benchmark.estimated_body import similarity_between
from sherf.body.files import load_body_model
from sherf.camera.pinhole import project
from sherf.datasets.openpeople.backgrounds import compose, make_background
from sherf.datasets.openpeople.generate import draw_valid_pose
from sherf.datasets.openpeople.lighting import random_lighting
from sherf.datasets.openpeople.person import make_person, split_of, stream
from sherf.datasets.openpeople.stage import Stage
from sherf.datasets.openpeople.viewpoints import draw_viewpoints
from sherf.errors import NoPerson
from sherf.files.images import write_png
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.fit import fit_body
from sherf.photo.mask import person_mask
from sherf.photo.overlay import draw_overlay
from sherf.photo.photo_reader import read_photo
from sherf.photo.scores import score_fit
from sherf.progress import progress
from sherf.render.raycast import cast
from sherf.scene import BodyPose, Camera

SIZE = 640
JPEG_QUALITY = 90
GROSS_MM = 150.0
"""Mean aligned joint error beyond which a fit is a gross failure."""
TURNED_DEGREES = 60.0
"""Rotation error of the trunk beyond which a fit is a gross failure."""
TARGETS = {
    "joints_mm": "60", "joints_mm_median": "45", "silhouette_iou": "0.93", "reprojection_percent": "1.5",
    "gross_percent": "3", "fit_seconds": "10",
}  # fmt: skip


def render_person(seed: int) -> tuple[str, np.ndarray, torch.Tensor, Camera, BodyPose]:
    """Return the pose's name, the photo, the mask, and the true camera and body of a person."""
    person = make_person(seed)
    name, joints, posed = draw_valid_pose(person, 0)
    camera = draw_viewpoints(stream(seed, "cameras fit"), posed.vertices, 1, SIZE)[0]
    rendering = Stage(posed, random_lighting(stream(seed, "lighting"))).render(camera)
    photo = compose(rendering, make_background(stream(seed, "background fit"), camera.size))
    truth = BodyPose(
        torch.from_numpy(np.asarray(person.physique.betas)).float(),
        torch.from_numpy(np.asarray(joints)).float(),
        torch.eye(3),
        torch.from_numpy(posed.joints[0] - person.figure.joints[0]).float(),
    )
    return name, photo, torch.from_numpy(rendering.mask) > 0.5, camera, truth


def one(seed: int, overlays: Path | None) -> dict[str, Any]:
    """Fit one image and compare with the ground truth."""
    torch.set_num_threads(1)
    body = load_body_model("openbody")
    name, photo, mask, camera, truth = render_person(seed)
    row: dict[str, Any] = {"seed": seed, "pose": name}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        Image.fromarray(photo).save(path, quality=JPEG_QUALITY)
        read = read_photo(path)
    began = time.perf_counter()
    try:
        found = choose_person(detect_people(read.image))
    except NoPerson as error:
        return row | {"failed": str(error).splitlines()[0]}
    found = replace(found, mask=person_mask(read.image, None, found))
    detected = time.perf_counter()
    fit = fit_body(body, found, camera.size, None)
    fitted = time.perf_counter()
    true_body, fitted_body = body.pose(truth), body.pose(fit.pose)
    # The fit has its own world: align it by a similarity.
    similarity = similarity_between(fitted_body.joints, true_body.joints)
    joint_error = (similarity.transform_points(fitted_body.joints) - true_body.joints).norm(dim=1)
    vertex_error = (similarity.transform_points(fitted_body.vertices) - true_body.vertices).norm(dim=1)
    pixels, _ = project(camera, true_body.joints)
    found_pixels, _ = project(fit.camera, fitted_body.joints)
    rows = project(camera, true_body.vertices)[0][:, 1]
    height = float(rows.max() - rows.min())
    true_hit, fit_hit = (
        cast(b.vertices, body.faces, c).hit for b, c in ((true_body, camera), (fitted_body, fit.camera))
    )
    turn = camera.R @ true_body.T_world_rest[0, :3, :3], fit.camera.R @ fitted_body.T_world_rest[0, :3, :3]
    cosine = (float((turn[0].T @ turn[1]).diagonal().sum()) - 1) / 2
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    scores = score_fit(body, fit, found)
    if overlays is not None:
        write_png(overlays / f"{seed:06d}.png", draw_overlay(read.image, found, body, fit))
    joints_mm = 1000 * float(joint_error.mean())
    return row | {
        "joints_mm": joints_mm,
        "vertices_mm": 1000 * float(vertex_error.mean()),
        "mask_iou": _iou(found.mask > 0.5, mask),
        "silhouette_iou": _iou(fit_hit, true_hit),
        "reprojection_percent": 100 * float((pixels - found_pixels).norm(dim=1).mean()) / height,
        "turned_degrees": angle,
        "gross": joints_mm > GROSS_MM or angle > TURNED_DEGREES,
        "verdict": scores.verdict,
        "detect_seconds": detected - began,
        "fit_seconds": fitted - detected,
    }


def _iou(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a & b).sum() / (a | b).sum().clamp_min(1))


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return means and percentages over all images; those without a fit count as gross failures only."""
    fits = [row for row in rows if "failed" not in row]
    names = ("joints_mm", "vertices_mm", "silhouette_iou", "mask_iou", "reprojection_percent", "turned_degrees")
    means = {name: float(np.mean([row[name] for row in fits])) for name in (*names, "detect_seconds", "fit_seconds")}
    return means | {
        "joints_mm_median": float(np.median([row["joints_mm"] for row in fits])),
        "gross_percent": 100 * (len(rows) - len(fits) + sum(row["gross"] for row in fits)) / len(rows),
        "found_percent": 100 * len(fits) / len(rows),
        "good_percent": 100 * sum(row["verdict"] == "good" for row in fits) / len(rows),
        "gross_called_good_percent": 100 * sum(row["verdict"] == "good" and row["gross"] for row in fits) / len(rows),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed-start", type=int, default=0)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--overlays", type=Path, help="folder for an overlay of each image")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = [
        s for s in range(options.seed_start, options.seed_start + 10 * options.images + 10) if split_of(s) == "test"
    ]
    seeds = seeds[: options.images]
    if options.overlays is not None:
        options.overlays.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        futures = [pool.submit(one, seed, options.overlays) for seed in seeds]
        rows = [future.result() for future in progress(futures, "images")]
    total = summary(rows)
    print(f"| {len(rows)} images of {SIZE} x {SIZE} | figure | target |\n|---|---|---|")
    for name, value in total.items():
        print(f"| {name} | {value:.3g} | {TARGETS.get(name, '')} |")
    if options.json is not None:
        options.json.write_text(json.dumps({"summary": total, "pictures": rows}, indent=1))


if __name__ == "__main__":
    main()
