"""The avatar as programs use it: reconstruct or load it, then render, animate, export and save."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sherf.api.checks import check_frames, check_size
from sherf.api.choose_motion import choose_motion
from sherf.api.encoders import load_encoder
from sherf.api.sources import check_source, obtain_avatar, open_avatar
from sherf.avatar.avatar_file import save_avatar
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.reconstruct import reconstruct_photo
from sherf.avatar.renderer import FieldRenderer, Renderer
from sherf.body.body_model import BodyModel
from sherf.camera.framing import CameraPath, camera_path
from sherf.export.exporter import Exporter
from sherf.export.file_format import file_format, named_file
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.options import ExportOptions, MeshOptions, VrmOptions
from sherf.export.sequence import FrameSequence
from sherf.files.digest import tensors_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import prepare_output_folder
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.playback import apply
from sherf.motion.resample import repeat_motion, resample, trim
from sherf.photo.options import PhotoOptions
from sherf.progress import ProgressCallback, report_progress_to
from sherf.render.backend import Backend
from sherf.render.devices import Device, choose_backend
from sherf.scene import BodyPose, Camera, Subject


class Avatar:
    """A person, ready to be rendered, animated and exported.

    Made by `reconstruct` or `load_avatar`. Coordinates are metres in the photo's world space, y up.
    """

    def __init__(self, encoded: EncodedAvatar, body: BodyModel, backend: Backend):
        """Wrap an encoded avatar.

        Args:
            encoded: bank, model and report.
            body: the body model that it was made with.
            backend: the device on which it is rendered.
        """
        self.encoded, self.body, self.backend = encoded, body, backend
        self._renderers: dict[tuple[bool, int | None, bool], Renderer] = {}

    @property
    def report(self) -> dict[str, Any]:
        """Scores of the fit, warnings and provenance, as in report.json."""
        return self.encoded.report

    @property
    def subject(self) -> Subject:
        """The observation: photo, mask, camera and body pose."""
        return self.encoded.bank.subject

    @property
    def identity(self) -> str:
        """What tells the avatar from others: a SHA-256 of its photo, its pose and what the model made of them."""
        subject = self.subject
        start = f"{self.report.get('photo_sha256', '')} {self.report.get('options', {}).get('model', '')}"
        made = self.encoded.bank.encoded
        return tensors_sha256(subject.pose.betas, subject.pose.joints, subject.camera.T, *made, start=start)

    def save(self, path: str | Path) -> Path:
        """Write the avatar file, whole or not at all.

        Args:
            path: ends in .safetensors.

        Returns:
            The path.

        Raises:
            OutputError: the file cannot be written.
        """
        path = Path(path)
        prepare_output_folder(path.parent)
        save_avatar(self.encoded, path)
        return path

    def renderer(self, fast: bool = False, chunk: int | None = None, exact: bool = False) -> Renderer:
        """Return what renders frames of any camera and pose, made once.

        Args:
            fast: ray-cast the textured mesh instead of the radiance field: many frames a second, after half a minute.
            chunk: points evaluated at once, fewer take less memory; the model's own number if None.
            exact: march rays in small steps, as the radiance field is defined: about ten times slower. Does not count
                with `fast`.
        """
        key = (fast, chunk, exact)
        if key not in self._renderers:
            self._renderers[key] = (
                MeshRenderer(self.exporter.mesh)
                if fast
                else FieldRenderer(self.encoded, self.body, self.backend.exact() if exact else self.backend, chunk)
            )
        return self._renderers[key]

    def render(
        self,
        path: CameraPath = "turntable",
        *,
        cameras: Camera | None = None,
        frames: int = 60,
        size: int = 512,
        fps: float = 30.0,
        fast: bool = False,
        chunk: int | None = None,
        exact: bool = False,
    ) -> FrameSequence:
        """Return frames of the person standing as in the photo.

        Args:
            path: turntable circles the person once, orbit swings to both sides, still does not move.
            cameras: your own cameras instead, with a view axis; `path`, `frames` and `size` do not count then.
            frames: number of frames along the path.
            size: height and width of the frames, pixels.
            fps: frames a second when the sequence is saved as a video.
            fast: render the textured mesh (`renderer`).
            chunk: points evaluated at once (`renderer`).
            exact: march rays in small steps (`renderer`).

        Returns:
            An iterator of `Frame`s that are rendered one by one; it has a length, indices and `save`.

        Raises:
            BadInput: the number of frames or the size is out of range.
        """
        return self._sequence(self.subject.pose, path, cameras, frames, size, fps, fast, chunk, exact)

    def animate(
        self,
        motion: str | Path | Motion = "walk",
        *,
        path: CameraPath = "still",
        frames: int | None = None,
        size: int = 512,
        fps: float = 30.0,
        options: MotionOptions = MotionOptions(),
        fast: bool = False,
        chunk: int | None = None,
        exact: bool = False,
    ) -> FrameSequence:
        """Return frames of the person in motion.

        Args:
            motion: a built-in motion's name, a motion file, a video of a person, a subject's folder, or a `Motion`.
            path: how the camera moves meanwhile.
            frames: number of frames; the whole motion if None. A shorter motion starts again.
            size: height and width of the frames, pixels.
            fps: frames a second; the motion is resampled to it.
            options: cuts, speed, loop, smoothing; a `Motion` is played as it is.
            fast: render the textured mesh (`renderer`).
            chunk: points evaluated at once (`renderer`).
            exact: march rays in small steps (`renderer`).

        Returns:
            An iterator of `Frame`s that are rendered one by one; it has a length, indices and `save`.

        Raises:
            BadInput: the motion cannot be read, or a number is out of range.
            NoPerson: the video does not show a person.
        """
        played = played_motion(self._motion(motion, options), frames, fps)
        check_frames(len(played))
        return self._sequence(self.poses(played), path, None, len(played), size, fps, fast, chunk, exact)

    def poses(self, motion: Motion) -> BodyPose:
        """Return the poses of a motion on this avatar, with a frame axis: on its ground, steps in its own length."""
        pose = self.subject.pose
        return apply(ground_motion(motion, self.body, pose.betas), pose)

    @cached_property
    def exporter(self) -> Exporter:
        """What writes meshes and motions; its mesh has the default size."""
        return self._exporter(MeshOptions())

    def export(
        self,
        out: str | Path,
        *,
        motions: Sequence[str | Path | Motion] = (),
        options: ExportOptions = ExportOptions(),
        motion_options: MotionOptions = MotionOptions(),
        vrm: VrmOptions = VrmOptions(),
    ) -> list[Path]:
        """Write a rigged, textured mesh or a motion on the avatar's skeleton.

        Args:
            out: the file; its suffix chooses the format: .glb, .vrm, .obj, .ply, .bvh or .npz.
            motions: clips of a .glb, the motion of a .bvh or .npz, or the pose of an .obj or .ply.
            options: format, size of the mesh, pose; `options.motion` does not count.
            motion_options: cuts, speed, loop, smoothing of motions that are read here.
            vrm: licence fields of a .vrm.

        Returns:
            All files that were written.

        Raises:
            BadInput: the options do not fit the format, a motion cannot be read, or the avatar has no surface.
            OutputError: a file cannot be written.
        """
        path = named_file(Path(out), file_format(Path(out), options))
        prepare_output_folder(path.parent)
        clips = [self._motion(motion, motion_options) for motion in motions]
        default = MeshOptions(options.triangles, options.texture) == MeshOptions()
        exporter = self.exporter if default else self._exporter(options)
        return exporter.write(path, clips, options, vrm)

    def _exporter(self, mesh: MeshOptions) -> Exporter:
        return Exporter(self.encoded, self.body, self.backend, mesh.triangles, mesh.texture)

    def _motion(self, motion: str | Path | Motion, options: MotionOptions) -> Motion:
        if isinstance(motion, Motion):
            return motion
        with TemporaryDirectory() as folder:  # where the motion of a video is kept
            return choose_motion(str(motion), options, Path(folder))

    def _sequence(
        self,
        poses: BodyPose,
        path: CameraPath,
        cameras: Camera | None,
        frames: int,
        size: int,
        fps: float,
        fast: bool,
        chunk: int | None,
        exact: bool,
    ) -> FrameSequence:
        renderer = self.renderer(fast, chunk, exact)
        if cameras is None:
            check_frames(frames)
            check_size(f"size {size}", size)
            cameras = camera_path(path, renderer.outline, self.subject.camera, poses, frames, size)
        return FrameSequence(renderer, cameras, poses, fps)


def reconstruct(
    photo: str | Path,
    *,
    options: PhotoOptions = PhotoOptions(),
    model: str | None = None,
    device: Device = "auto",
    out: str | Path | None = None,
    progress: ProgressCallback | None = None,
) -> Avatar:
    """Turn a photo of a person into an avatar.

    Args:
        photo: JPEG, PNG, WebP, TIFF, BMP or GIF that shows a person, best from head to feet; or a data set's subject
            folder.
        options: which person, masks, corrections, tolerance, body model.
        model: sherf-small, template, or a checkpoint's .safetensors file; `options.model` if None.
        device: where to compute.
        out: folder for avatar.safetensors, overlay.png, report.json and fit.json, from which the same call continues;
            None writes nothing.
        progress: called with a description, the number of items done and their total.

    Returns:
        The avatar, on its device.

    Raises:
        BadInput: the file is not a usable photo, or the options do not fit it.
        NoPerson: the photo shows no person, or too little of one.
        HopelessFit: the body does not lie on the person, and `options.force` is not set.
        MissingAsset: a model file is missing, or there is no CUDA device.
        OutputError: the folder cannot be written.
    """
    photo = Path(photo)
    options = options if model is None else replace(options, model=model)
    backend = choose_backend(device)
    check_source(photo)
    with report_progress_to(progress):
        if out is not None:
            encoded, body = obtain_avatar(photo, OutputOptions(Path(out)), options, backend)
            return Avatar(encoded, body, backend)
        if photo.is_dir():
            with TemporaryDirectory() as folder:
                encoded, body = obtain_avatar(photo, OutputOptions(Path(folder)), options, backend)
            return Avatar(encoded, body, backend)
        encoder = load_encoder(options.model, backend, options.personalise)
        result = reconstruct_photo(photo, encoder, options)
        return Avatar(result.avatar, result.body, backend)


def load_avatar(path: str | Path, *, body_model: str | None = None, device: Device = "auto") -> Avatar:
    """Load an avatar file.

    Args:
        path: an avatar.safetensors of any earlier version.
        body_model: name or file of the body model; None for the one that the avatar names.
        device: where to render.

    Returns:
        The avatar, on its device.

    Raises:
        BadInput: the file does not exist, is not an avatar, is damaged or too new, or was made with another body model.
        MissingAsset: the body model's file may not ship and was not found, or there is no CUDA device.
    """
    path = Path(path)
    check_source(path)
    encoded, body = open_avatar(path, body_model)
    return Avatar(encoded, body, choose_backend(device))


def played_motion(motion: Motion, frames: int | None, fps: float) -> Motion:
    """Return a motion at a frame rate, repeated until it has `frames` frames.

    Args:
        motion: what is played.
        frames: how many; the whole motion if None.
        fps: frames a second.

    Raises:
        BadInput: the number of frames is out of range.
    """
    if frames is not None:
        check_frames(frames)
        motion = repeat_motion(motion, math.ceil((frames - 1) * motion.fps / fps) + 1)
    played = resample(motion, fps)
    return played if frames is None else trim(played, 0, frames)
