"""What `sherf render` and `sherf animate` do: avatar, shots, frames, video."""

import math
from dataclasses import replace
from pathlib import Path

import torch

from sherf.api.choose_motion import chosen_motion
from sherf.avatar.avatar_file import Avatar
from sherf.avatar.provenance import PROVENANCE, provenance
from sherf.avatar.reconstruct import obtain_avatar, shown_files, tell_warnings
from sherf.avatar.renderer import Renderer, make_renderer
from sherf.body.body_model import BodyModel
from sherf.camera.framing import CameraPath, camera_path
from sherf.camera.transforms_json import read_cameras
from sherf.errors import BadInput
from sherf.export.sequence import Shots, rendered_files, write_sequence
from sherf.export.video_writer import parse_colour, write_frame
from sherf.files.digest import file_sha256, tensors_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import keep_inputs, write_json
from sherf.motion.ground import VERSION, grounded
from sherf.motion.motion import Motion, apply, repeated, resample, trim
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status
from sherf.render.devices import Backend, choose_backend
from sherf.render.options import RenderOptions
from sherf.scene import BodyPose, Camera, Frame

MIN_SIZE, MAX_SIZE = 16, 2048
MAX_FRAMES = 20_000
MIN_CHUNK = 256
PREVIEW, PREVIEW_SIDES, PREVIEW_SIZE = "preview.png", 6, 192


def render_views(
    source: Path,
    path: CameraPath,
    cameras: Path | None,
    frames: int,
    output: OutputOptions,
    photo: PhotoOptions = PhotoOptions(),
    options: RenderOptions = RenderOptions(),
) -> list[Path]:
    """Render an avatar, still, from many sides; return the videos."""
    check_options(options, frames)
    _keep_inputs(source, output, photo, cameras)
    given = read_cameras(cameras) if cameras else None
    if given:
        _check_size(f"{cameras} has pictures of {given.size[1]}x{given.size[0]}: that", *given.size)
    avatar, body, backend = _obtained(source, output, photo, options)
    pose = avatar.bank.subject.pose
    renderer = _renderer(avatar, body, backend, options)
    shots = Shots(given or _path(path, renderer, avatar, pose, frames, options), pose)
    identity = {"avatar": _identity(avatar), "path": path, "frames": frames}
    if cameras:
        identity |= {"path": file_sha256(cameras), "frames": len(shots.cameras)}
    return _written(avatar, renderer, shots, output, options, identity)


def render_preview(
    source: Path,
    output: OutputOptions,
    photo: PhotoOptions = PhotoOptions(),
    options: RenderOptions = RenderOptions(),
) -> Path:
    """Write PREVIEW, the person from a few sides in one small picture; return its path."""
    options = replace(options, size=PREVIEW_SIZE)
    check_options(options, PREVIEW_SIDES)
    keep_inputs([output.out / PREVIEW, *shown_files(output.out)], [source, *photo.files])
    avatar, body, backend = _obtained(source, output, photo, options)
    pose = avatar.bank.subject.pose
    renderer = make_renderer(avatar, body, backend, options.chunk)
    cameras = _path("turntable", renderer, avatar, pose, PREVIEW_SIDES, options)
    frames: list[Frame] = []
    for i in range(PREVIEW_SIDES):  # the first side is there before the others are begun
        frames.append(renderer.frame(cameras[i], pose))
        side_by_side = (torch.cat([vars(frame)[name] for frame in frames], dim=-1) for name in vars(frames[0]))
        write_frame(output.out / PREVIEW, Frame(*side_by_side), parse_colour(options.background))
    return output.out / PREVIEW


def animate_motion(
    source: Path,
    motion: str,
    frames: int | None,
    path: CameraPath,
    output: OutputOptions,
    photo: PhotoOptions = PhotoOptions(),
    options: RenderOptions = RenderOptions(),
    moving: MotionOptions = MotionOptions(),
) -> list[Path]:
    """Render an avatar while it moves; return the videos.

    Args:
        motion: a built-in one's name, a motion file, or a video of a person, whose motion is kept in the folder.
    """
    check_options(options, frames or 1)
    _keep_inputs(source, output, photo, motion)
    played = _played(chosen_motion(motion, moving, output.out), frames, options.fps)
    check_options(options, len(played))
    avatar, body, backend = _obtained(source, output, photo, options)
    pose = avatar.bank.subject.pose
    poses = apply(grounded(played, body, pose.betas), pose)
    renderer = _renderer(avatar, body, backend, options)
    shots = Shots(_path(path, renderer, avatar, poses, len(played), options), poses)
    identity = {"avatar": _identity(avatar), "motion": _motion_identity(played), "path": path, "frames": len(played)}
    return _written(avatar, renderer, shots, output, options, identity)


def _keep_inputs(source: Path, output: OutputOptions, photo: PhotoOptions, other: str | Path | None) -> None:
    made = [*rendered_files(output.out), *shown_files(output.out)]
    keep_inputs(made, [source, *photo.files, other])


def _written(
    avatar: Avatar, renderer: Renderer, shots: Shots, output: OutputOptions, options: RenderOptions, identity: dict
) -> list[Path]:
    """The videos, and where they come from."""
    videos = write_sequence(renderer, shots, output, options, identity)
    write_json(output.out / PROVENANCE, provenance(avatar))
    return videos


def _renderer(avatar: Avatar, body: BodyModel, backend: Backend, options: RenderOptions) -> Renderer:
    if not options.fast:
        return make_renderer(avatar, body, backend, options.chunk)
    from sherf.export.mesh_renderer import MeshRenderer
    from sherf.export.rigged import rigged_mesh

    print_status("making the mesh, about half a minute ...")
    return MeshRenderer(rigged_mesh(avatar, body, backend))


def _played(motion: Motion, frames: int | None, fps: float) -> Motion:
    """The motion at the video's frame rate, over again until it has `frames` frames."""
    if frames is not None:
        _check_frames(frames)
        motion = repeated(motion, math.ceil((frames - 1) * motion.fps / fps) + 1)
    played = resample(motion, fps)
    return played if frames is None else trim(played, 0, frames)


def check_options(options: RenderOptions, frames: int) -> None:
    """Refuse what cannot be rendered.

    Raises:
        BadInput: of the size, the number of frames, the rate, the background or the chunk.
    """
    _check_size(f"--size {options.size}", options.size)
    _check_frames(frames)
    parse_colour(options.background)
    if options.chunk is not None and options.chunk < MIN_CHUNK:
        raise BadInput(f"--chunk {options.chunk} is not possible: choose at least {MIN_CHUNK} points.")
    if not 1 <= options.fps <= 120:
        raise BadInput(f"--fps {options.fps:g} is not possible: choose 1 to 120 pictures a second.")


def _check_size(what: str, *sides: int) -> None:
    if not all(MIN_SIZE <= side <= MAX_SIZE for side in sides):
        raise BadInput(f"{what} is not possible: choose {MIN_SIZE} to {MAX_SIZE} pixels.")


def _check_frames(frames: int) -> None:
    if not 1 <= frames <= MAX_FRAMES:
        raise BadInput(f"{frames} frames are not possible: choose --frames from 1 to {MAX_FRAMES}.")


def _path(
    path: CameraPath, renderer: Renderer, avatar: Avatar, poses: BodyPose, frames: int, options: RenderOptions
) -> Camera:
    return camera_path(path, renderer.outline, avatar.bank.subject.camera, poses, frames, options.size)


def _obtained(
    source: Path, output: OutputOptions, photo: PhotoOptions, options: RenderOptions
) -> tuple[Avatar, BodyModel, Backend]:
    backend = choose_backend(options.device)
    avatar, body = obtain_avatar(source, output, photo, backend)
    tell_warnings(avatar)
    return avatar, body, backend


def _identity(avatar: Avatar) -> str:
    """What tells one avatar from another: its photo, its pose and what the model made of them."""
    subject = avatar.bank.subject
    start = f"{avatar.report.get('photo_sha256', '')} {avatar.report.get('options', {}).get('model', '')}"
    return tensors_sha256(subject.pose.betas, subject.pose.joints, subject.camera.T, *avatar.bank.made, start=start)


def _motion_identity(motion: Motion) -> str:
    return f"{motion.name} {tensors_sha256(motion.joints, motion.translation)[:16]} grounded {VERSION}"
