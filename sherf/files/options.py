"""Options of where results are written. Does not import torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OutputOptions:
    """Where results go."""

    out: Path = Path("out")
    """Output folder. Rerun the same command to resume an interrupted run."""
    overwrite: bool = False
    """Replace results of another photo or with other settings in the output folder."""
