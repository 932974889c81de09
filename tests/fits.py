"""Where the body of a fit.json has its landmarks."""

import json
from pathlib import Path

from sherf.body.files import load_body_model
from sherf.camera.pinhole import project
from sherf.photo import landmarks as marks
from sherf.photo.fit_file_reader import read_fit_file


def fitted_pixel(path: Path, name: str) -> list[float]:
    """Return where the fitted body has a landmark, in pixels of the photo: not where it was detected or placed."""
    content = json.loads(path.read_text())
    width, height = content["size"]
    start = read_fit_file(path, content["photo_sha256"], (height, width), "openbody").start
    assert start is not None
    pixels, _ = project(start.camera, marks.body_landmarks(load_body_model("openbody"), start.pose)[0])
    return pixels[marks.INDEX[name]].tolist()
