"""Options of the generator. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path


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
