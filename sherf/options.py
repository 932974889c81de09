"""What the commands and the library let one choose. Here, and not beside what they configure, because
`sherf --help` must not import torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Masker = Literal["mediapipe", "rembg"]


@dataclass(frozen=True)
class PhotoOptions:
    """How a photo is read."""

    person: int | None = None
    """Which person, counted from 1, when the photo shows several; the most prominent one if not given."""
    mask: Path | None = None
    """Your own mask of the person: white on black, of the photo's size."""
    masker: Masker = "mediapipe"
    """What finds the mask: mediapipe (ships) with the picture's own edges, or rembg (pip install 'sherf[rembg]')."""
    edit: Path | None = None
    """A fit.json, as an earlier run wrote it, with your corrections in its "edits": landmarks, joints, a mask."""
    allow_partial: bool = False
    """Go on although an important part of the person is outside the photo."""
    force: bool = False
    """Go on although the body does not lie on the person."""
    model: str = "sherf-small"
    """The model that makes the avatar: sherf-small (ships), template (nothing learned), or a checkpoint's .safetensors
    file."""
    personalise: str = ""
    """Let the avatar learn its photo for so long, as in 60s: a sharper seen side."""
    body_model: str | None = None
    """openbody (ships), smpl (your own file in $SHERF_SMPL_FOLDER), or the path of an SMPL .npz or .pkl; the model's
    own if not given."""
    pose: int | None = None
    """Of a data set's subject folder: the frame that is the photo; the first if not given."""
    view: int | None = None
    """Of a data set's subject folder: the camera that takes the photo; the first if not given."""

    @property
    def files(self) -> tuple[str | Path | None, ...]:
        """What may name files to read."""
        return (self.mask, self.edit, self.model, self.body_model)


@dataclass(frozen=True)
class MotionOptions:
    """How a motion is played."""

    motion_person: int | None = None
    """Of a video: which person, counted from 1, the largest first; the largest if not given."""
    in_place: bool = False
    """Stay on the spot, as on a treadmill."""
    speed: float = 1.0
    """How many times as fast."""
    begin: float = 0.0
    """Seconds of the motion to leave out at its beginning."""
    end: float | None = None
    """Second of the motion at which to stop; its end if not given."""
    loop: bool = False
    """Blend the end into the beginning, so that the motion comes round without a jump."""
    smooth: float = 0.0
    """Average the motion over so many seconds (a Gaussian's standard deviation), as 0.1."""


@dataclass(frozen=True)
class OutputOptions:
    """Where results go."""

    out: Path = Path("out")
    """Folder for the results. The same command again continues an interrupted one."""
    overwrite: bool = False
    """Replace what another photo or another rendering left in that folder."""


Layer = Literal["depth", "opacity", "normal", "visibility"]


@dataclass(frozen=True)
class RenderOptions:
    """How frames are made."""

    size: int = 512
    """Side of the square pictures, pixels."""
    background: str = "white"
    """A colour name, #rrggbb or r,g,b; "transparent" gives PNGs with alpha."""
    fps: float = 30.0
    """Pictures a second in the video."""
    gif: bool = False
    """Write video.gif beside video.mp4."""
    layers: tuple[Layer, ...] = ()
    """Also write these of each picture: depth (16 bits, mm), opacity, normal, visibility (what the photo saw)."""
    fast: bool = False
    """Show the avatar as a textured mesh, as `sherf export` writes it: many pictures a second, after half a minute."""
    chunk: int | None = None
    """Points computed at once; fewer take less memory."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


@dataclass(frozen=True)
class VrmOptions:
    """Licence of a .vrm avatar: what others may do. The most careful answers if not given: a photo shows somebody."""

    author: tuple[str, ...] = ("made with sherf",)
    """Who made the avatar."""
    may_act: Literal["onlyAuthor", "onlySeparatelyLicensedPerson", "everyone"] = "onlyAuthor"
    """Who may appear as it (VRM's avatarPermission)."""
    commercial: Literal["personalNonProfit", "personalProfit", "corporation"] = "personalNonProfit"
    """For what gain (commercialUsage)."""
    credit: Literal["required", "unnecessary"] = "required"
    """Whether the author must be named (creditNotation)."""
    redistribution: bool = False
    """Whether others may pass it on (allowRedistribution)."""
    modification: Literal["prohibited", "allowModification", "allowModificationRedistribution"] = "prohibited"
    """Whether they may change it (modification)."""


ExportFormat = Literal["glb", "vrm", "obj", "ply", "bvh", "npz"]


@dataclass(frozen=True)
class MeshOptions:
    """How fine a mesh is."""

    triangles: int = 20_000
    """About so many at most."""
    texture: int = 1024
    """Its side, pixels."""


@dataclass(frozen=True)
class ExportOptions(MeshOptions):
    """What kind of file, and what is in it."""

    format: ExportFormat | None = None
    """glb: rigged, textured, animated; vrm: a VRM 1.0 avatar; obj and ply: a mesh in one pose; bvh and npz: the
    --motion on the avatar's skeleton. By the name of --out if not given."""
    motion: tuple[str, ...] = ()
    """The clips of a glb: built-in motions (`sherf motions`) or motion files, any number of them."""
    posed: Literal["rest", "photo"] = "rest"
    """Of obj and ply: arms out (T-pose), or as in the photo."""
    frame: int | None = None
    """Of obj and ply: this frame of the --motion instead; its first if not given."""
    points: int = 0
    """Of ply: so many coloured points, spread evenly over the surface, instead of a mesh; 0: the mesh."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


BatchOutput = Literal["video", "glb", "vrm", "obj", "ply", "bvh", "npz"]


@dataclass(frozen=True)
class BatchOptions:
    """What is made of every photo, by whom, and where it goes. A manifest's rows may say otherwise."""

    out: Path
    """Folder for everything: a folder for each photo, index.html, sheet.jpg, ledger.sqlite. The same command again
    continues."""
    motions: tuple[str, ...] = ()
    """Built-in motions (`sherf motions`) and motion files; `none` is the person standing still."""
    cameras: tuple[str, ...] = ()
    """still, turntable or orbit; for a person who stands still also a transforms.json. turntable if not given, still
    for motions."""
    outputs: tuple[BatchOutput, ...] = ("video",)
    """video for each motion and camera; glb, vrm, obj and ply once with all motions; bvh and npz for each motion."""
    frames: int | None = None
    """Pictures of a video: the whole motion, or 60 of a person who stands still, if not given."""
    keep_frames: bool = False
    """Keep a video's pictures as PNG, too, not only the one for the page."""
    workers: int | None = None
    """Processes on this machine, each with its share of the cores; as many as there are cores or cards, at most 8, if
    not given."""
    engine: Literal["local", "ray"] = "local"
    """ray: all machines of the Ray cluster (pip install 'sherf[ray]'; RAY_ADDRESS, or one on this machine)."""
    shard: str = ""
    """i/n, as in 3/16: only this part of the photos, for arrays of jobs. The same command without it sums up."""
    attempts: int = 3
    """How often something that breaks is tried: a killed worker, memory, a bug. Unusable photos are tried once."""
    retry_failed: bool = False
    """Try again what failed before."""
    dry_run: bool = False
    """Only say what would be done, and how long it would take."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """What is scored, and how."""

    data: Path
    """Folder of the data set."""
    model: str = "sherf-small"
    """The model to score: sherf-small, template, or a checkpoint's .safetensors file."""
    body_model: str | None = None
    """openbody for openpeople, else smpl (your own file in $SHERF_SMPL_FOLDER) or the path of an SMPL .npz or .pkl."""
    split: Literal["train", "validation", "test"] = "test"
    """Of openpeople: which people. The other data sets have their published test subjects."""
    subjects: tuple[str, ...] = ()
    """Only these, by name."""
    quick: bool = False
    """A smoke result in about a minute: three subjects, three pictures of each kind."""
    estimated: bool = False
    """Estimate body and camera from the observed picture, as for a photo, instead of taking the data set's."""
    personalise: str = ""
    """Let each avatar learn its photo for so long, as in 60s."""
    out: Path | None = None
    """Folder for the results, out/benchmark-NAME if not given. The same command again continues."""
    overwrite: bool = False
    """Begin anew where the folder holds another run."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


@dataclass(frozen=True)
class GenerateOptions:
    """Which people are made, and what of them."""

    out: Path
    """Folder of the data set. The same command again makes what is missing; other seeds are added."""
    people: int = 200
    """How many."""
    seed_start: int = 0
    """The first one's seed; the others follow. Of ten in a row, eight train, one validates, one tests."""
    views: int = 12
    """Cameras around each pose. The first one takes the photo."""
    poses: int = 2
    """Poses of each person."""
    size: int = 256
    """Side of the square pictures, pixels."""
    photos: bool = False
    """Also write the first view before a photographic background, as a JPEG."""
    workers: int | None = None
    """Processes; as many as there are cores if not given."""
    preview: bool = False
    """Also write preview.png: up to 100 people on one sheet."""


@dataclass(frozen=True)
class TrainOptions:
    """What is trained on, where it goes, and for how long."""

    data: Path
    """Folder of the data set."""
    out: Path
    """Folder of the training: state, checkpoint, logs. The same command again continues."""
    dataset: Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"] = "openpeople"
    """Which data set it is."""
    duration: Annotated[str, tyro.conf.arg(name="for")] = ""
    """Stop after so long, as in 90s, 30m or 2.5h; the whole schedule if not given."""
    begin_with: Path | None = None
    """Begin with a checkpoint's weights instead of random ones."""
    changed_data: bool = False
    """Go on although the data set is not the one that the training began with."""
    overwrite: bool = False
    """Begin anew where the folder holds a training."""
    save_minutes: float = 10.0
    """How often the state is saved."""
    validation_steps: int = 1000
    """How often a few people of the validation split are rendered; 0: never."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 computes convolutions and linear layers in half the precision: faster on new processors and on cards."""
    body_model: str | None = None
    """openbody for openpeople, else smpl (your own file in $SHERF_SMPL_FOLDER) or the path of an SMPL .npz or .pkl."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


@dataclass(frozen=True)
class AppOptions:
    """Where the page is served, and to whom."""

    host: str = "127.0.0.1"
    """Address to serve at; anything but this machine's own needs --auth."""
    port: int = 7860
    """Port to serve at."""
    auth: str = ""
    """NAME:PASSWORD that visitors have to give."""
    minutes: int = 60
    """A visitor's files are deleted after so many minutes without use."""
