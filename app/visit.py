"""What one visitor has done so far: the photo's avatar, its mesh, and files in a private folder. No widget in here."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sherf.app.fixing import Fix, small
from sherf.avatar import Avatar
from sherf.body.model import BodyModel
from sherf.camera import around
from sherf.devices import Backend, choose_backend
from sherf.digest import file_sha256
from sherf.errors import BadInput, SherfError
from sherf.export.gltf import glb_bytes, write_glb
from sherf.export.preview import MeshRenderer
from sherf.export.rigged import RiggedMesh, rigged_mesh
from sherf.export.video import compose, parse_colour
from sherf.framing import CameraPath, camera_path, frame_person
from sherf.image import to_bytes
from sherf.motion import apply, leg_height, resample
from sherf.motion_choice import chosen_motion
from sherf.motion_ground import grounded
from sherf.options import MotionOptions, OutputOptions, PhotoOptions, RenderOptions
from sherf.output import write_json
from sherf.provenance import PROVENANCE, provenance
from sherf.reconstruct import AVATAR, FIT, OVERLAY, obtain_avatar
from sherf.renderer import make_renderer
from sherf.scene import BodyPose, Camera, Frame
from sherf.sequence import FRAMES, Shots, write_sequence

VIEW_SIZE = 512
MOST_SECONDS = 20.0
"""Of a motion that the page plays."""
STEEPEST = 60.0
SEEN, INVENTED = torch.tensor([0.16, 0.63, 0.42]), torch.tensor([0.93, 0.55, 0.20])


class Stopped(SherfError):
    """The visitor wants no more of it."""


@dataclass
class Visit:
    """One photo's results; its files live in `folder` until it is closed."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sherf-visit-")))
    photo: Path | None = None
    avatar: Avatar | None = None
    body: BodyModel | None = None
    mesh: RiggedMesh | None = None
    backend: Backend = field(default_factory=lambda: choose_backend("auto"))
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set it to end a film that is being made."""
    fix: Fix = field(default_factory=Fix)
    fits: int = 0
    """How often the fit was corrected."""
    _renderer: MeshRenderer | None = None
    _base: tuple[Camera, Float[Tensor, "3"]] | None = None
    _small: UInt8[np.ndarray, "h w 3"] | None = None

    def read(self, photo: Path, person: int | None = None, edit: Path | None = None) -> dict[str, Any]:
        """Make the photo's avatar; returns its report.

        Args:
            edit: a fit.json with corrections; the avatar is another one.

        Raises:
            SherfError: of the photo or the corrections.
        """
        name = f"person-{person or 0}" + ("" if edit is None else f"-fit-{edit.stem}")
        out = self.folder / file_sha256(photo)[:16] / name
        options = PhotoOptions(person=person, allow_partial=True, edit=edit, force=edit is not None)
        avatar, body = obtain_avatar(photo, OutputOptions(out), options)
        if self.avatar is None or avatar.report != self.avatar.report:
            self.mesh = self._renderer = self._base = None
            self.fix = Fix()
        if photo != self.photo:
            self._small = None
        self.photo, self.avatar, self.body, self.out = photo, avatar, body, out
        return avatar.report

    def refit(self, mask: Path | None) -> dict[str, Any]:
        """The avatar again, from the fit that there is and what the visitor says against it (`fix`)."""
        self._known()
        assert self.photo is not None
        fit = self.fit
        before = fit["edits"]["mask"]
        if mask is None and before is not None:
            mask = self.out / before
        self.fits += 1
        edit = self.fix.write(fit, mask, self.folder / "edits" / f"{self.fits}.json")
        return self.read(self.photo, fit["person"], edit)

    def points(self, chosen: str) -> UInt8[np.ndarray, "h w 3"]:
        """The photo with what was found and placed on it (`Fix.drawn`)."""
        self._known()
        assert self.photo is not None
        if self._small is None:
            self._small = small(self.photo)
        return self.fix.drawn(self._small, self.fit, chosen)

    @property
    def fit(self) -> dict[str, Any]:
        """What fit.json says."""
        self._known()
        return json.loads((self.out / FIT).read_text())

    @property
    def overlay(self) -> Path:
        """What was found, drawn on the photo."""
        return self.out / OVERLAY

    @property
    def avatar_file(self) -> Path:
        """To go on with on the command line."""
        return self.out / AVATAR

    def first_view(self, size: int = 256) -> UInt8[np.ndarray, "h w 3"]:
        """A first picture, rendered from the field itself, before there is a mesh."""
        avatar, body = self._known()
        renderer = make_renderer(avatar, body, self.backend)
        pose = avatar.bank.subject.pose
        cameras = camera_path("turntable", renderer.outline, avatar.bank.subject.camera, pose, 8, size)
        return to_bytes(compose(renderer.frame(cameras[1], pose), torch.ones(3)))

    def build(self) -> RiggedMesh:
        """The mesh, made once a photo."""
        avatar, body = self._known()
        if self.mesh is None:
            self.mesh = rigged_mesh(avatar, body, self.backend)
            self._renderer = MeshRenderer(self.mesh)
        return self.mesh

    def view(
        self, azimuth: float, elevation: float, zoom: float, colours: bool = True, size: int = VIEW_SIZE
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The avatar in the photo's pose.

        Args:
            azimuth: of the camera, degrees, positive to the picture's right; 0 is the photo's.
            elevation: degrees, positive from above.
            zoom: 1 shows the whole person.
            colours: as they are; else what the photo saw in green and what is invented in orange.
        """
        avatar, _ = self._known()
        self.build()
        assert self._renderer is not None
        pose = avatar.bank.subject.pose
        if self._base is None:
            self._base = frame_person(self._renderer.outline(pose), avatar.bank.subject.camera, (size, size))
        camera = around(*self._base, azimuth, max(-STEEPEST, min(STEEPEST, elevation)))
        K = camera.K.clone()
        K[:2, :2] *= zoom
        frame = self._renderer.frame(Camera(K, camera.R, camera.T, camera.size), pose)
        if colours:
            return to_bytes(compose(frame, torch.ones(3)))
        light = 0.55 + 0.45 * (frame.rgb.mean(dim=0) / frame.opacity.clamp_min(1e-6))
        share = (frame.visibility / frame.opacity.clamp_min(1e-6)).clamp(0, 1)
        tint = torch.lerp(INVENTED[:, None, None], SEEN[:, None, None], share) * light
        return to_bytes(tint * frame.opacity + 1 - frame.opacity)

    def film(
        self,
        motion: str,
        moving: MotionOptions,
        options: RenderOptions,
        path: CameraPath,
        told: Callable[[int, int], None] = lambda done, count: None,
    ) -> list[Path]:
        """A video of the avatar's mesh while it moves; returns video files.

        Args:
            told: hears how many frames of how many are done.

        Raises:
            Stopped: `stopping` was set meanwhile.
            SherfError: of the motion or the options.
        """
        self.stopping.clear()
        avatar, body = self._known()
        self.build()
        assert self._renderer is not None
        parse_colour(options.background)
        played = resample(chosen_motion(motion, moving, self.out / "video-motion"), options.fps)
        if played.seconds > MOST_SECONDS:
            raise BadInput(f"the motion takes {played.seconds:.0f} s; the page plays {MOST_SECONDS:.0f}. Shorten it.")
        pose = avatar.bank.subject.pose
        poses = apply(played, pose, leg_height_m=leg_height(body.rest_joints(pose.betas).cpu()))
        count = len(played)
        camera = avatar.bank.subject.camera
        cameras = camera_path(path, self._renderer.outline, camera, poses, count, options.size)
        name = f"{played.name}-{abs(hash((motion, moving, options, path))) % 10**8}"
        out = OutputOptions(self.out / "films" / name, overwrite=True)
        watched = _Watched(self._renderer, self.stopping, lambda done: told(done, count))
        videos = write_sequence(watched, Shots(cameras, poses), out, options, {"film": name})
        write_json(out.out / PROVENANCE, provenance(avatar, self.build().seen))
        shutil.rmtree(out.out / FRAMES, ignore_errors=True)
        return videos

    def model(self, motion: str, moving: MotionOptions) -> Path:
        """The rigged avatar as GLB with one clip."""
        avatar, body = self._known()
        mesh = self.build()
        played = resample(chosen_motion(motion, moving, self.out / "video-motion"), 30.0)
        clip = grounded(played, body, avatar.bank.subject.pose.betas)
        path = self.out / "avatar.glb"
        write_glb(path, glb_bytes(mesh, [clip], provenance(avatar, mesh.seen)))
        return path

    def close(self) -> None:
        """Delete all files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _known(self) -> tuple[Avatar, BodyModel]:
        if self.avatar is None or self.body is None:
            raise BadInput("there is no photo yet. Drop one on the left, or take one of the examples.")
        return self.avatar, self.body


class _Watched:
    """A renderer that counts its frames, and ends when it should."""

    def __init__(self, renderer: MeshRenderer, stopping: threading.Event, told: Callable[[int], None]) -> None:
        self.renderer, self.stopping, self.told, self.done = renderer, stopping, told, 0
        self.outline = renderer.outline

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        if self.stopping.is_set():
            raise Stopped("stopped: nothing of the film was kept.")
        frame = self.renderer.frame(camera, pose, vertices)
        self.done += 1
        self.told(self.done)
        return frame
