"""A motion on a plain body: to see in seconds what a file holds, before an avatar is rendered."""

import math
import tempfile
from pathlib import Path

import torch

from sherf.body.files import load_body_model
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import intrinsics, look_at, turntable
from sherf.export.video_writer import frame_path, write_png, write_video
from sherf.files.output import prepare_output_folder
from sherf.motion.motion import Motion, apply, on_the_spot, resample, trim
from sherf.progress import progress
from sherf.render.raycast import cast
from sherf.scene import Camera

SIZE = 320
FPS = 15.0
MOST_FRAMES = 300
CLAY = torch.tensor([0.80, 0.72, 0.66])
FACING_DEGREES = 30.0
"""By so much the camera stands to the side: swings forward show."""


def preview_motion(motion: Motion, out: Path) -> Path:
    """Write NAME.mp4 of the mean open body playing the motion, at most 20 seconds of it.

    Raises:
        OutputError: the folder cannot be written.
    """
    body = load_body_model("openbody")
    shown = trim(on_the_spot(motion), 0, math.ceil(MOST_FRAMES / FPS * motion.fps) + 1)
    played = resample(shown, FPS)
    poses = apply(played, body.rest_pose())
    count = min(len(played), MOST_FRAMES)
    surfaces = torch.stack([body.pose(poses[i]).vertices for i in range(0, count, max(count // 40, 1))])
    camera = _camera(surfaces)
    prepare_output_folder(out)
    with tempfile.TemporaryDirectory() as folder:
        for i in progress(range(count), "preview"):
            write_png(frame_path(Path(folder), i), _clay(body.pose(poses[i]).vertices, body.faces, camera))
        return write_video(out / f"{motion.name}.mp4", Path(folder), FPS)


def _camera(surfaces: torch.Tensor) -> Camera:
    """From ahead, a little to the side, all of it in the picture."""
    R, T = look_at(torch.tensor([0.0, 0.0, 4.0]), torch.zeros(3))
    ahead = Camera(intrinsics(1.4 * SIZE, (SIZE, SIZE)), R, T, (SIZE, SIZE))
    base, centre = frame_person(surfaces, ahead, (SIZE, SIZE))
    return turntable(base, centre, 2, degrees=2 * FACING_DEGREES)[1]


def _clay(vertices: torch.Tensor, faces: torch.Tensor, camera: Camera) -> torch.Tensor:
    hits = cast(vertices, faces, camera)
    light = 0.45 + 0.55 * (-(hits.normal @ camera.R[2])).clamp(0, 1)
    return torch.where(hits.hit, CLAY[:, None, None] * light, torch.tensor(0.95))
