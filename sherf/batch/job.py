"""What a batch is made of: requests, one per photo, and the jobs and items that are planned from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeGuard, get_args

from sherf.batch.options import BatchOutput
from sherf.camera.framing import CameraPath
from sherf.export.options import MeshOptions
from sherf.export.sequence import FRAMES
from sherf.export.video_writer import frame_path
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.render.options import RenderOptions

AVATAR: Final = "avatar"
"""Label and output of the item that all others of a job depend on."""
NO_MOTION = "none"
"""Names the person standing as in the photo where a motion is expected."""
MESH_OUTPUTS: tuple[BatchOutput, ...] = ("glb", "vrm", "obj", "ply")
CAMERA_PATHS: tuple[CameraPath, ...] = get_args(CameraPath)


def is_camera_path(camera: str) -> TypeGuard[CameraPath]:
    """Whether a camera is a built-in camera path, not a transforms.json."""
    return camera in CAMERA_PATHS


@dataclass(frozen=True)
class Settings:
    """The command line's options, as they apply to one photo."""

    photo: PhotoOptions = PhotoOptions()
    render: RenderOptions = RenderOptions()
    motion: MotionOptions = MotionOptions()
    mesh: MeshOptions = MeshOptions()


@dataclass(frozen=True)
class JobRequest:
    """What to make of one photo."""

    source: Path
    """A photo, or a data set's subject folder."""
    name: str
    """Of its output folder."""
    location: str
    """Where in the manifest it stands, such as `line 3`; empty for photos of a folder."""
    motions: tuple[str, ...]
    cameras: tuple[str, ...]
    outputs: tuple[BatchOutput, ...]
    frames: int | None
    keep_frames: bool
    settings: Settings


@dataclass(frozen=True)
class Item:
    """One output of one photo."""

    label: str
    """Unique within the job, such as walk-turntable or glb."""
    output: BatchOutput | Literal["avatar"]
    motions: tuple[str, ...] = ()
    camera: str = ""
    """Of a video: a camera path or a transforms.json."""
    frames: int = 0
    """Of a video."""
    key: str = ""
    """SHA-256 of the photo's folder name and of everything that the output depends on."""
    fault: str = ""
    """Why it cannot be made, as far as planning found out; empty: it is tried."""


@dataclass(frozen=True)
class Duplicate:
    """Another request whose photo and outputs are those of a job."""

    name: str
    """Of the output folder that it would have."""
    source: Path


@dataclass(frozen=True)
class Job:
    """One photo with its items, the avatar first."""

    name: str
    source: Path
    folder: Path
    items: tuple[Item, ...]
    settings: Settings
    keep_frames: bool = False
    """Of videos."""
    duplicates: tuple[Duplicate, ...] = ()


def preview_frame(job: Job, item: Item) -> Path:
    """Return the frame that represents a video: an eighth into it, a turning person is seen slightly from the side."""
    return frame_path(job.folder / item.label / FRAMES, item.frames // 8)
