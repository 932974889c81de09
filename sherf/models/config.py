"""What one SHERF network is made of: a single configuration for the published model and for smaller ones."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["global", "point", "pixel"]
"""The levels of the feature bank: planes, the sparse volume of the body's vertices, the image's features."""

Lookup = Literal["seen", "mirrored", "opposite"]
"""Where the photo is asked about a point: at the point itself, at its mirror image on the body's other side, and right
through the body, where the front shows what the back may look like."""


@dataclass(frozen=True)
class SherfConfig:
    """Options of a network. The defaults are the published choices (`sherf-paper`)."""

    name: str = "sherf-paper"
    body_model: str = "smpl"
    """The body model that the weights were trained with."""
    levels: tuple[Level, ...] = ("global", "point", "pixel")
    """Which features are on; the others are zero and their encoders do not exist."""
    batch_norm: Literal["frame", "running"] = "frame"
    """frame: statistics of each single input, as in the published evaluation; running: those learned."""
    encoder_width: int = 64
    """Channels of the image encoders' first stage."""
    mapping_depth: int = 2
    plane_resolution: int = 256
    """Side of the three global planes, a power of two; with `anchor="surface"` the rows of the front and back maps."""
    synthesis_base: int = 32768
    """Channels of the planes' synthesis at resolution r: base / r, at most `synthesis_most`."""
    synthesis_most: int = 512
    volume_channels: tuple[int, int, int] = (32, 64, 96)
    """Channels of the point volume, 2, 4 and 8 voxels wide."""
    token_width: int = 32
    """Channels of each of a point's three tokens, and of one global plane."""
    fusion_depth: int = 1
    """Layers of the fusion transformer; 0 leaves the tokens as they are."""
    heads: int = 3
    head_width: int = 16
    decoder_width: int = 128
    decoder_depth: int = 8
    samples: int = 48
    """Samples along each ray between the bounds of the body's box."""
    near_body_m: float = 0.05
    """The field is empty further than this from the body's nearest vertex (or surface), metres."""
    anchor: Literal["vertices", "surface"] = "vertices"
    """What carries a point between poses. vertices: its nearest vertex, as published. surface: the body's nearest
    surface point and the distance from it; density is anchored to that distance, and the options below count."""
    anchored: bool = True
    """How far a point lies inside is the learned offset of its surface point less its distance; else it is learned."""
    observation_size: int = 256
    """The encoder sees the person cut out of the photo, in a square of this side."""
    lookups: tuple[Lookup, ...] = ("seen", "mirrored", "opposite")
    """Where the photo is asked about each point; one token of the fusion transformer each, beside the planes'."""
    occlusion: Literal["none", "body", "clothed"] = "clothed"
    """By what the photo's view of a point can be blocked: nothing, as published, the bare or the clothed body."""
    blend: bool = True
    """Colour is a learned mixture of what the look-ups found and a generated colour; else it is generated."""
    unwrap_width: int = 48
    """Channels of the network that completes the photo unwrapped onto the body."""
    unwrap_depth: int = 1
    """Its residual blocks at each resolution on the way down, and on the way up."""

    @property
    def style_width(self) -> int:
        """Length of the image's code: the channels of the encoder's fourth stage."""
        return 8 * self.encoder_width

    @property
    def num_planes(self) -> int:
        """Maps of the global level."""
        return TOKENS if self.anchor == "vertices" else SIDES

    @property
    def plane_size(self) -> tuple[int, int]:
        """Rows and columns of each map: a standing body needs fewer columns."""
        rows = self.plane_resolution
        return (rows, rows) if self.anchor == "vertices" else (rows, 2 * round(rows * ATLAS_WIDTH / 2))

    @property
    def num_tokens(self) -> int:
        """Tokens of a point: one for each published plane, or the planes' and one for each look-up."""
        return TOKENS if self.anchor == "vertices" else 1 + len(self.lookups)

    @property
    def pixel_channels(self) -> int:
        """Channels looked up in the photo: the feature map's, and the encoded colour's."""
        return self.encoder_width + RGB_CHANNELS


RGB_OCTAVES, RGB_CHANNELS = 5, 32
"""The photo's colour is encoded with 5 octaves and cut to 32 of the 33 numbers, as published."""

TOKENS = 3
"""Tokens of a point as published: one for each plane."""

SIDES = 2
"""Maps of the unwrapped photo: front and back."""

ATLAS_WIDTH = 0.5
"""Their columns by their rows."""

PAPER = SherfConfig()
SMALL = SherfConfig(
    name="sherf-small",
    body_model="openbody",
    levels=("global", "pixel"),
    encoder_width=32,
    plane_resolution=256,
    heads=2,
    decoder_depth=3,
    near_body_m=0.15,
    anchor="surface",
    unwrap_depth=3,
)
"""The shipped model: the same levels, fusion and decoder, sized for CPUs, on the open body."""
