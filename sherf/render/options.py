"""Options of rendering. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from typing import Literal

Layer = Literal["depth", "opacity", "normal", "visibility"]


@dataclass(frozen=True)
class RenderOptions:
    """How frames are rendered."""

    size: int = 512
    """Height and width of the frames, pixels."""
    background: str = "white"
    """Background: a CSS colour name, #rrggbb, r,g,b, or transparent, which gives PNG files and a WebM with alpha."""
    fps: float = 30.0
    """Frame rate of the video, frames per second."""
    gif: bool = False
    """Also write video.gif."""
    layers: tuple[Layer, ...] = ()
    """Also write these layers of each frame: depth (16 bits, mm), opacity, normal, visibility (the share of each pixel
    that the photo saw)."""
    fast: bool = False
    """Render the avatar as a textured mesh, as `sherf export` writes it: fast, after half a minute."""
    exact: bool = False
    """March rays in small steps, as the radiance field is defined, instead of tracing them at its surface: about ten
    times slower; pictures differ by about 46 dB."""
    chunk: int | None = None
    """Points evaluated at once; fewer take less memory. Default: the model's own number."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
