"""Options of a batch. Imports no torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BatchOutput = Literal["video", "glb", "vrm", "obj", "ply", "bvh", "npz"]


@dataclass(frozen=True)
class BatchOptions:
    """What to make of every photo, with which workers, and where to put it. Rows of a manifest override these."""

    out: Path
    """Output folder: one folder per photo, index.html, sheet.jpg, results.csv, ledger.sqlite. Safe to interrupt; run
    the same command again to resume."""
    motions: tuple[str, ...] = ()
    """Built-in motions (`sherf motions`) and motion files; `none`: the person standing still."""
    cameras: tuple[str, ...] = ()
    """still, turntable, orbit or, for a person standing still, a transforms.json. Default: turntable, or still with
    motions."""
    outputs: tuple[BatchOutput, ...] = ("video",)
    """video: one per motion and camera; glb, vrm, obj, ply: one per photo, a glb with all motions as clips; bvh, npz:
    one per motion."""
    frames: int | None = None
    """Frames of a video. Default: the whole motion, or 60 of a person standing still."""
    keep_frames: bool = False
    """Keep all frames of each video as PNG files, not only the one shown on the page."""
    workers: int | None = None
    """Worker processes on this machine, which share its cores. Default: one per GPU, or one per core, at most 8."""
    engine: Literal["local", "ray"] = "local"
    """local: processes on this machine; ray: all machines of the Ray cluster at $RAY_ADDRESS, or this one (needs
    pip install 'sherf[ray]')."""
    shard: str = ""
    """Process only part I of N of the photos, as I/N, such as 3/16; for job arrays. Run once without it to write the
    summary."""
    attempts: int = 3
    """Maximum attempts at an item that crashes (killed worker, out of memory, bug). Unusable photos are not retried."""
    retry_failed: bool = False
    """Retry items that failed in an earlier run."""
    dry_run: bool = False
    """Only print what would be done and an estimate of the time."""
