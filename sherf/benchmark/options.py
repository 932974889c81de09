"""Options of a benchmark. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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
