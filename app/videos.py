"""Videos of an avatar's mesh, with progress and cancellation."""

import shutil
from pathlib import Path

from sherf.avatar.encoder import EncodedAvatar
from sherf.body.body_model import BodyModel
from sherf.camera.framing import CameraPath, camera_path
from sherf.errors import BadInput
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.sequence import FRAMES, FrameSequence, write_sequence
from sherf.files.options import OutputOptions
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.playback import apply
from sherf.render.options import RenderOptions

MAX_SECONDS = 20.0
"""Longest motion that the page renders."""


def render_videos(
    renderer: MeshRenderer,
    motion: Motion,
    avatar: EncodedAvatar,
    body: BodyModel,
    path: CameraPath,
    output: OutputOptions,
    options: RenderOptions,
) -> list[Path]:
    """Render an avatar in motion and write its videos; the frames are deleted afterwards.

    Args:
        renderer: of the avatar's mesh.
        motion: at the videos' frame rate; it is put on the ground for the avatar's body.
        avatar: whose pose, shape and camera are the start.
        body: the avatar's body model.
        path: camera path.
        output: folder to write to.
        options: of the frames and videos.

    Returns:
        The videos: MP4, then GIF and WebM as `options` say.

    Raises:
        BadInput: the motion is longer than MAX_SECONDS.
        SherfError: the videos cannot be written, or a progress callback cancelled
            (`sherf.progress.report_progress_to`).
    """
    if motion.seconds > MAX_SECONDS:
        raise BadInput(
            f"the motion is {motion.seconds:.0f} s long; the page renders at most {MAX_SECONDS:.0f} s. Shorten it."
        )
    pose, camera = avatar.bank.subject.pose, avatar.bank.subject.camera
    poses = apply(ground_motion(motion, body, pose.betas), pose)
    cameras = camera_path(path, renderer.outline, camera, poses, len(motion), options.size)
    videos = write_sequence(
        FrameSequence(renderer, cameras, poses, options.fps), output, options, {"video": output.out.name}
    )
    shutil.rmtree(output.out / FRAMES, ignore_errors=True)
    return videos
