"""One user's session: the photo's avatar, its mesh, and files in a private folder. Free of widgets."""

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sherf.api.choose_motion import choose_motion
from sherf.api.sources import obtain_avatar
from sherf.app.fit_corrections import FitCorrections
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.masks import Painting, edited_mask
from sherf.app.videos import render_videos
from sherf.app.viewer import AvatarViewer, View
from sherf.avatar.provenance import PROVENANCE, provenance
from sherf.camera.framing import CameraPath
from sherf.errors import BadInput, SherfError
from sherf.export.gltf import encode_glb, write_glb
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import RiggedMesh, build_rigged_mesh
from sherf.export.video_writer import parse_colour
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import write_json
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.resample import resample
from sherf.photo.options import PhotoOptions
from sherf.progress import ProgressCallback, ignore_progress, report_progress_to
from sherf.render.devices import Backend, choose_backend
from sherf.render.options import RenderOptions

EXPORT_FPS = 30.0


class Cancelled(SherfError):
    """The user cancelled the work."""


@dataclass
class Session:
    """One photo's results; its files lie in `folder` until it is closed."""

    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """A secret that gives access to everything here; sent to the user's own browser tab alone."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sherf-session-")))
    backend: Backend = field(default_factory=lambda: choose_backend("auto"))
    fitted: FittedPhoto | None = None
    viewer: AvatarViewer | None = None
    """Of the fitted photo's avatar."""
    mesh: RiggedMesh | None = None
    seen_share: float | None = None
    """Share of the surface that the photo saw; known since the mesh was first built."""
    corrections: FitCorrections = field(default_factory=FitCorrections)
    """Not yet applied."""
    num_refits: int = 0
    is_corrected: bool = False
    """The avatar comes from a corrected fit."""
    videos: list[Path] = field(default_factory=list)
    """Files of the last `make_video`."""
    exports: list[Path] = field(default_factory=list)
    """Files of the last `export`."""
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set it to cancel the video or mesh in progress."""
    last_used: float = field(default_factory=time.monotonic)
    """Time of the user's last action, of time.monotonic."""
    _building: threading.Lock = field(default_factory=threading.Lock)
    _rendering: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_busy(self) -> bool:
        """Whether its mesh or a video is in progress: a user who waits for that is not idle."""
        return self._building.locked() or self._rendering.locked()

    def read(self, photo: Path, person: int | None = None, edit: Path | None = None) -> dict[str, Any]:
        """Reconstruct a photo's avatar, or take up the one made before. A bad fit is reported, not refused.

        Args:
            photo: image file; the session keeps a copy.
            person: number of the person in the photo, from 1; None takes the most prominent.
            edit: corrected fit.json; its avatar is separate from that of the uncorrected fit.

        Returns:
            The avatar's report.

        Raises:
            SherfError: the photo or the corrections cannot be used.
        """
        self.last_used = time.monotonic()
        folder = self.folder / file_sha256(photo)[:16]
        copy = folder / "photo" / photo.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, copy)
        out = folder / (f"person-{person or 0}" + ("" if edit is None else f"-fit-{edit.stem}"))
        options = PhotoOptions(person=person, allow_partial=True, edit=edit, force=True)
        avatar, body = obtain_avatar(copy, OutputOptions(out), options)
        if self.fitted is None or avatar.report != self.fitted.report:
            self.viewer = AvatarViewer(avatar, body, self.backend)
            self.mesh = self.seen_share = None
            self.corrections, self.videos, self.exports = FitCorrections(), [], []
        self.fitted = FittedPhoto(copy, avatar, body, out)
        self.is_corrected, self.last_used = edit is not None, time.monotonic()
        self.cancel.clear()
        return avatar.report

    def refit(self, mask: Path | None, painting: Painting | None = None) -> dict[str, Any]:
        """Fit the photo again with the user's `corrections`.

        Args:
            mask: uploaded mask, white on black; it takes precedence over `painting`.
            painting: the mask editor's value, as painted and erased; None if it was not opened.

        Returns:
            The new avatar's report.

        Raises:
            BadInput: there is no photo yet.
            SherfError: the corrections cannot be used.
        """
        fitted = self.require_fitted()
        fit = fitted.fit
        previous = fit["edits"]["mask"]
        self.num_refits += 1
        edits = self.folder / "edits"
        edits.mkdir(exist_ok=True)
        painted = edited_mask(fitted.mask, painting) if mask is None else None
        if painted is not None:
            mask = edits / f"{self.num_refits}.png"
            Image.fromarray(painted).save(mask)
        elif mask is None and previous is not None:
            mask = fitted.folder / previous
        edit = self.corrections.write(fit, fitted.body, mask, edits / f"{self.num_refits}.json")
        return self.read(fitted.photo, fit["person"], edit)

    def build_mesh(self) -> RiggedMesh:
        """Return the avatar's mesh, built once a photo.

        Raises:
            BadInput: there is no photo yet.
            Cancelled: `cancel` was set.
        """
        with self._building:
            fitted, viewer, mesh = self.require_fitted(), self.require_viewer(), self.mesh
            if mesh is None:
                mesh = build_rigged_mesh(fitted.avatar, fitted.body, self.backend, watch=self._check_cancelled)
                if fitted is self.fitted and viewer is self.viewer:  # no other photo was read meanwhile
                    self.mesh, viewer.mesh_renderer, self.seen_share = mesh, MeshRenderer(mesh), mesh.visible_share
            self.last_used = time.monotonic()
        return mesh

    def render(self, view: View) -> UInt8[np.ndarray, "h w 3"]:
        """Render a still of the avatar in the photo's pose.

        Returns:
            sRGB on white (`AvatarViewer.render`).

        Raises:
            BadInput: there is no photo yet.
        """
        return self.require_viewer().render(view)

    def render_again(self) -> UInt8[np.ndarray, "h w 3"]:
        """Render the last view again, from the mesh if there is one by now.

        Returns:
            sRGB on white (`AvatarViewer.render`).

        Raises:
            BadInput: there is no photo yet.
        """
        viewer = self.require_viewer()
        return viewer.render(viewer.last_view)

    def make_video(
        self,
        motion: str,
        moving: MotionOptions,
        options: RenderOptions,
        path: CameraPath,
        on_progress: ProgressCallback = ignore_progress,
    ) -> list[Path]:
        """Render the avatar's mesh in motion and write its videos. A second call waits until the first ends.

        Args:
            motion: a built-in motion's name, or a file.
            moving: changes of the motion.
            options: of frames and videos.
            path: camera path.
            on_progress: called for each frame of a motion video that is read, then for each frame rendered.

        Returns:
            The videos, and their provenance.

        Raises:
            BadInput: there is no photo yet.
            Cancelled: `cancel` was set meanwhile.
            SherfError: the motion or the options cannot be used.
        """
        with self._rendering, self._progress_to(on_progress):
            self.cancel.clear()
            parse_colour(options.background)
            mesh, fitted = self.build_mesh(), self.require_fitted()
            clip = self._read_motion(fitted, motion, moving, options.fps)
            name = f"{clip.name}-{abs(hash((motion, moving, options, path))) % 10**8}"
            output = OutputOptions(fitted.folder / "videos" / name, overwrite=True)
            videos = render_videos(MeshRenderer(mesh), clip, fitted.avatar, fitted.body, path, output, options)
            record = output.out / PROVENANCE
            write_json(record, provenance(fitted.avatar, mesh.visible_share))
            self.videos = [*videos, record]
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
            BadInput: there is no photo yet.
            Cancelled: `cancel` was set meanwhile.
            SherfError: the motion cannot be used.
        """
        self.cancel.clear()
        mesh, fitted = self.build_mesh(), self.require_fitted()
        with self._progress_to(on_progress):
            clip = self._read_motion(fitted, motion, moving, EXPORT_FPS)
            clip = ground_motion(clip, fitted.body, fitted.avatar.bank.subject.pose.betas)
        glb, record_file = fitted.folder / "avatar.glb", fitted.folder / PROVENANCE
        record = provenance(fitted.avatar, mesh.visible_share)
        write_glb(glb, encode_glb(mesh, [clip], record))
        write_json(record_file, record)
        self.exports = [glb, fitted.avatar_file, record_file]
        return self.exports

    def require_fitted(self) -> FittedPhoto:
        """Return the fitted photo; counts as use of the session.

        Raises:
            BadInput: there is no photo yet.
        """
        if self.fitted is None:
            raise BadInput("there is no photo yet. Upload one on the first tab, or choose an example.")
        self.last_used = time.monotonic()
        return self.fitted

    def require_viewer(self) -> AvatarViewer:
        """Return the viewer of the avatar; counts as use of the session.

        Raises:
            BadInput: there is no photo yet.
        """
        self.require_fitted()
        assert self.viewer is not None  # `read` sets both
        return self.viewer

    def release_memory(self) -> None:
        """Free what can be computed again: the mesh and the renderers."""
        self.mesh = None
        if self.viewer is not None:
            self.viewer.release()

    def close(self) -> None:
        """Cancel the work in progress, delete all files and free all memory."""
        self.cancel.set()
        self.release_memory()
        self.fitted = self.viewer = None
        self.videos = self.exports = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read_motion(self, fitted: FittedPhoto, motion: str, moving: MotionOptions, fps: float) -> Motion:
        return resample(choose_motion(motion, moving, fitted.folder / "video-motion"), fps)

    @contextmanager
    def _progress_to(self, on_progress: ProgressCallback) -> Iterator[None]:
        """Report progress of the work inside, which `cancel` ends and which counts as use of the session."""

        def report(what: str, done: int, count: int | None) -> None:
            self._check_cancelled()
            self.last_used = time.monotonic()
            on_progress(what, done, count)

        with report_progress_to(report):
            yield

    def _check_cancelled(self) -> None:
        if self.cancel.is_set():
            raise Cancelled("video cancelled and discarded.")
