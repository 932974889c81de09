"""Speed and accuracy of `sherf export` and of the fast previewer.

    python benchmarks/export.py [PHOTO]

Prints a table for README.md. Run it on an otherwise idle machine.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sherf.avatar.avatar_file import load_avatar
from sherf.avatar.renderer import FieldRenderer
from sherf.body.files import load_body_model
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import turntable
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import build_rigged_mesh
from sherf.motion.playback import apply, leg_height
from sherf.motion.read import read_motion
from sherf.render.devices import choose_backend

PHOTO = Path(__file__).parents[1] / "examples" / "person_1.jpg"
SIZE, MOMENTS, FAST_FRAMES = 512, 8, 60


def main() -> None:
    """Measure and print."""
    photo = Path(sys.argv[1]) if len(sys.argv) > 1 else PHOTO
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "person.glb"
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sherf.cli", "export", str(photo), "--motion", "walk", "--out", str(out)],
            check=True,
            capture_output=True,
        )
        seconds, megabytes = time.perf_counter() - began, out.stat().st_size / 1e6
        body, backend = load_body_model("openbody"), choose_backend("cpu")
        avatar = load_avatar(out.with_suffix("") / "avatar.safetensors", body)
    mesh = build_rigged_mesh(avatar, body, backend)
    pose = avatar.bank.subject.pose
    walk = apply(read_motion("walk"), pose, leg_height_m=leg_height(body.rest_joints(pose.betas)))
    volume, fast = FieldRenderer(avatar, body, backend), MeshRenderer(mesh)
    moments = [walk[i] for i in np.linspace(0, len(walk.joints) - 1, MOMENTS).astype(int)]
    surfaces = torch.stack([volume.outline(moment) for moment in moments])
    base, centre = frame_person(surfaces, avatar.bank.subject.camera, (SIZE, SIZE))
    cameras = turntable(base, centre, MOMENTS)
    overlaps, psnrs = [], []
    for i, moment in enumerate(moments):
        a, b = volume.frame(cameras[i], moment), fast.frame(cameras[i], moment)
        first, second = a.opacity > 0.5, b.opacity > 0.5
        overlaps.append(float((first & second).sum() / (first | second).sum()))
        error = (a.rgb - b.rgb + (b.opacity - a.opacity)).square().mean()  # both on white
        psnrs.append(float(-10 * error.log10()))
    fast.frame(cameras[0], moments[0])
    began = time.perf_counter()
    for i in range(FAST_FRAMES):
        fast.frame(cameras[0], walk[i % len(walk.joints)])
    rate = FAST_FRAMES / (time.perf_counter() - began)
    print("| what | figure | target |\n|---|---|---|")
    print(f"| photo → GLB with one motion, cold | {seconds:.0f} s | 90 s |")
    print(f"| size of the GLB | {megabytes:.1f} MB | 8 MB |")
    print(f"| fast previewer at {SIZE} x {SIZE} | {rate:.0f} frames/s | 30 |")
    print(
        f"| silhouettes of mesh and volume, {MOMENTS} frames of a walk from all around, IoU | "
        f"{np.mean(overlaps):.3f} (minimum {min(overlaps):.3f}) | .95 |"
    )
    print(f"| their images, PSNR on white | {np.mean(psnrs):.1f} dB (minimum {min(psnrs):.1f}) | 25 dB |")


if __name__ == "__main__":
    main()
