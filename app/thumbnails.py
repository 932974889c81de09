"""Animated thumbnails of the built-in motions, in `motions/`. Rebuild them with `python -m sherf.app.thumbnails`."""

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
from sherf.motion.read import BUILTIN_FOLDER, builtin_motions, read_motion
from sherf.photo.video_reader import read_video

FOLDER = Path(__file__).parent / "motions"
SIDE = 128
"""Width and height, pixels."""
MAX_SECONDS = 4.0


def thumbnail(name: str) -> Path:
    """Return the path of a built-in motion's thumbnail."""
    return FOLDER / f"{name}.webp"


def source_sha256(name: str) -> str:
    """Return the SHA-256 of the motion file that a thumbnail was made from, as stored in its EXIF data."""
    with Image.open(thumbnail(name)) as image:
        return image.getexif()[Base.ImageDescription]


def make_thumbnail(name: str) -> Path:
    """Render a built-in motion on a plain body and write its thumbnail, a looping WebP.

    Args:
        name: of a built-in motion.

    Returns:
        The file, `thumbnail(name)`.

    Raises:
        BadInput: there is no such motion.
    """
    with tempfile.TemporaryDirectory() as folder:
        video = preview_motion(read_motion(name), Path(folder))
        frames = [_reduced(frame) for frame in islice(read_video(video, FPS), round(MAX_SECONDS * FPS))]
    path, exif = thumbnail(name), Image.Exif()
    exif[Base.ImageDescription] = file_sha256(BUILTIN_FOLDER / f"{name}.npz")
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 / FPS),
        loop=0,
        quality=50,
        method=6,
        exif=exif,
    )
    return path


def _reduced(image: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
    return Image.fromarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def main() -> None:
    """Rebuild the thumbnails of all built-in motions."""
    FOLDER.mkdir(exist_ok=True)
    for name in builtin_motions():
        path = make_thumbnail(name)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
