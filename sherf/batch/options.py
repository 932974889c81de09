"""Options of a batch. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
