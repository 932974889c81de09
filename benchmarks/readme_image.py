"""Render the image in the README: `python benchmarks/readme_image.py`."""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sherf.api.sources import obtain_avatar
from sherf.avatar.avatar_file import load_avatar
from sherf.avatar.renderer import FieldRenderer
from sherf.avatar.result_files import AVATAR
from sherf.body.files import load_body_model
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import turntable
from sherf.export.video_writer import compose
from sherf.files.options import OutputOptions
from sherf.motion.ground import ground_motion
from sherf.motion.playback import apply
from sherf.motion.read import read_motion
from sherf.photo.photo_reader import read_photo
from sherf.render.devices import choose_backend

EXAMPLES = Path(__file__).parent.parent / "examples"
ROWS = (("darknet_person.jpg", "walk"), ("person_1.jpg", "dance"))
HEIGHT, WIDTH, PHOTO_WIDTH = 360, 250, 530
WHITE = torch.ones(3)


def row(photo: Path, motion: str) -> Tensor:
    """Return the photo, five views, and three frames of a motion, side by side."""
    body = load_body_model("openbody")
    with tempfile.TemporaryDirectory() as folder:
        obtain_avatar(photo, OutputOptions(Path(folder)))
        avatar = load_avatar(Path(folder) / AVATAR, body)
    pose = avatar.bank.subject.pose
    renderer = FieldRenderer(avatar, body, choose_backend("cpu"))
    base, centre = frame_person(renderer.outline(pose), avatar.bank.subject.camera, (HEIGHT, HEIGHT))
    sides = [renderer.frame(turntable(base, centre, 6)[i], pose) for i in (0, 1, 2, 3, 5)]
    moves = apply(ground_motion(read_motion(motion), body, pose.betas), pose)
    for i in (12, 30, 48):
        posed = moves[i % len(moves)]
        camera, middle = frame_person(renderer.outline(posed), avatar.bank.subject.camera, (HEIGHT, HEIGHT))
        sides.append(renderer.frame(turntable(camera, middle, 12)[1], posed))
    side = (HEIGHT - WIDTH) // 2
    images = [compose(frame, WHITE)[:, :, side : side + WIDTH] for frame in sides]
    image = read_photo(photo).image
    scale = HEIGHT / image.shape[1]
    small = F.interpolate(image[None], (HEIGHT, round(image.shape[2] * scale)), mode="area")[0]
    small = F.pad(small, (0, max(0, PHOTO_WIDTH - small.shape[2])), value=1.0)[:, :, :PHOTO_WIDTH]
    return torch.cat([small, *images], dim=2)


def main() -> None:
    rows = [row(EXAMPLES / name, motion) for name, motion in ROWS]
    pixels = (torch.cat(rows, 1).clamp(0, 1).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    image = image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.LANCZOS)
    image.save(EXAMPLES / "readme.jpg", quality=88)


if __name__ == "__main__":
    main()
