"""Options of rendering. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from typing import Literal

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
