"""A film of an avatar's mesh, picture by picture, that can be watched and ended."""

import shutil
from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from sherf.avatar import Avatar
from sherf.body.model import BodyModel
from sherf.errors import BadInput
from sherf.export.preview import MeshRenderer
from sherf.framing import CameraPath, camera_path
from sherf.motion import Motion, apply
from sherf.motion_ground import grounded
from sherf.options import OutputOptions, RenderOptions
from sherf.scene import BodyPose, Camera, Frame
from sherf.sequence import FRAMES, Shots, write_sequence

MOST_SECONDS = 20.0
"""Of a motion that the page plays."""


class Watched:
    """A renderer that counts its frames, and ends when it should."""

    def __init__(self, renderer: MeshRenderer, watch: Callable[[], None], told: Callable[[int], None]) -> None:
        self.renderer, self.watch, self.told, self.done = renderer, watch, told, 0
        self.outline = renderer.outline

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """The renderer's own, unless `watch` raises."""
        self.watch()
        frame = self.renderer.frame(camera, pose, vertices)
        self.done += 1
        self.told(self.done)
        return frame


def filmed(
    renderer: Watched,
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
        SherfError: whatever `renderer.watch` raises.
    """
    if motion.seconds > MOST_SECONDS:
        raise BadInput(f"the motion takes {motion.seconds:.0f} s; the page plays {MOST_SECONDS:.0f}. Shorten it.")
    pose, camera = avatar.bank.subject.pose, avatar.bank.subject.camera
    poses = apply(grounded(motion, body, pose.betas), pose)
    cameras = camera_path(path, renderer.outline, camera, poses, len(motion), options.size)
    videos = write_sequence(renderer, Shots(cameras, poses), out, options, {"film": out.out.name})
    shutil.rmtree(out.out / FRAMES, ignore_errors=True)
    return videos
