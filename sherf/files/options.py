"""Where results are written. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OutputOptions:
    """Where results go."""

    out: Path = Path("out")
    """Folder for the results. The same command again continues an interrupted one."""
    overwrite: bool = False
    """Replace what another photo or another rendering left in that folder."""
