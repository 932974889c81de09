"""Preview a motion on a plain body: shows within seconds what a file holds, before an avatar is rendered."""

import math
import tempfile
from pathlib import Path

import torch
from jaxtyping import Float, Int

from sherf.body.files import load_body_model
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import intrinsics, look_at, turntable
from sherf.export.video_writer import frame_path, write_video
from sherf.files.images import write_png
from sherf.files.output import prepare_output_folder
from sherf.motion.edit import make_in_place
from sherf.motion.motion import Motion
from sherf.motion.playback import apply
from sherf.motion.resample import resample, trim
from sherf.progress import progress
from sherf.render.raycast import cast
from sherf.scene import Camera

SIZE = 320
"""Width and height of a frame, pixels."""
FPS = 15.0
MAX_FRAMES = 300
FRAMING_POSES = 40
"""About so many poses, evenly spread, have to fit into the frame."""
CLAY = torch.tensor([0.80, 0.72, 0.66])
BACKGROUND = 0.95
CAMERA_YAW_DEGREES = 30.0
"""The camera stands this far to the side, so that forward swings are visible."""


def preview_motion(motion: Motion, out: Path) -> Path:
    """Write a video of the mean open body playing a motion in place, at most 20 seconds of it.

    Args:
        motion: in motion space.
        out: the folder to write to; created if needed.

    Returns:
        The video, NAME.mp4.

    Raises:
        OutputError: the folder cannot be written.
    """
    body = load_body_model("openbody")
    excerpt = trim(make_in_place(motion), 0, math.ceil(MAX_FRAMES / FPS * motion.fps) + 1)
    played = resample(excerpt, FPS)
    poses = apply(played, body.rest_pose())
    count = min(len(played), MAX_FRAMES)
    step = max(count // FRAMING_POSES, 1)
    camera = _frame_body(torch.stack([body.pose(poses[i]).vertices for i in range(0, count, step)]))
    prepare_output_folder(out)
    with tempfile.TemporaryDirectory() as folder:
        for i in progress(range(count), "preview"):
            image = _render_clay(body.pose(poses[i]).vertices, body.faces, camera)
            write_png(frame_path(Path(folder), i), image, durable=False)
        return write_video(out / f"{motion.name}.mp4", Path(folder), FPS)


def _frame_body(surfaces: Float[torch.Tensor, "frame vertex 3"]) -> Camera:
    """Return a camera in front, a little to the side, that shows the body in all poses."""
    R, T = look_at(torch.tensor([0.0, 0.0, 4.0]), torch.zeros(3))
    front = Camera(intrinsics(1.4 * SIZE, (SIZE, SIZE)), R, T, (SIZE, SIZE))
    base, centre = frame_person(surfaces, front, (SIZE, SIZE))
    return turntable(base, centre, 2, degrees=2 * CAMERA_YAW_DEGREES)[1]


def _render_clay(
    vertices: Float[torch.Tensor, "vertex 3"], faces: Int[torch.Tensor, "face 3"], camera: Camera
) -> Float[torch.Tensor, "3 h w"]:
    """Render the body in one colour, lit from the camera (Lambert)."""
    hits = cast(vertices, faces, camera)
    shading = 0.45 + 0.55 * (-(hits.normal @ camera.R[2])).clamp(0, 1)
    return torch.where(hits.hit, CLAY[:, None, None] * shading, torch.tensor(BACKGROUND))
