"""Traced frames against the volume integral: `python benchmarks/traced.py AVATAR ... [--frames 4] [--size 256]`.

Each avatar (a file of `sherf reconstruct`) is rendered from its own camera, on a turntable and in a motion, once traced
(the default) and once marched in small steps (`--exact`). Prints PSNR on white, difference of opacity, and seconds.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

import sherf
from sherf.avatar.renderer import FieldRenderer, Renderer
from sherf.camera.framing import camera_path
from sherf.camera.pinhole import resize
from sherf.motion.read import builtin_motions
from sherf.scene import BodyPose, Camera, Frame


def views(
    avatar: sherf.Avatar, renderer: Renderer, motion: str, count: int, size: int
) -> list[tuple[Camera, BodyPose]]:
    """Return the photo's own view, and `count` views each of a turntable and of a motion."""
    subject = avatar.subject
    h, w = subject.camera.size
    scale = size / max(h, w)
    own = resize(subject.camera, (round(h * scale), round(w * scale)))
    around = camera_path("turntable", renderer.outline, subject.camera, subject.pose, count, size)
    frames = avatar.animate(motion, frames=8 * count, size=size)
    moving = [(frames.cameras[8 * i + 4], frames.pose(8 * i + 4)) for i in range(count)]
    return [(own, subject.pose), *((around[i], subject.pose) for i in range(count)), *moving]


def timed(renderer: Renderer, camera: Camera, pose: BodyPose) -> tuple[Frame, float]:
    start = time.perf_counter()
    frame = renderer.frame(camera, pose)
    return frame, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("avatars", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    print("| avatar | motion | PSNR | least | opacity, of 255 | greatest | traced | marched |")
    print("|---|---|---|---|---|---|---|---|")
    means = []
    for number, path in enumerate(arguments.avatars):
        avatar = sherf.load_avatar(path)
        traced = FieldRenderer(avatar.encoded, avatar.body, avatar.backend)
        exact = FieldRenderer(avatar.encoded, avatar.body, avatar.backend.exact())
        motion = builtin_motions()[number % len(builtin_motions())]
        psnr, opacity, seconds = [], [], []
        for camera, pose in views(avatar, traced, motion, arguments.frames, arguments.size):
            (fast, fast_s), (slow, slow_s) = timed(traced, camera, pose), timed(exact, camera, pose)
            error = (fast.rgb - fast.opacity - slow.rgb + slow.opacity).square().mean()
            psnr.append(float(-10 * torch.log10(error)))
            opacity.append(255 * float((fast.opacity - slow.opacity).abs().mean()))
            seconds.append((fast_s, slow_s))
        fast_s, slow_s = (statistics.median(x) for x in zip(*seconds, strict=True))
        row = (statistics.mean(psnr), min(psnr), statistics.mean(opacity), max(opacity), fast_s, slow_s)
        means.append(row)
        cells = "{:.1f} dB | {:.1f} dB | {:.2f} | {:.2f} | {:.2f} s | {:.2f} s".format(*row)
        print(f"| {path.stem} | {motion} | {cells} |", flush=True)
    cells = "{:.1f} dB | {:.1f} dB | {:.2f} | {:.2f} | {:.2f} s | {:.2f} s".format(
        *(statistics.mean(x) for x in zip(*means, strict=True))
    )
    print(f"| mean | | {cells} |")


if __name__ == "__main__":
    main()
