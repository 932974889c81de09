"""A motion out of a video whose motion is known: a shipped example plays built-in motions before a still camera.

    python benchmarks/video.py

Prints pictures a second, and how far joints are from the truth, on one body, each picture aligned by a similarity.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sherf.app.videos import filmed
from sherf.avatar.avatar_file import load_avatar
from sherf.avatar.reconstruct import AVATAR, obtain_avatar
from sherf.benchmark.estimated_body import similarity_between
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import rigged_mesh
from sherf.files.options import OutputOptions
from sherf.motion.edit import edited_motion
from sherf.motion.from_video import motion_of_video
from sherf.motion.ground import grounded
from sherf.motion.motion import Motion, apply, read_motion, resample
from sherf.motion.options import MotionOptions
from sherf.render.devices import choose_backend
from sherf.render.options import RenderOptions

PHOTO = Path(__file__).parent.parent / "examples" / "person_1.jpg"
MOTIONS = ("walk", "wave", "dance", "squat")
SECONDS, SHOWN = 3.0, RenderOptions(size=640, fps=24.0)


def joints_of(motion: Motion, body: BodyModel) -> torch.Tensor:
    """Of each picture, world space, metres."""
    poses = apply(motion, body.rest_pose())
    return torch.stack([body.pose(poses[i]).joints for i in range(len(motion))])


def error_mm(found: torch.Tensor, true: torch.Tensor) -> float:
    """Mean distance of a picture's joints from the truth."""
    return 1000 * float((similarity_between(found, true).carry(found) - true).norm(dim=1).mean())


def main() -> None:
    """Film, follow, print."""
    body, backend = load_body_model("openbody"), choose_backend("cpu")
    print("| motion | pictures | a second (target 2) | joints, aligned, mean | worst picture |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        obtain_avatar(PHOTO, OutputOptions(out))
        avatar = load_avatar(out / AVATAR, body)
        renderer = MeshRenderer(rigged_mesh(avatar, body, backend))
        for name in MOTIONS:
            known = resample(edited_motion(read_motion(name), MotionOptions(end=SECONDS)), SHOWN.fps)
            video, *_ = filmed(renderer, known, avatar, body, "still", OutputOptions(out / name), SHOWN)
            began = time.perf_counter()
            found = motion_of_video(video, body)
            speed = len(found) / (time.perf_counter() - began)
            true = grounded(known, body, avatar.bank.subject.pose.betas)
            pairs = zip(joints_of(found, body), joints_of(true, body), strict=False)
            errors = [error_mm(*pair) for pair in pairs]
            print(
                f"| {name} | {len(found)} | {speed:.1f} | {np.mean(errors):.0f} mm | {max(errors):.0f} mm |", flush=True
            )


if __name__ == "__main__":
    main()
