"""Train the bone direction network (sherf/photo/bone_directions.npz) on the detector's landmarks of rendered people.

    sherf generate openpeople --people 400 --seed-start 1000 --out a
    sherf generate openpeople --people 80 --poses 12 --views 2 --seed-start 5000 --out b
    python benchmarks/learn_bone_directions.py --detect a --views 4 --cut 0 --out a.npz
    python benchmarks/learn_bone_directions.py --detect b --out b.npz
    python benchmarks/learn_bone_directions.py --learn a.npz b.npz

Trains on people of the training split, and reports errors on those of the validation split.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.files import load_body_model
from sherf.datasets.openpeople.backgrounds import make_background
from sherf.datasets.openpeople.person import split_of
from sherf.datasets.openpeople_data import OpenPeople
from sherf.errors import NoPerson
from sherf.photo import landmarks as marks
from sherf.photo.bone_directions import (
    LAYERS,
    bone_unit_vectors,
    mirror_bones,
    mirror_landmarks,
    network_input,
    predict,
    predict_each_member,
    ray_to_camera_rotation,
    rms_radius,
)
from sherf.photo.detect import choose_person, detect_people
from sherf.progress import progress

MEMBERS, WIDTH = 4, 256
BATCH, RATE, DECAY = 256, 1e-3, 0.05
POINT_NOISE, WORLD_NOISE_M = 0.02, 0.01
"""Noise on landmarks, in units of the person's extent, and on world landmarks, in metres."""
ROLL, ANY_ROLL = 0.15, 0.15
"""Standard deviation of the in-plane rotation, radians, and the fraction rotated by any angle (lying people)."""
DROPPED = 0.1
"""Dropout rate during training."""
LEAST_CUT = 0.45
"""Smallest fraction of the person's height that a cropped image shows."""


def main() -> None:
    """Detect landmarks, or train, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detect", type=Path, metavar="DATA", help="an OpenPeople folder")
    parser.add_argument("--views", type=int, default=2, help="number of random views per pose")
    parser.add_argument("--cut", type=float, default=0.25, help="fraction of images that are cropped at the bottom")
    parser.add_argument("--out", type=Path, help="detections, .npz")
    parser.add_argument("--learn", type=Path, nargs="+", metavar="DETECTED")
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.detect is not None:
        detected(options.detect, options.out, options.views, options.cut)
    if options.learn is not None:
        learn([dict(np.load(path, allow_pickle=False)) for path in options.learn], options.steps)


def detected(folder: Path, out: Path, views: int, cut: float) -> None:
    """Write the detector's landmarks of rendered images, and the true ones."""
    data, body = OpenPeople(folder), load_body_model("openbody")
    rows: list[dict[str, np.ndarray]] = []
    for name in progress(data.subjects, "people"):
        rng, cuts = np.random.default_rng(int(name)), np.random.default_rng([int(name), 1])
        for pose in data.poses(name):
            for number in rng.permutation(len(data.views(name)))[:views]:
                subject = data.view(name, pose, int(number)).subject
                background = torch.from_numpy(make_background(rng, subject.camera.size).copy()).permute(2, 0, 1) / 255
                image = (subject.image + (1 - subject.mask) * background).clamp(0, 1)
                if cuts.random() < cut:
                    shown = torch.nonzero(subject.mask.amax(dim=1) > 0.5)[:, 0]
                    share = cuts.uniform(LEAST_CUT, 1)
                    image = image[:, : int(shown[0] + share * (shown[-1] - shown[0])) + 1]
                try:
                    person = choose_person(detect_people(image))
                except NoPerson:
                    continue
                points, camera = marks.body_landmarks(body, subject.pose)[0], subject.camera
                rows.append(
                    {
                        "seed": np.array(int(name)), "lm": person.landmarks.numpy(), "vis": person.visibility.numpy(),
                        "world": person.world.numpy(), "cam": (points @ camera.R.T + camera.T).numpy(),
                        "K": camera.K.numpy(),
                    }
                )  # fmt: skip
    np.savez_compressed(out, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})


def learn(parts: list[dict[str, np.ndarray]], steps: int) -> None:
    """Train, report and write."""
    every = {
        k: torch.from_numpy(np.concatenate([part[k] for part in parts])).float()
        for k in ("lm", "vis", "world", "cam", "K")
    }
    split = np.array([split_of(int(seed)) for part in parts for seed in part["seed"]])
    points, world, seen = (torch.stack([marks.from_blazepose(x) for x in every[key]]) for key in ("lm", "world", "vis"))
    centre = points.mean(dim=1)
    towards = torch.cat([(centre - every["K"][:, :2, 2]) / every["K"][:, :1, 0], torch.ones(len(centre), 1)], dim=1)
    frames = torch.stack([ray_to_camera_rotation(x) for x in towards])
    truth = bone_unit_vectors(every["cam"]) @ frames
    known, held_out = (torch.from_numpy(np.nonzero(split == name)[0]) for name in ("train", "validation"))
    weights = initial(points[known], world[known], seen[known])
    free = [value.requires_grad_() for name, value in weights.items() if name not in ("mean", "spread")]
    optimiser = torch.optim.AdamW(free, RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    for _ in progress(range(steps), "steps"):
        drawn = known[torch.randint(len(known), (MEMBERS, BATCH))]
        batch = disturbed(points[drawn], world[drawn], seen[drawn], truth[drawn])
        answers, log_variance = predict_each_member(dropped(weights), *batch[:3])
        squared = (answers - batch[3]).square().sum(dim=-1)
        # Gaussian likelihood across the direction, and the mean distance, which is more robust to detector errors
        loss = (0.5 * squared * (-log_variance).exp() + log_variance).mean() + squared.clamp_min(1e-12).sqrt().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        answer, variance = predict(weights, points[held_out], world[held_out], seen[held_out])
    report(bone_unit_vectors(world[held_out]), answer, variance, truth[held_out])
    path = Path(__file__).parent.parent / "sherf/photo/bone_directions.npz"
    np.savez_compressed(path, **{name: value.detach().numpy().astype(np.float16) for name, value in weights.items()})
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB from {len(known)} images")


def initial(points: Tensor, world: Tensor, seen: Tensor) -> dict[str, Tensor]:
    """Return networks that initially reproduce BlazePose's directions."""
    x = network_input(points, world, seen)
    weights = {"mean": x.mean(dim=0), "spread": x.std(dim=0).clamp_min(0.02)}
    sizes = [x.shape[1], *[WIDTH] * (LAYERS - 1), 4 * len(marks.BONES)]
    for layer, (before, after) in enumerate(pairwise(sizes)):
        gain = 0.0 if layer == LAYERS - 1 else (2 / before) ** 0.5
        weights[f"weight{layer}"] = gain * torch.randn(MEMBERS, before, after)
        weights[f"bias{layer}"] = torch.zeros(MEMBERS, 1, after)
    weights[f"bias{LAYERS - 1}"][..., 3::4] = -2.0
    return weights


def dropped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with dropout, the same for a whole batch."""
    inner = {
        f"weight{layer}": weights[f"weight{layer}"]
        * F.dropout(torch.ones(MEMBERS, weights[f"weight{layer}"].shape[1], 1), DROPPED)
        for layer in range(1, LAYERS)
    }
    return weights | inner


def disturbed(points: Tensor, world: Tensor, seen: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a batch augmented by mirroring, in-plane rotation and noise."""
    flip = torch.rand(points.shape[:2]) < 0.5
    in_mirror = *mirror_landmarks(points, world, seen), mirror_bones(truth)
    points, world, seen, truth = (
        torch.where(flip.reshape(*flip.shape, *[1] * (straight.ndim - 2)), flipped, straight)
        for straight, flipped in zip((points, world, seen, truth), in_mirror, strict=True)
    )
    angle = ROLL * torch.randn(flip.shape)
    angle = torch.where(torch.rand(flip.shape) < ANY_ROLL, 2 * np.pi * torch.rand(flip.shape), angle)
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    R = torch.stack([c, -s, o, s, c, o, o, o, i], dim=-1).unflatten(-1, (3, 3)).mT
    points = points @ R[..., :2, :2] + POINT_NOISE * rms_radius(points) * torch.randn_like(points)
    return points, world @ R + WORLD_NOISE_M * torch.randn_like(world), seen, truth @ R


def report(prior: Float[Tensor, "n bone 3"], answer: Tensor, variance: Tensor, truth: Tensor) -> None:
    """Print errors in degrees, and the errors that the network expects."""

    def degrees(x: Tensor) -> Tensor:
        return torch.rad2deg(torch.acos((x * truth).sum(dim=-1).clamp(-1, 1)))

    before, after = degrees(prior), degrees(answer)
    spread = torch.rad2deg((2 * variance).sqrt())
    print("| bone | BlazePose, degrees | network | expected |\n|---|---|---|---|")
    for number, (start, end) in enumerate(marks.BONES):
        print(
            f"| {start} - {end} | " + " | ".join(f"{x[:, number].mean():.1f}" for x in (before, after, spread)) + " |"
        )
    print(f"| all | {before.mean():.1f} | {after.mean():.1f} | {spread.mean():.1f} |")


if __name__ == "__main__":
    main()
