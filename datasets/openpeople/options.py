"""Options of the generator. Imports no torch, so that `sherf --help` starts quickly."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GenerateOptions:
    """Which people to generate and how to render them."""

    out: Path
    """Folder of the data set. Rerun the same command to resume; other seeds are added to the folder."""
    people: int = 200
    """Number of people."""
    seed_start: int = 0
    """Seed of the first person; the others follow. Of ten consecutive seeds, eight train, one validates, one tests."""
    views: int = 12
    """Cameras around each pose. The first one takes the photo (the observation view)."""
    poses: int = 2
    """Poses per person."""
    size: int = 256
    """Side of the square images, pixels."""
    photos: bool = False
    """Also write the first view of each pose over a synthetic background, as a JPEG."""
    workers: int | None = None
    """Number of worker processes (default: one per CPU core)."""
    preview: bool = False
    """Also write preview.png, a contact sheet of up to 100 people."""
