"""Calibrate the offsets from the body's joints and vertices to the detector's landmarks (sherf/photo/landmarks.py).

    python benchmarks/calibrate_landmarks.py --images 80

Detects rendered people of the training split, and solves for each landmark's mean offset in its joint's frame.
"""

import argparse

import numpy as np
import torch
from fit import render_person
from torch import Tensor

from sherf.body.files import load_body_model
from sherf.datasets.openpeople.person import split_of
from sherf.errors import NoPerson
from sherf.photo import landmarks as marks
from sherf.photo.detect import choose_person, detect_people
from sherf.progress import progress

SEEN = 0.6
"""Smallest visibility of a landmark that counts."""
ROUNDS, SCALE_M = 20, 0.01
"""Iteratively reweighted least squares; errors far beyond the scale count linearly, not quadratically."""


def main() -> None:
    """Detect, solve, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=80)
    options = parser.parse_args()
    body = load_body_model("openbody")
    seeds = [seed for seed in range(2 * options.images) if split_of(seed) == "train"][: options.images]
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in marks.LANDMARKS]
    for seed in progress(seeds, "images"):
        _, photo, _, camera, truth = render_person(seed)
        try:
            person = choose_person(detect_people(torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255))
        except NoPerson:
            continue
        posed = body.pose(truth)
        points = marks.body_landmarks(body, truth)[0] - marks.landmark_offsets(posed.T_world_rest)
        in_camera = points @ camera.R.T + camera.T
        observed, visible = marks.from_blazepose(person.landmarks), marks.from_blazepose(person.visibility)
        focal = camera.K[0, 0]
        error = (observed - camera.K[:2, 2]) / focal * in_camera[:, 2:] - in_camera[:, :2]
        turned = camera.R @ posed.T_world_rest[marks.FRAMES, :3, :3]
        for number in range(len(marks.LANDMARKS)):
            if visible[number] > SEEN:
                found[number].append((error[number], turned[number, :2]))
    print("| landmark | images | median error before, mm | after | offset, mm |\n|---|---|---|---|---|")
    for mark, pairs in zip(marks.LANDMARKS, found, strict=True):
        error, turned = (torch.stack(x) for x in zip(*pairs, strict=True))
        offset = solved(error, turned)
        left = (error - turned @ offset).norm(dim=1).median()
        numbers = f"{1000 * error.norm(dim=1).median():.0f} | {1000 * left:.0f}"
        print(f"| {mark.name} | {len(error)} | {numbers} | {np.round(1000 * offset.numpy()).astype(int).tolist()} |")


def solved(error: Tensor, turned: Tensor) -> Tensor:
    """Return the offset that minimises the errors in a robust mean."""
    offset = torch.zeros(3)
    for _ in range(ROUNDS):
        weight = 1 / ((error - turned @ offset).norm(dim=1) + SCALE_M)
        matrix = torch.einsum("n,nij,nik->jk", weight, turned, turned) + 1e-3 * len(error) * torch.eye(3)
        offset = torch.linalg.solve(matrix, torch.einsum("n,nij,ni->j", weight, turned, error))
    return offset


if __name__ == "__main__":
    main()
