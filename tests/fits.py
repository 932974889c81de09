"""What a fit.json says of its body."""

import json
from pathlib import Path

from sherf.body.files import load_body_model
from sherf.camera.pinhole import project
from sherf.photo import landmarks as marks
from sherf.photo.edit import read_fit_file


def fitted(path: Path, name: str) -> list[float]:
    """Where the fitted body has a landmark, pixels of the photo: not where it was found or placed."""
    said = json.loads(path.read_text())
    width, height = said["size"]
    start = read_fit_file(path, said["photo_sha256"], (height, width), "openbody").start
    assert start is not None
    pixels, _ = project(start.camera, marks.on_body(load_body_model("openbody"), start.pose)[0])
    return pixels[marks.INDEX[name]].tolist()
