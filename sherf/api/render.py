"""Renderings into folders, as `sherf render` and `sherf animate` make them: resumable, with videos and provenance."""

from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import torch

from sherf.api.avatar import Avatar, played_motion
from sherf.api.checks import check_rendering, check_size
from sherf.api.choose_motion import choose_motion
from sherf.api.sources import obtain_avatar
from sherf.avatar.provenance import PROVENANCE, provenance
from sherf.avatar.result_files import explaining_files, print_warnings
from sherf.camera.framing import CameraPath
from sherf.camera.transforms_json import read_cameras
from sherf.export.sequence import FrameSequence, rendered_files, write_sequence
from sherf.export.video_writer import parse_colour, write_frame
from sherf.files.digest import file_sha256, tensors_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import refuse_overwriting_inputs, write_json
from sherf.motion.ground import VERSION
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.render.devices import choose_backend
from sherf.render.options import RenderOptions
from sherf.scene import Frame

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
    """Render an avatar standing still from many sides.

    Args:
        source: photo, avatar file or subject's folder.
        path: of the camera.
        cameras: a transforms.json of other cameras instead.
        frames: number of frames along the path.
        output: the folder.
        photo: how a photo is read.
        options: size, background, layers and device.

    Returns:
        The videos.

    Raises:
        BadInput: source, cameras or options cannot be used, or the folder holds another rendering.
        NoPerson: the photo shows no person.
        OutputError: the folder cannot be written.
    """
    check_rendering(options, frames)
    _refuse_overwriting(source, output, photo, cameras)
    given = read_cameras(cameras) if cameras else None
    if given:
        height, width = given.size
        check_size(f"{cameras} has frames of {width}x{height}: that", height, width)
    avatar = _open(source, output, photo, options)
    sequence = avatar.render(path, cameras=given, frames=frames, size=options.size, fps=options.fps, **_how(options))
    identity: dict[str, str | int] = {"avatar": avatar.identity, "path": path, "frames": frames}
    if cameras:
        identity |= {"path": file_sha256(cameras), "frames": len(sequence)}
    return _written(avatar, sequence, output, options, identity)


def render_preview(
    source: Path,
    output: OutputOptions,
    photo: PhotoOptions = PhotoOptions(),
    options: RenderOptions = RenderOptions(),
) -> Path:
    """Write preview.png: the person from six sides in one small image.

    The file is written as soon as the first side is rendered, and again after each further side.

    Args:
        source: photo, avatar file or subject's folder.
        output: the folder.
        photo: how a photo is read.
        options: background and device.

    Returns:
        The image's path.

    Raises:
        BadInput: source or options cannot be used.
        NoPerson: the photo shows no person.
        OutputError: the folder cannot be written.
    """
    options = replace(options, size=PREVIEW_SIZE)
    check_rendering(options, PREVIEW_SIDES)
    files = [output.out / PREVIEW, *explaining_files(output.out)]
    refuse_overwriting_inputs(files, [source, *photo.files])
    avatar = _open(source, output, photo, options)
    frames: list[Frame] = []
    sides = avatar.render(frames=PREVIEW_SIDES, size=PREVIEW_SIZE, chunk=options.chunk, exact=options.exact)
    for side in range(PREVIEW_SIDES):  # one by one: side by side the first would come later
        frame = sides[side]
        frames.append(frame)
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
    """Render an avatar in motion.

    Args:
        source: photo, avatar file or subject's folder.
        motion: a built-in motion's name, a motion file, or a video of a person, whose motion is kept in the folder.
        frames: number of frames; the whole motion if None.
        path: of the camera.
        output: the folder.
        photo: how a photo is read.
        options: size, background, layers and device.
        moving: how the motion is played.

    Returns:
        The videos.

    Raises:
        BadInput: source, motion or options cannot be used, or the folder holds another rendering.
        NoPerson: the photo or the video shows no person.
        OutputError: the folder cannot be written.
    """
    check_rendering(options, frames or 1)
    _refuse_overwriting(source, output, photo, motion)
    played = played_motion(choose_motion(motion, moving, output.out), frames, options.fps)
    check_rendering(options, len(played))
    avatar = _open(source, output, photo, options)
    sequence = avatar.animate(played, path=path, size=options.size, fps=options.fps, **_how(options))
    identity: dict[str, str | int] = {"avatar": avatar.identity, "motion": motion_identity(played)}
    identity |= {"path": path, "frames": len(played)}
    return _written(avatar, sequence, output, options, identity)


def motion_identity(motion: Motion) -> str:
    """Return what tells a motion, and the way it is put on the ground, from others."""
    return f"{motion.name} {tensors_sha256(motion.joints, motion.translation)[:16]} grounded {VERSION}"


class _How(TypedDict):
    """Arguments of `Avatar.render` and `Avatar.animate`."""

    fast: bool
    chunk: int | None
    exact: bool


def _how(options: RenderOptions) -> _How:
    return {"fast": options.fast, "chunk": options.chunk, "exact": options.exact}


def _open(source: Path, output: OutputOptions, photo: PhotoOptions, options: RenderOptions) -> Avatar:
    backend = choose_backend(options.device)
    encoded, body = obtain_avatar(source, output, photo, backend)
    print_warnings(encoded)
    return Avatar(encoded, body, backend)


def _refuse_overwriting(source: Path, output: OutputOptions, photo: PhotoOptions, other: str | Path | None) -> None:
    made = [*rendered_files(output.out), *explaining_files(output.out)]
    refuse_overwriting_inputs(made, [source, *photo.files, other])


def _written(
    avatar: Avatar,
    sequence: FrameSequence,
    output: OutputOptions,
    options: RenderOptions,
    identity: dict[str, str | int],
) -> list[Path]:
    """Write frames, videos and provenance; return the videos."""
    videos = write_sequence(sequence, output, options, identity)
    write_json(output.out / PROVENANCE, provenance(avatar.encoded))
    return videos
