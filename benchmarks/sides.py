"""Render avatars from eight sides on one sheet, for visual comparison.

    python benchmarks/sides.py out/sides.jpg photo.jpg people/000009 ... [--model sherf-small] [--size 300]

A source is a photo, or the folder of a subject of OpenPeople.
"""

import argparse
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sherf.api.sources import obtain_avatar
from sherf.avatar.renderer import FieldRenderer
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import turntable
from sherf.export.video_writer import compose
from sherf.files.images import write_png
from sherf.files.options import OutputOptions
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend

SIDES = 8
WHITE = torch.ones(3)


def row(source: Path, model: str, size: int) -> Tensor:
    """Return the photo and eight views, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        avatar, body = obtain_avatar(source, OutputOptions(Path(folder)), PhotoOptions(model=model))
    subject = avatar.bank.subject
    renderer = FieldRenderer(avatar, body, choose_backend("cpu"))
    base, centre = frame_person(renderer.outline(subject.pose), subject.camera, (size, size))
    cut = size // 5
    frames = [renderer.frame(turntable(base, centre, SIDES)[i], subject.pose) for i in range(SIDES)]
    sides = [compose(frame, WHITE)[:, :, cut : size - cut] for frame in frames]
    photo = subject.image * subject.mask + (1 - subject.mask)
    scale = size / max(photo.shape[1:])
    small = F.interpolate(photo[None], scale_factor=scale, mode="area")[0][:, :size]
    missing = size - small.shape[2]
    small = F.pad(small, (missing // 2, missing - missing // 2, 0, size - small.shape[1]), value=1.0)
    return torch.cat([small[:, :, cut // 2 : size - cut // 2], *sides], dim=2)


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--model", default="sherf-small")
    parser.add_argument("--size", type=int, default=300)
    options = parser.parse_args()
    rows = [row(source, options.model, options.size) for source in options.sources]
    write_png(options.out, torch.cat(rows, dim=1).clamp(0, 1))


if __name__ == "__main__":
    main()
