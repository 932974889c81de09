"""What one visitor has done so far: the photo's avatar, its mesh, and files in a private folder. No widget in here."""

import json
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

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image, ImageOps

from sherf.api.choose_motion import chosen_motion
from sherf.app.fix_fit import Fix, small
from sherf.app.masks import Painting, painting, repainted, whole_mask
from sherf.app.tints import seen_and_invented
from sherf.app.videos import filmed
from sherf.avatar.avatar_file import Avatar
from sherf.avatar.provenance import PROVENANCE, provenance
from sherf.avatar.reconstruct import AVATAR, FIT, OVERLAY, obtain_avatar
from sherf.avatar.renderer import Renderer, make_renderer
from sherf.body.body_model import BodyModel
from sherf.camera.framing import CameraPath, frame_person
from sherf.camera.image import to_bytes
from sherf.camera.pinhole import around
from sherf.errors import BadInput, SherfError
from sherf.export.gltf import glb_bytes, write_glb
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.rigged import RiggedMesh, rigged_mesh
from sherf.export.video_writer import compose, parse_colour
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import write_json
from sherf.motion.ground import grounded
from sherf.motion.motion import Motion, resample
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import ProgressCallback, nobody, report_progress_to
from sherf.render.devices import Backend, choose_backend
from sherf.render.options import RenderOptions
from sherf.scene import Camera

VIEW_SIZE, COARSE_SIZE = 512, 160
FRONT = (30.0, 0.0, 1.0, True)
"""What `view` shows first."""
SIDES, TURN_MS = 6, 350
STEEPEST = 60.0


class Stopped(SherfError):
    """The visitor wants no more of it."""


@dataclass
class Session:
    """One photo's results; its files live in `folder` until it is closed."""

    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """Whoever knows it gets everything: it goes to the visitor's own tab alone."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sherf-session-")))
    photo: Path | None = None
    avatar: Avatar | None = None
    body: BodyModel | None = None
    mesh: RiggedMesh | None = None
    backend: Backend = field(default_factory=lambda: choose_backend("auto"))
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set it to end a film or a mesh that is being made."""
    fix: Fix = field(default_factory=Fix)
    fits: int = 0
    """How often the fit was corrected."""
    corrected: bool = False
    """The avatar is one of a corrected fit."""
    seen: float | None = None
    """Share of the surface that the photo saw, once there was a mesh."""
    films: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)
    """Files that were made last."""
    used: float = field(default_factory=time.monotonic)
    """When the visitor last did something."""
    shown: UInt8[np.ndarray, "h w 3"] | None = None
    """The last view."""
    _looked: tuple[float, float, float, bool] = FRONT
    _field: Renderer | None = None
    _renderer: MeshRenderer | None = None
    _small: UInt8[np.ndarray, "h w 3"] | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)
    _filming: threading.Lock = field(default_factory=threading.Lock)

    @property
    def busy(self) -> bool:
        """Whether its mesh or a film is being made: whoever waits for that is not idle."""
        return self._making.locked() or self._filming.locked()

    def read(self, photo: Path, person: int | None = None, edit: Path | None = None) -> dict[str, Any]:
        """Make the photo's avatar; returns its report. A fit that is far off is only said to be poor.

        Args:
            edit: a fit.json with corrections; the avatar is another one.

        Raises:
            SherfError: of the photo or the corrections.
        """
        self.used = time.monotonic()
        folder = self.folder / file_sha256(photo)[:16]
        kept = folder / "photo" / photo.name
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, kept)
        out = folder / (f"person-{person or 0}" + ("" if edit is None else f"-fit-{edit.stem}"))
        options = PhotoOptions(person=person, allow_partial=True, edit=edit, force=True)
        avatar, body = obtain_avatar(kept, OutputOptions(out), options)
        if self.avatar is None or avatar.report != self.avatar.report:
            self.rest()
            self.fix, self.films, self.models = Fix(), [], []
            self.seen = self.shown = None
            self._looked = FRONT
        if kept != self.photo:
            self._small = None
        self.photo, self.avatar, self.body, self.out = kept, avatar, body, out
        self.corrected, self.used = edit is not None, time.monotonic()
        self.stopping.clear()
        return avatar.report

    def refit(self, mask: Path | None, painted: Painting | None = None) -> dict[str, Any]:
        """The avatar again, from the fit that there is and what the visitor says against it (`fix`).

        Args:
            mask: the visitor's own.
            painted: `mask_to_paint`, with what was painted and erased on it.
        """
        _, body = self._known()
        assert self.photo is not None
        fit = self.fit
        before = fit["edits"]["mask"]
        self.fits += 1
        edits = self.folder / "edits"
        edits.mkdir(exist_ok=True)
        other = repainted(self._mask(), painted) if mask is None else None
        if other is not None:
            mask = edits / f"{self.fits}.png"
            Image.fromarray(other).save(mask)
        elif mask is None and before is not None:
            mask = self.out / before
        edit = self.fix.write(fit, body, mask, edits / f"{self.fits}.json")
        return self.read(self.photo, fit["person"], edit)

    def is_of(self, photo: Path) -> bool:
        """Whether it is the photo of this session, wherever the file lies."""
        return self.photo is not None and photo.is_file() and file_sha256(photo) == file_sha256(self.photo)

    def person_at(self, x: float, y: float) -> int | None:
        """The number of the person at a pixel of the photo as it is shown, the smallest of several; None: nobody."""
        avatar, _ = self._known()
        assert self.photo is not None
        with Image.open(self.photo) as picture:
            width = ImageOps.exif_transpose(picture).width
        scale = self.fit["size"][0] / width  # large photos are reduced before people are looked for
        found = []
        for number, person in enumerate(avatar.report.get("people", []), start=1):
            x0, y0, x1, y1 = person["box"]
            if x0 <= scale * x <= x1 and y0 <= scale * y <= y1:
                found.append(((x1 - x0) * (y1 - y0), number))
        return min(found)[1] if found else None

    def small_photo(self) -> Path:
        """The picture that landmarks are moved on."""
        path = self.out / "small.jpg"
        if not path.exists():
            Image.fromarray(self._picture()).save(path, quality=90)
        return path

    def mask_to_paint(self) -> Painting:
        """The photo with the mask that was taken."""
        return painting(self._picture(), self._mask())

    @property
    def fit(self) -> dict[str, Any]:
        """What fit.json says."""
        self._known()
        return json.loads((self.out / FIT).read_text())

    @property
    def height(self) -> float:
        """Of the person as fitted, metres."""
        avatar, body = self._known()
        return body.height(avatar.bank.subject.pose.betas)

    @property
    def overlay(self) -> Path:
        """What was found, drawn on the photo."""
        return self.out / OVERLAY

    @property
    def avatar_file(self) -> Path:
        """To go on with on the command line."""
        return self.out / AVATAR

    def turning(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Coarse pictures from all around, before there is a mesh."""
        azimuth, elevation, zoom, colours = FRONT
        for i in range(SIDES):
            yield self.view(azimuth + 360 / SIDES * i, elevation, zoom, colours)

    def turned(self, pictures: list[UInt8[np.ndarray, "h w 3"]]) -> Path:
        """One moving picture of several."""
        path = self.out / "turning.webp"
        first, *others = [Image.fromarray(picture) for picture in pictures]
        first.save(path, save_all=True, append_images=others, duration=TURN_MS, loop=0, quality=80)
        return path

    def build(self) -> RiggedMesh:
        """The mesh, made once a photo.

        Raises:
            Stopped: `stopping` was set.
        """
        with self._making:
            avatar, body = self._known()
            mesh = self.mesh
            if mesh is None:
                mesh = rigged_mesh(avatar, body, self.backend, watch=self._watch)
                if avatar is self.avatar:  # and no other photo came meanwhile
                    self.mesh, self._renderer, self.seen = mesh, MeshRenderer(mesh), mesh.seen
            self.used = time.monotonic()
        return mesh

    def view(self, azimuth: float, elevation: float, zoom: float, colours: bool = True) -> UInt8[np.ndarray, "h w 3"]:
        """The avatar in the photo's pose: its mesh, and as long as there is none a coarse picture of the field itself.

        Args:
            azimuth: of the camera, degrees, positive to the picture's right; 0 is the photo's.
            elevation: degrees, positive from above.
            zoom: 1 shows the whole person.
            colours: as they are; else what the photo saw in green and what is invented in orange.
        """
        avatar, body = self._known()
        renderer = self._renderer or self._field or make_renderer(avatar, body, self.backend)
        pose, size = avatar.bank.subject.pose, VIEW_SIZE
        if not isinstance(renderer, MeshRenderer):
            self._field, size = renderer, COARSE_SIZE
        base = frame_person(renderer.outline(pose).cpu(), avatar.bank.subject.camera, (size, size))
        camera = around(*base, azimuth, max(-STEEPEST, min(STEEPEST, elevation)))
        K = camera.K.clone()
        K[:2, :2] *= zoom
        frame = renderer.frame(Camera(K, camera.R, camera.T, camera.size), pose)
        self._looked = (azimuth, elevation, zoom, colours)
        picture = to_bytes(compose(frame, torch.ones(3))) if colours else seen_and_invented(frame)
        self.shown = cv2.resize(picture, (VIEW_SIZE, VIEW_SIZE), interpolation=cv2.INTER_CUBIC)
        return self.shown

    def view_again(self) -> UInt8[np.ndarray, "h w 3"]:
        """From where the visitor last looked."""
        return self.view(*self._looked)

    def film(
        self,
        motion: str,
        moving: MotionOptions,
        options: RenderOptions,
        path: CameraPath,
        hear: ProgressCallback = nobody,
    ) -> list[Path]:
        """A video of the avatar's mesh while it moves; returns the videos and where they come from.

        Args:
            hear: hears how far the motion of a video is, then how many frames are done.

        Raises:
            Stopped: `stopping` was set meanwhile.
            SherfError: of the motion or the options.
        """
        with self._filming, self._heard(hear):  # the last one may still be ending
            self.stopping.clear()
            parse_colour(options.background)
            mesh = self.build()
            avatar, body = self._known()
            played = self._played(motion, moving, options.fps)
            name = f"{played.name}-{abs(hash((motion, moving, options, path))) % 10**8}"
            out = OutputOptions(self.out / "films" / name, overwrite=True)
            videos = filmed(MeshRenderer(mesh), played, avatar, body, path, out, options)
            write_json(out.out / PROVENANCE, provenance(avatar, mesh.seen))
            self.films = [*videos, out.out / PROVENANCE]
            return self.films

    def model(self, motion: str, moving: MotionOptions, hear: ProgressCallback = nobody) -> list[Path]:
        """The rigged avatar as GLB with one clip, its own file, and where they come from; of `hear` see `film`."""
        self.stopping.clear()
        mesh = self.build()
        avatar, body = self._known()
        with self._heard(hear):
            clip = grounded(self._played(motion, moving, 30.0), body, avatar.bank.subject.pose.betas)
        path = self.out / "avatar.glb"
        record = provenance(avatar, mesh.seen)
        write_glb(path, glb_bytes(mesh, [clip], record))
        write_json(self.out / PROVENANCE, record)
        self.models = [path, self.avatar_file, self.out / PROVENANCE]
        return self.models

    def _played(self, motion: str, moving: MotionOptions, fps: float) -> Motion:
        return resample(chosen_motion(motion, moving, self.out / "video-motion"), fps)

    @contextmanager
    def _heard(self, hear: ProgressCallback) -> Iterator[None]:
        """Work that `stopping` ends, and that counts as use of the session."""

        def heard(what: str, done: int, count: int | None) -> None:
            self._watch()
            self.used = time.monotonic()
            hear(what, done, count)

        with report_progress_to(heard):
            yield

    def rest(self) -> None:
        """Give memory back that work can win again: the mesh and the renderers."""
        self.mesh = self._renderer = self._field = self._small = None

    def close(self) -> None:
        """Delete all files and forget everything."""
        self.stopping.set()
        self.rest()
        self.photo = self.avatar = self.body = self.shown = None
        self.films = self.models = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def _known(self) -> tuple[Avatar, BodyModel]:
        if self.avatar is None or self.body is None:
            raise BadInput("there is no photo yet. Drop one on the first tab, or take one of the examples.")
        self.used = time.monotonic()
        return self.avatar, self.body

    def _picture(self) -> UInt8[np.ndarray, "h w 3"]:
        self._known()
        assert self.photo is not None
        if self._small is None:
            self._small = small(self.photo)
        return self._small

    def _mask(self) -> Bool[np.ndarray, "h w"]:
        width, height = self.fit["size"]
        return whole_mask(self._known()[0].bank.subject, (height, width))

    def _watch(self) -> None:
        if self.stopping.is_set():
            raise Stopped("stopped: nothing of the film was kept.")
