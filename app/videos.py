"""A film of an avatar's mesh, picture by picture, that can be watched and ended."""

import shutil
from pathlib import Path

from sherf.avatar.avatar_file import Avatar
from sherf.body.body_model import BodyModel
from sherf.camera.framing import CameraPath, camera_path
from sherf.errors import BadInput
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.sequence import FRAMES, Shots, write_sequence
from sherf.files.options import OutputOptions
from sherf.motion.ground import grounded
from sherf.motion.motion import Motion, apply
from sherf.render.options import RenderOptions

MOST_SECONDS = 20.0
"""Of a motion that the page plays."""


def filmed(
    renderer: MeshRenderer,
    motion: Motion,
    avatar: Avatar,
    body: BodyModel,
    path: CameraPath,
    out: OutputOptions,
    options: RenderOptions,
) -> list[Path]:
    """The videos of an avatar that moves.

    Raises:
        BadInput: the motion is longer than MOST_SECONDS.
        SherfError: whatever stops it (`sherf.progress.report_progress_to`).
    """
    if motion.seconds > MOST_SECONDS:
        raise BadInput(f"the motion takes {motion.seconds:.0f} s; the page plays {MOST_SECONDS:.0f}. Shorten it.")
    pose, camera = avatar.bank.subject.pose, avatar.bank.subject.camera
    poses = apply(grounded(motion, body, pose.betas), pose)
    cameras = camera_path(path, renderer.outline, camera, poses, len(motion), options.size)
    videos = write_sequence(renderer, Shots(cameras, poses), out, options, {"film": out.out.name})
    shutil.rmtree(out.out / FRAMES, ignore_errors=True)
    return videos
