"""Accuracy of motion from video: an example avatar plays built-in motions in front of a static camera.

    python benchmarks/video.py

Prints frames per second, and the joint error on one body, each frame aligned by a similarity.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sherf.api.sources import obtain_avatar
from sherf.app.videos import render_videos
from sherf.avatar.avatar_file import load_avatar
from sherf.avatar.result_files import AVATAR
from sherf.benchmark.estimated_body import similarity_between
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import build_rigged_mesh
from sherf.files.options import OutputOptions
from sherf.motion.edit import edit_motion
from sherf.motion.from_video import estimate_motion_from_video
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.playback import apply
from sherf.motion.read import read_motion
from sherf.motion.resample import resample
from sherf.render.devices import choose_backend
from sherf.render.options import RenderOptions

PHOTO = Path(__file__).parent.parent / "examples" / "person_1.jpg"
MOTIONS = ("walk", "wave", "dance", "squat")
SECONDS, SHOWN = 3.0, RenderOptions(size=640, fps=24.0)


def joints_of(motion: Motion, body: BodyModel) -> torch.Tensor:
    """Return the joints of each frame in world space, metres."""
    poses = apply(motion, body.rest_pose())
    return torch.stack([body.pose(poses[i]).joints for i in range(len(motion))])


def error_mm(found: torch.Tensor, true: torch.Tensor) -> float:
    """Return the mean aligned joint error of a frame, mm."""
    return 1000 * float((similarity_between(found, true).transform_points(found) - true).norm(dim=1).mean())


def main() -> None:
    """Render, estimate, compare and print."""
    body, backend = load_body_model("openbody"), choose_backend("cpu")
    print("| motion | frames | frames/s (target 2) | aligned joint error, mean | worst frame |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        obtain_avatar(PHOTO, OutputOptions(out))
        avatar = load_avatar(out / AVATAR, body)
        renderer = MeshRenderer(build_rigged_mesh(avatar, body, backend))
        for name in MOTIONS:
            known = resample(edit_motion(read_motion(name), MotionOptions(end=SECONDS)), SHOWN.fps)
            video, *_ = render_videos(renderer, known, avatar, body, "still", OutputOptions(out / name), SHOWN)
            began = time.perf_counter()
            found = estimate_motion_from_video(video, body)
            speed = len(found) / (time.perf_counter() - began)
            true = ground_motion(known, body, avatar.bank.subject.pose.betas)
            pairs = zip(joints_of(found, body), joints_of(true, body), strict=False)
            errors = [error_mm(*pair) for pair in pairs]
            print(
                f"| {name} | {len(found)} | {speed:.1f} | {np.mean(errors):.0f} mm | {max(errors):.0f} mm |", flush=True
            )


if __name__ == "__main__":
    main()
