"""Options of a benchmark. Imports no torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class BenchmarkOptions:
    """What to score, and how."""

    data: Path
    """Folder of the data set."""
    model: str = "sherf-small"
    """The model to score: sherf-small, template, or a checkpoint's .safetensors file."""
    body_model: str | None = None
    """Body model: openbody, smpl (your own file in $SHERF_SMPL_FOLDER), or the path of an SMPL .npz or .pkl. Default:
    openbody for openpeople, else smpl."""
    split: Literal["train", "validation", "test"] = "test"
    """Which people of openpeople to score. The other data sets have their published test subjects."""
    subjects: tuple[str, ...] = ()
    """Score only these subjects, by name."""
    quick: bool = False
    """Quick check in about a minute: three subjects, three images each of novel views and novel poses."""
    estimated: bool = False
    """Estimate body and camera from the observed image, as for a photo, instead of taking the data set's."""
    personalise: str = ""
    """Fine-tune each avatar on its observed image for this long, such as 60s."""
    out: Path | None = None
    """Folder for the results. Default: out/benchmark-NAME. Safe to interrupt; run the same command again to resume."""
    overwrite: bool = False
    """Discard the scores of a different run in that folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
