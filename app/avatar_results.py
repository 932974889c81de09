"""An avatar and all that a session made of it: a new photo gets new results, so that none are of a wrong person."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from sherf.api.choose_motion import choose_motion
from sherf.app.fit_corrections import FitCorrections
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.turning import Turning, picture, start_camera, view_camera, write_turning
from sherf.app.usage import Usage
from sherf.app.videos import render_videos
from sherf.app.viewer import AvatarViewer, View
from sherf.avatar.provenance import PROVENANCE, provenance
from sherf.camera.framing import CameraPath
from sherf.errors import SherfError
from sherf.export.gltf import encode_glb, write_glb
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import RiggedMesh, build_rigged_mesh
from sherf.export.still_mesh import StillMesh, quick_mesh
from sherf.export.video_writer import parse_colour
from sherf.files.options import OutputOptions
from sherf.files.output import write_json
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.resample import resample
from sherf.progress import ProgressCallback, ignore_progress, report_progress_to
from sherf.render.backend import Backend
from sherf.render.options import RenderOptions

EXPORT_FPS = 30.0
VIDEOS = "videos"


class Cancelled(SherfError):
    """The user cancelled the work, or replaced what it was for."""


@dataclass
class AvatarResults:
    """An avatar, and what was made of it; the files lie in the photo's folder."""

    fitted: FittedPhoto
    viewer: AvatarViewer
    backend: Backend
    usage: Usage
    """Of the session."""
    is_corrected: bool = False
    """The avatar comes from a corrected fit."""
    mesh: RiggedMesh | None = None
    seen_share: float | None = None
    """Share of the surface that the photo saw; known since the mesh was first built."""
    turning: Turning | None = None
    """What the browser turns: at first a coarse mesh, then the rigged one."""
    corrections: FitCorrections = field(default_factory=FitCorrections)
    """Not yet applied."""
    videos: list[Path] = field(default_factory=list)
    """Files of the last `make_video`."""
    exports: list[Path] = field(default_factory=list)
    """Files of the last `export`."""
    _cancelled: threading.Event = field(default_factory=threading.Event)
    """Of the work in progress, and of what is still to come until the user requests something again."""
    _building: threading.Lock = field(default_factory=threading.Lock)
    _rendering: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_cancelled(self) -> bool:
        """Whether the user cancelled, and has not requested anything since."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Cancel the video or mesh in progress."""
        self._cancelled.set()

    def resume(self) -> None:
        """Allow new work; what was cancelled stays cancelled, even if it has not noticed yet."""
        if self.is_cancelled:
            self._cancelled = threading.Event()

    def build_mesh(self) -> RiggedMesh:
        """Return the avatar's mesh, built once.

        Raises:
            Cancelled: `cancel` was called.
        """
        check = self._cancellation()
        with self.usage.step(), self._building:
            mesh = self.mesh
            if mesh is None:
                mesh = build_rigged_mesh(self.fitted.avatar, self.fitted.body, self.backend, watch=check)
                self.mesh, self.viewer.mesh_renderer, self.seen_share = mesh, MeshRenderer(mesh), mesh.visible_share
        return mesh

    def write_turning(self) -> Turning:
        """Return the mesh that the browser turns, written to files: the rigged one if it was built, else a coarse one.

        Raises:
            SherfError: the avatar has no surface, or the files cannot be written.
        """
        fitted, mesh = self.fitted, self.mesh
        with self.usage.step():
            if mesh is None:
                still, name = quick_mesh(fitted.avatar, fitted.body, self.backend), "turning-coarse"
            else:
                still, name = StillMesh.of(mesh, fitted.avatar.bank.subject.pose), "turning"
            self.turning = write_turning(still, fitted.folder, name)
            return self.turning

    def start_camera(self) -> dict[str, Any]:
        """Return where the viewer starts (`turning.start_camera`)."""
        return start_camera(self.viewer.field_renderer, self.fitted.avatar)

    def picture(self, message: Any) -> UInt8[np.ndarray, "h w 3"]:
        """Return the radiance field's picture of a view that turn.js describes.

        Raises:
            BadInput: the message is not such a view.
        """
        camera = view_camera(message)
        with self.usage.step():
            return picture(self.viewer.field_renderer, self.fitted.avatar, camera)

    def render(self, view: View) -> UInt8[np.ndarray, "h w 3"]:
        """Render a still of the avatar in the photo's pose.

        Returns:
            sRGB on white (`AvatarViewer.render`).
        """
        with self.usage.step():
            return self.viewer.render(view)

    def render_again(self) -> UInt8[np.ndarray, "h w 3"]:
        """Render the last view again, from the mesh if there is one by now. Returns the same as `render`."""
        return self.render(self.viewer.last_view)

    def make_video(
        self,
        motion: str,
        moving: MotionOptions,
        options: RenderOptions,
        path: CameraPath,
        on_progress: ProgressCallback = ignore_progress,
    ) -> list[Path]:
        """Render the avatar's mesh in motion and write its videos, which replace those before.

        A second call waits until the first ends.

        Args:
            motion: a built-in motion's name, or a file.
            moving: changes of the motion.
            options: of frames and videos.
            path: camera path.
            on_progress: called for each frame of a motion video that is read, then for each frame rendered.

        Returns:
            The videos, and their provenance.

        Raises:
            Cancelled: `cancel` was called meanwhile.
            SherfError: the motion or the options cannot be used.
        """
        with self.usage.step(), self._rendering:
            self.resume()
            with self._progress_to(on_progress):
                parse_colour(options.background)
                mesh = self.build_mesh()
                clip = self._read_motion(motion, moving, options.fps)
                name = f"{clip.name}-{abs(hash((motion, moving, options, path))) % 10**8}"
                output = OutputOptions(self.fitted.folder / VIDEOS / name, overwrite=True)
                avatar, body = self.fitted.avatar, self.fitted.body
                videos = render_videos(MeshRenderer(mesh), clip, avatar, body, path, output, options)
            record = output.out / PROVENANCE
            write_json(record, provenance(self.fitted.avatar, mesh.visible_share))
            self.videos = [*videos, record]
            self._delete_videos_except(output.out)
            return self.videos

    def export(self, motion: str, moving: MotionOptions, on_progress: ProgressCallback = ignore_progress) -> list[Path]:
        """Write the rigged avatar as GLB with one animation clip.

        Args:
            motion: a built-in motion's name, or a file.
            moving: changes of the motion.
            on_progress: called for each frame of a motion video that is read.

        Returns:
            The GLB, the avatar file, and their provenance.

        Raises:
            Cancelled: `cancel` was called meanwhile.
            SherfError: the motion cannot be used.
        """
        self.resume()
        with self.usage.step(), self._progress_to(on_progress):
            fitted, mesh = self.fitted, self.build_mesh()
            clip = self._read_motion(motion, moving, EXPORT_FPS)
            clip = ground_motion(clip, fitted.body, fitted.avatar.bank.subject.pose.betas)
            glb, record_file = fitted.folder / "avatar.glb", fitted.folder / PROVENANCE
            record = provenance(fitted.avatar, mesh.visible_share)
            write_glb(glb, encode_glb(mesh, [clip], record))
            write_json(record_file, record)
            self.exports = [glb, fitted.avatar_file, record_file]
            return self.exports

    def release_memory(self) -> None:
        """Free what can be computed again: the mesh and the renderers."""
        self.mesh = None
        self.viewer.release()

    def _read_motion(self, motion: str, moving: MotionOptions, fps: float) -> Motion:
        return resample(choose_motion(motion, moving, self.fitted.folder / "video-motion"), fps)

    def _delete_videos_except(self, latest: Path) -> None:
        for folder in (self.fitted.folder / VIDEOS).iterdir():
            if folder != latest:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _progress_to(self, on_progress: ProgressCallback) -> Iterator[None]:
        """Report progress of the work inside, which `cancel` ends and which counts as use of the session."""
        check = self._cancellation()

        def report(what: str, done: int, count: int | None) -> None:
            check()
            self.usage.touch()
            on_progress(what, done, count)

        with report_progress_to(report):
            yield

    def _cancellation(self) -> Callable[[], None]:
        """Return a function that raises `Cancelled` once the work that starts now is cancelled."""
        cancelled = self._cancelled

        def check() -> None:
            if cancelled.is_set():
                raise Cancelled("video cancelled and discarded.")

        return check
