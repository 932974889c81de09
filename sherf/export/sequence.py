"""Frames of a sequence: rendered one by one, saved as a video, or written to a folder that a later run completes."""

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from jaxtyping import Float
from torch import Tensor

from sherf import __version__
from sherf.avatar.provenance import PROVENANCE
from sherf.avatar.renderer import Renderer
from sherf.avatar.side_by_side import render_side_by_side
from sherf.camera.transforms_json import write_cameras
from sherf.errors import BadInput
from sherf.export.layers import write_layer
from sherf.export.video_writer import VIDEO_SUFFIXES, frame_path, parse_colour, write_frame, write_video
from sherf.files.images import is_whole_png
from sherf.files.options import OutputOptions
from sherf.files.output import prepare_output_folder, write_json
from sherf.progress import ProgressCallback, print_status, report_progress_to
from sherf.progress import progress as with_progress
from sherf.render.options import Layer, RenderOptions
from sherf.scene import BodyPose, Camera, Frame

SETTINGS, CAMERAS, FRAMES = "render.json", "transforms.json", "frames"
VIDEOS = ("video.mp4", "video.gif", "video.webm")


class FrameSequence(Iterator[Frame]):
    """Frames of one avatar along cameras and poses, rendered on access.

    Iterating from `iter()` starts at the first frame each time; `next()` on the sequence itself continues where the
    last `next()` ended. `sequence[i]` renders a single frame.
    """

    def __init__(self, renderer: Renderer, cameras: Camera, poses: BodyPose, fps: float = 30.0):
        """Keep what each frame shows.

        Args:
            renderer: of the avatar.
            cameras: with a view axis, one camera for each frame.
            poses: with a frame axis of the same length, or one pose without it for all frames.
            fps: frames a second when played.
        """
        self.renderer, self.cameras, self.poses, self.fps = renderer, cameras, poses, fps
        self._next = 0

    def __len__(self) -> int:
        return len(self.cameras)

    def __getitem__(self, index: int) -> Frame:
        return self.renderer.frame(self.cameras[index], self.pose(index))

    def __iter__(self) -> Iterator[Frame]:
        return self.frames(range(len(self)))

    def __next__(self) -> Frame:
        if self._next == len(self):
            raise StopIteration
        self._next += 1
        return self[self._next - 1]

    def frames(self, indices: Iterable[int]) -> Generator[Frame, None, None]:
        """Return chosen frames in the given order, rendered side by side shortly before they are asked for.

        Close the generator to stop.
        """
        return render_side_by_side(self.renderer, ((self.cameras[index], self.pose(index)) for index in indices))

    def pose(self, index: int) -> BodyPose:
        """Return the pose of a frame: the same object where all frames share one."""
        return self.poses[index] if self.poses.joints.ndim == 3 else self.poses

    def save(self, path: str | Path, background: str = "white", progress: ProgressCallback | None = None) -> Path:
        """Render all frames into a video, or into numbered PNG files.

        Args:
            path: ends in .mp4, .webm or .gif for a video; any other name is a folder of 0000.png, 0001.png ...
            background: CSS colour name, #rrggbb, r,g,b, or transparent (which .webm and PNG files keep).
            progress: called before each frame with a description, the number done, and the number of all.

        Returns:
            The path.

        Raises:
            BadInput: the background is not a colour.
            OutputError: the file cannot be written.
        """
        path, colour = Path(path), parse_colour(background)
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            self._write_frames(prepare_output_folder(path), colour, progress)
            return path
        prepare_output_folder(path.parent)
        with TemporaryDirectory() as folder:
            self._write_frames(Path(folder), colour, progress)
            return write_video(path, Path(folder), self.fps)

    def _write_frames(
        self, folder: Path, background: Float[Tensor, "3"] | None, callback: ProgressCallback | None
    ) -> None:
        with report_progress_to(callback):
            indices = range(len(self))
            with closing(self.frames(indices)) as frames:
                for index in with_progress(indices, "frames"):
                    write_frame(frame_path(folder, index), next(frames), background)


def rendered_files(out: Path) -> list[Path]:
    """Return the files that rendering into `out` may write or remove; of frames and layers those that exist."""
    return [*(out / name for name in (SETTINGS, CAMERAS, PROVENANCE)), *_images(out)]


def _images(out: Path) -> list[Path]:
    """Return videos, and the existing images of frames and layers."""
    images = (path for folder in (FRAMES, *get_args(Layer)) for path in (out / folder).glob("*.png"))
    return [*(out / name for name in VIDEOS), *images]


def write_sequence(
    sequence: FrameSequence, output: OutputOptions, options: RenderOptions, identity: dict[str, Any]
) -> list[Path]:
    """Render the missing and damaged frames of a sequence to out/frames, and make the videos.

    Writes out/video.mp4, video.gif on request, and video.webm of transparent frames. Layers go to folders of their
    names, cameras to transforms.json.

    Args:
        sequence: what is rendered.
        output: the folder; with `overwrite`, frames of another rendering are replaced.
        options: background, layers and frame rate.
        identity: what the frames depend on besides `options` (avatar, cameras, motion): frames of another identity in
            the folder are not mixed with these.

    Returns:
        The videos.

    Raises:
        BadInput: the folder holds the frames of another rendering, or the background is not a colour.
        OutputError: the folder cannot be written.
    """
    background = parse_colour(options.background)
    out = prepare_output_folder(output.out)
    frames = out / FRAMES
    _claim(output, frames, options, identity)
    prepare_output_folder(frames)
    folders = {layer: prepare_output_folder(out / layer) for layer in options.layers}
    count = len(sequence)
    missing = [i for i in range(count) if not all(is_whole_png(frame_path(f, i)) for f in (frames, *folders.values()))]
    if len(missing) < count:
        print_status(f"{count - len(missing)} of {count} frames exist already")
    with closing(sequence.frames(missing)) as rendered:
        for i in with_progress(missing, "frames"):
            frame = next(rendered)
            for layer, folder in folders.items():
                write_layer(frame_path(folder, i), layer, frame, sequence.cameras[i].to(frame.depth.device))
            write_frame(frame_path(frames, i), frame, background)
    write_cameras(out / CAMERAS, sequence.cameras)
    videos = [out / "video.mp4"] + ([out / "video.gif"] if options.gif else [])
    videos += [out / "video.webm"] if background is None else []
    for video in videos:
        # Even if all frames existed: the frame rate may have changed.
        write_video(video, frames, options.fps)
    return videos


def _claim(output: OutputOptions, frames: Path, options: RenderOptions, identity: dict[str, Any]) -> None:
    """Record what the frames of this folder depend on, and check it against the existing ones.

    Raises:
        BadInput: the existing frames are of another rendering, and `overwrite` is not set.
    """
    settings = {
        **identity,
        "size": options.size,
        "background": options.background,
        "fast": options.fast,
        "tool": f"sherf {__version__}",
    } | ({"exact": True} if options.exact else {})
    existing = sorted(frames.glob("*.png")) if frames.is_dir() else []
    try:
        before = json.loads((output.out / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if existing and before != settings:
        if not output.overwrite:
            raise BadInput(
                f"{frames} holds {len(existing)} frames of another rendering ({_difference(before, settings)}).\n"
                "Choose another --out, or pass --overwrite to replace them."
            )
        for path in _images(output.out):
            path.unlink(missing_ok=True)
    write_json(output.out / SETTINGS, settings)


def _difference(before: Any, settings: dict[str, Any]) -> str:
    if not isinstance(before, dict):
        return f"{SETTINGS} is missing or damaged"
    return f"different: {', '.join(key for key in settings if before.get(key) != settings[key])}"
