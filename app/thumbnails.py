"""Small moving pictures of the built-in motions, in `motions/`: `python -m sherf.app.thumbnails` makes them anew."""

import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.ExifTags import Base

from sherf.cli.motion_preview import FPS, preview_motion
from sherf.files.digest import file_sha256
from sherf.motion.motion import BUILTIN_FOLDER, builtin_motions, read_motion
from sherf.photo.video_reader import read_video

FOLDER = Path(__file__).parent / "motions"
SIDE = 128
"""Pixels."""
MOST_SECONDS = 4.0


def thumbnail(name: str) -> Path:
    """The picture that ships of a motion."""
    return FOLDER / f"{name}.webp"


def made_of(name: str) -> str:
    """The SHA-256 of the motion that the picture shows."""
    with Image.open(thumbnail(name)) as picture:
        return picture.getexif()[Base.ImageDescription]


def make_thumbnail(name: str) -> Path:
    """Write the motion's preview on a plain body, small, over and over."""
    with tempfile.TemporaryDirectory() as made:
        film = preview_motion(read_motion(name), Path(made))
        pictures = [_small(picture) for picture in islice(read_video(film, FPS), round(MOST_SECONDS * FPS))]
    path, about = thumbnail(name), Image.Exif()
    about[Base.ImageDescription] = file_sha256(BUILTIN_FOLDER / f"{name}.npz")
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / FPS),
        loop=0,
        quality=50,
        method=6,
        exif=about,
    )
    return path


def _small(picture: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
    return Image.fromarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name in builtin_motions():
        path = make_thumbnail(name)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
