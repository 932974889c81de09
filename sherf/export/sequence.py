"""Frames of a sequence into a folder, then a video: whole files only, and a second run continues."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from sherf import __version__
from sherf.avatar.provenance import PROVENANCE
from sherf.avatar.renderer import Renderer
from sherf.camera.transforms_json import write_cameras
from sherf.errors import BadInput
from sherf.export.layers import write_layer
from sherf.export.video_writer import frame_path, parse_colour, write_frame, write_video
from sherf.files.options import OutputOptions
from sherf.files.output import prepare_output_folder, write_json
from sherf.progress import print_status, progress
from sherf.render.options import Layer, RenderOptions
from sherf.scene import BodyPose, Camera

SETTINGS, CAMERAS, FRAMES = "render.json", "transforms.json", "frames"
VIDEOS = ("video.mp4", "video.gif", "video.webm")


@dataclass(frozen=True)
class Shots:
    """What each frame shows."""

    cameras: Camera
    """With a view axis."""
    poses: BodyPose
    """With a frame axis of the same length, or one pose without it for all frames."""

    @property
    def moves(self) -> bool:
        return self.poses.joints.ndim == 3


def rendered_files(out: Path) -> list[Path]:
    """All that a rendering into `out` may write or remove there; of pictures, those that are there."""
    return [*(out / name for name in (SETTINGS, CAMERAS, PROVENANCE)), *_shown(out)]


def _shown(out: Path) -> list[Path]:
    """Videos, and the pictures of frames and layers that are there."""
    pictures = (path for folder in (FRAMES, *get_args(Layer)) for path in (out / folder).glob("*.png"))
    return [*(out / name for name in VIDEOS), *pictures]


def write_sequence(
    renderer: Renderer, shots: Shots, output: OutputOptions, options: RenderOptions, identity: dict
) -> list[Path]:
    """Render the missing frames of a sequence to out/frames and make out/video.mp4 (and .gif) of them; transparent
    ones also become video.webm, which keeps it. Layers go to folders of their names, cameras to transforms.json.

    Args:
        identity: what the frames depend on besides `options` (avatar, cameras, motion): frames of another
            identity in `out` are not mixed with these.

    Returns:
        The videos.

    Raises:
        BadInput: the folder holds the frames of another rendering.
        OutputError: the folder cannot be written.
    """
    background = parse_colour(options.background)
    out = prepare_output_folder(output.out)
    frames = out / FRAMES
    _claim(output, frames, options, identity)
    prepare_output_folder(frames)
    count = len(shots.cameras)
    folders = {layer: prepare_output_folder(out / layer) for layer in options.layers}
    missing = [i for i in range(count) if not all(frame_path(f, i).exists() for f in (frames, *folders.values()))]
    if len(missing) < count:
        print_status(f"{count - len(missing)} of {count} frames are there already")
    for i in progress(missing, "frames"):
        pose = shots.poses[i] if shots.moves else shots.poses
        camera = shots.cameras[i]
        frame = renderer.frame(camera, pose)
        for layer, folder in folders.items():
            write_layer(frame_path(folder, i), layer, frame, camera.to(frame.depth.device))
        write_frame(frame_path(frames, i), frame, background)
    write_cameras(out / CAMERAS, shots.cameras)
    videos = [out / "video.mp4"] + ([out / "video.gif"] if options.gif else [])
    videos += [out / "video.webm"] if background is None else []
    for video in videos:
        # Also where all frames were there: the frame rate may be another.
        write_video(video, frames, options.fps)
    return videos


def _claim(output: OutputOptions, frames: Path, options: RenderOptions, identity: dict) -> None:
    """Write down what the frames in this folder are, or check that those there are the same."""
    settings = {
        **identity,
        "size": options.size,
        "background": options.background,
        "fast": options.fast,
        "tool": f"sherf {__version__}",
    }
    existing = sorted(frames.glob("*.png")) if frames.is_dir() else []
    try:
        before = json.loads((output.out / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if existing and before != settings:
        if not output.overwrite:
            known = before if isinstance(before, dict) else {}
            differing = [key for key in settings if known.get(key) != settings[key]]
            raise BadInput(
                f"{frames} holds {len(existing)} frames of another rendering (different: {', '.join(differing)}).\n"
                "Choose another --out, or pass --overwrite to replace them."
            )
        for path in _shown(output.out):
            path.unlink(missing_ok=True)
    write_json(output.out / SETTINGS, settings)
